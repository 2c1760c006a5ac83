"""The correct systems and the tests that they must pass: soaked, and in part run with every change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from windtunnel.spec import TestSpec

FAMILIES: Mapping[str, Mapping[str, TestSpec]] = MappingProxyType(
    {
        "ids": {
            "snowflake": TestSpec(workload="snowflake"),
            "autoincrement": TestSpec(workload="autoincrement"),
            "uuid4": TestSpec(workload="uuid"),
            "uuid7": TestSpec(workload="uuid", options={"version": 7}),
        },
        "queue": {
            **{
                name: TestSpec(workload=name, nodes=("n1", "n2", "n3"))
                for name in ("queue", "group", "offsets", "keys")
            },
            "group-cooperative": TestSpec(
                workload="group",
                nodes=("n1", "n2", "n3"),
                options={"assignor": "cooperative-sticky"},
            ),
        },
        "coordination": {
            **{
                f"{name}-3": TestSpec(workload=name, nodes=("n1", "n2", "n3"))
                for name in ("register", "leader", "lock")
            },
            **{
                name: TestSpec(workload=name)
                for name in (
                    "register",
                    "session",
                    "leader",
                    "election-herd",
                    "election-sequence",
                    "election-chain",
                    "lock",
                    "lock-fenced",
                    "membership",
                    "configuration",
                    "watch",
                    "ephemeral",
                    "sequence",
                )
            },
        },
    }
)
"""Tests by family and name, each under all faults; five servers unless the name says
three; three brokers."""

SEEDS: Mapping[str, int] = MappingProxyType({"ids": 300, "coordination": 30, "queue": 30})
"""How many seeds of each test are run with every change."""
