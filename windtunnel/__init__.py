"""Windtunnel: run a cluster, hurt it, record everything, prove what held. ``import windtunnel as wt``.

::

    import windtunnel as wt

    run = wt.run(wt.TestSpec(workload="snowflake", seed=7))
    assert run.verdict.valid is True, run.verdict.anomalies

A test of one's own system is ``system`` and ``workload``, see ``windtunnel.own`` and, for pytest,
``docs/pytest.md``; a workload to register is a function of ``WorkloadOptions``, see
``docs/add-a-workload.md``. Names are looked up when they are first used, so that importing this package
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkers.linearizable import linearizable
    from checkers.models import MODELS
    from checkers.monotonic import monotonic
    from checkers.progress import progress
    from checkers.unique_ids import unique_ids
    from checkers.verdict import Anomaly, Checker, Verdict, all_of
    from cluster.api import Cluster, Endpoint, System
    from history.formats import read
    from history.history import History
    from history.op import Op, invoke
    from impl.host import Host
    from windtunnel.campaign import Tally
    from windtunnel.campaigning import run_campaign
    from windtunnel.judge import judge as check
    from windtunnel.own import OwnWorkload, system, workload
    from windtunnel.runner import Run
    from windtunnel.runner import run_test as run
    from windtunnel.shrinking import shrink_run
    from windtunnel.spec import TestSpec
    from workloads import generators
    from workloads.generators import (
        concat,
        cycle,
        delay,
        each_thread,
        limit,
        mix,
        numbered,
        phases,
        repeat,
        stagger,
        until_ok,
    )
    from workloads.workload import Client, ClientContext, Workload, WorkloadOptions

__all__ = [
    "MODELS",
    "Anomaly",
    "Checker",
    "Client",
    "ClientContext",
    "Cluster",
    "Endpoint",
    "History",
    "Host",
    "Op",
    "OwnWorkload",
    "Run",
    "System",
    "Tally",
    "TestSpec",
    "Verdict",
    "Workload",
    "WorkloadOptions",
    "all_of",
    "check",
    "concat",
    "cycle",
    "delay",
    "each_thread",
    "generators",
    "invoke",
    "limit",
    "linearizable",
    "mix",
    "monotonic",
    "numbered",
    "phases",
    "progress",
    "read",
    "repeat",
    "run",
    "run_campaign",
    "shrink_run",
    "stagger",
    "system",
    "unique_ids",
    "until_ok",
    "workload",
]

_HOMES = {
    "checkers.linearizable": ("linearizable",),
    "checkers.models": ("MODELS",),
    "checkers.monotonic": ("monotonic",),
    "checkers.progress": ("progress",),
    "checkers.unique_ids": ("unique_ids",),
    "checkers.verdict": ("Anomaly", "Checker", "Verdict", "all_of"),
    "cluster.api": ("Cluster", "Endpoint", "System"),
    "history.formats": ("read",),
    "history.history": ("History",),
    "history.op": ("Op", "invoke"),
    "impl.host": ("Host",),
    "windtunnel.campaign": ("Tally",),
    "windtunnel.campaigning": ("run_campaign",),
    "windtunnel.own": ("OwnWorkload", "system", "workload"),
    "windtunnel.runner": ("Run",),
    "windtunnel.shrinking": ("shrink_run",),
    "windtunnel.spec": ("TestSpec",),
    "workloads.generators": (
        "concat",
        "cycle",
        "delay",
        "each_thread",
        "limit",
        "mix",
        "numbered",
        "phases",
        "repeat",
        "stagger",
        "until_ok",
    ),
    "workloads.workload": ("Client", "ClientContext", "Workload", "WorkloadOptions"),
}
_RENAMED = {"check": ("windtunnel.judge", "judge"), "run": ("windtunnel.runner", "run_test")}


def __getattr__(name: str) -> Any:
    if name == "generators":
        return import_module("workloads.generators")
    homes = {own: (module, own) for module, names in _HOMES.items() for own in names} | _RENAMED
    if name not in homes:
        raise AttributeError(f"module 'windtunnel' has no attribute {name!r}")
    module, own = homes[name]
    return getattr(import_module(module), own)


def __dir__() -> list[str]:
    return sorted(__all__)
