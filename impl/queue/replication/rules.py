"""The rules of replication, each a function: what is committed, who is in sync, what is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from impl.queue.log.log import PartitionLog


def committed_end(own_end: int, ends: Mapping[int, int], followers: Iterable[int]) -> int:
    """The high watermark: all that ``followers``, the other replicas in sync, and this one have."""
    return min([own_end, *(ends.get(each, 0) for each in followers)])


def enough(in_sync: int, min_isr: int) -> bool:
    """Whether acks=all may be given with so many in sync (min.insync.replicas)."""
    return in_sync >= min_isr


def may_join(end: int, high_watermark: int, epoch_start: int) -> bool:
    """Whether a follower that has all before ``end`` may be in sync.

    It must have all that is committed, and all with which the leader began its epoch: until it has moved
    the high watermark there, the leader may not know what its predecessor had committed.
    """
    return end >= high_watermark and end >= epoch_start


def cut(log: PartitionLog, epoch: int, end: int) -> int:
    """Where a follower's log leaves its leader's, in which ``epoch`` ends at ``end`` (KIP-101, KIP-279).

    The high watermark plays no part: what a follower knows of it comes late.
    """
    own_epoch, own_end = log.epochs.end_of(epoch, log.end_offset)
    return min(end, own_end) if own_epoch >= 0 else log.start_offset


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRules:
    """All of them."""

    committed_end: Callable[[int, Mapping[int, int], Iterable[int]], int] = committed_end
    enough: Callable[[int, int], bool] = enough
    may_join: Callable[[int, int, int], bool] = may_join
    cut: Callable[[PartitionLog, int, int], int] = cut


RULES = ReplicaRules()
