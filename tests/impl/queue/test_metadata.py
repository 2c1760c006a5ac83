"""What brokers tell of partitions in an image that is not settled yet."""

from __future__ import annotations

from impl.queue.metadata.image import PartitionState
from impl.queue.protocol.errors import Code
from impl.queue.serving.cluster import partition_values

STATE = PartitionState(leader=2, leader_epoch=7, replicas=(2, 3, 1), isr=(2, 3), isr_epochs=(5, 6))


def test_a_leader_that_lives_is_named() -> None:
    told = partition_values(0, STATE, {1, 2, 3})
    assert (told["leader_id"], told["error_code"]) == (2, Code.none)
    assert told["offline_replicas"] == ()


def test_one_that_died_and_is_not_replaced_yet_is_not_as_nobody_could_reach_it() -> None:
    told = partition_values(0, STATE, {1, 3})
    assert (told["leader_id"], told["error_code"]) == (-1, Code.leader_not_available)
    assert (told["leader_epoch"], told["offline_replicas"]) == (7, (2,))
