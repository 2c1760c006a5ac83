"""How a learner gets the leader's history: by what to add, what to forget first, or all of it.

Two logs that share a zxid are equal up to it (Zab's primary order), and the zxids of an epoch have no
gaps; so the last zxids of each epoch tell how far the two agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from impl.coordination.txns import epoch_of


class Way(Enum):
    """What a learner is told to do with what it has."""

    DIFF = "DIFF"
    TRUNC = "TRUNC"
    SNAP = "SNAP"


class Plan(NamedTuple):
    """Both histories agree up to ``zxid``; the learner needs what comes after."""

    way: Way
    zxid: int


class Past(NamedTuple):
    """A history: the zxid before the first that its log holds, its end, and the end of each epoch."""

    base: int
    last: int
    ends: Sequence[int]


def plan(leader: Past, learner: Past) -> Plan:
    """How to bring ``learner`` to the history of ``leader``."""
    common = common_zxid(leader, learner)
    if common is None or common < leader.base:
        return Plan(Way.SNAP, 0)
    if common < learner.last:
        return Plan(Way.TRUNC, common)
    return Plan(Way.DIFF, common)


def common_zxid(leader: Past, learner: Past) -> int | None:
    """The last zxid that is in both histories; None if that cannot be told."""
    theirs = {epoch_of(end): end for end in learner.ends}
    for end in reversed(leader.ends):
        if epoch_of(end) in theirs:
            return min(end, theirs[epoch_of(end)])
    return 0 if leader.base == 0 else None
