"""What an assignor is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.membership import Subscription


class Member(NamedTuple):
    """A member as the leader sees it; ``instance_id`` is that of a static one."""

    id: str
    instance_id: str | None
    subscription: Subscription

    @property
    def order(self) -> tuple[bool, str]:
        """Members are dealt to in this order, static ones first, so that theirs stays the same."""
        static = self.instance_id is not None
        return not static, self.instance_id if self.instance_id is not None else self.id


Counts: TypeAlias = Mapping[str, int]
"""The number of partitions by topic; topics that don't exist are left out."""
Dealt: TypeAlias = dict[str, list[TopicPartition]]
"""Partitions by member."""


class Assignor(NamedTuple):
    """A strategy: its name on the wire, and whether members keep what they have while they rejoin.

    ``user_data`` is what a member tells its next leader, from what it owns and since which generation.
    """

    name: str
    cooperative: bool
    assign: Callable[[Sequence[Member], Counts], Dealt]
    user_data: Callable[[Sequence[TopicPartition], int], bytes]
