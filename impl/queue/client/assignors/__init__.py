"""Strategies by which a group's leader deals partitions out, by the names that Kafka's clients use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from impl.queue.client.assignors import ranges, round_robin, sticky
from impl.queue.client.assignors.assignor import Assignor
from impl.queue.protocol.membership import NO_GENERATION


def _nothing(owned: object, generation: int = NO_GENERATION) -> bytes:
    return b""


RANGE = Assignor("range", False, ranges.assign, _nothing)
ROUND_ROBIN = Assignor("roundrobin", False, round_robin.assign, _nothing)
STICKY = Assignor("sticky", False, sticky.assign, sticky.user_data)
COOPERATIVE_STICKY = Assignor("cooperative-sticky", True, sticky.assign_cooperatively, _nothing)

ASSIGNORS: Mapping[str, Assignor] = MappingProxyType(
    {each.name: each for each in (RANGE, ROUND_ROBIN, STICKY, COOPERATIVE_STICKY)}
)
"""All of them; a user's own is any further ``Assignor``."""

__all__ = ["ASSIGNORS", "COOPERATIVE_STICKY", "RANGE", "ROUND_ROBIN", "STICKY", "Assignor"]
