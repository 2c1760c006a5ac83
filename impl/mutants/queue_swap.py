"""A broker that is right but for some of its parts, or for how it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from impl.host import Host, Program
from impl.queue.parts import PARTS
from impl.queue.server import serve

LONELY = MappingProxyType({"min.insync.replicas": 1, "replica.lag.time.max.ms": 1000})
"""Kafka's default of the first: a leader may be alone in its in-sync set and still be believed."""


def serve_with(settings: Mapping[str, Any] | None = None, **parts: Any) -> Program:
    """The broker with ``parts`` in place of the right ones and ``settings`` over those it is given."""
    return partial(_serve, dict(settings or {}), replace(PARTS, **parts))


async def _serve(settings: dict[str, Any], parts: Any, host: Host, config: Mapping[str, Any]) -> None:
    await serve(host, {**config, **settings}, parts=parts)
