"""Partitioners: the hash of Kafka's Java client, and how records without a key are spread."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from aiokafka.partitioner import murmur2 as aiokafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from impl.queue.client.partitioners import (
    ByKey,
    Partitions,
    RoundRobin,
    Sticky,
    Uniform,
    murmur2,
    partition_of,
    standard,
)

# From Kafka's own org.apache.kafka.common.utils.UtilsTest.
JAVAS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
THREE = Partitions(3, (0, 1, 2))


@pytest.mark.parametrize("key", JAVAS)
def test_murmur2_is_that_of_the_java_client(key: bytes) -> None:
    assert murmur2(key) == JAVAS[key] & 0xFFFFFFFF


@given(st.binary(max_size=40))
def test_murmur2_agrees_with_aiokafkas(key: bytes) -> None:
    assert murmur2(key) == aiokafkas_murmur2(key) & 0xFFFFFFFF


@given(st.binary(max_size=20), st.integers(1, 1000))
def test_a_key_has_one_partition_whichever_have_leaders(key: bytes, number: int) -> None:
    partitioner = standard(random.Random(1))
    found = partitioner("t", key, Partitions(number, ()))
    assert found == partition_of(key, number) == partitioner("t", key, Partitions(number, (0,)))
    assert found == (JAVAS.get(key, aiokafkas_murmur2(key)) & 0x7FFFFFFF) % number


def test_a_negative_hash_is_masked_not_made_positive() -> None:
    assert partition_of(b"21", 1000) == (-973932308 & 0x7FFFFFFF) % 1000 == 340
    assert partition_of(b"21", 1000) != abs(-973932308) % 1000


def test_without_a_key_one_partition_is_kept_until_its_batch_is_complete() -> None:
    sticky = Sticky(random.Random(1))
    partitioner = ByKey(sticky)
    seen = []
    for _ in range(30):
        chosen = {partitioner("t", None, THREE) for _ in range(10)}
        assert len(chosen) == 1
        seen += chosen
        partitioner.batch_closed("t", seen[-1])
    assert set(seen) == {0, 1, 2}


def test_another_topics_batch_changes_nothing() -> None:
    partitioner = Sticky(random.Random(1))
    first = partitioner("t", None, THREE)
    for other in range(3):
        partitioner.batch_closed("u", other)
    assert all(partitioner("t", None, THREE) == first for _ in range(30))


def test_round_robin_takes_turns_by_topic_and_passes_over_what_has_no_leader() -> None:
    partitioner = RoundRobin()
    assert [partitioner("t", b"same", THREE) for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert partitioner("u", b"same", THREE) == 0
    assert {partitioner("t", None, Partitions(3, (0, 2))) for _ in range(6)} == {0, 2}


def test_uniform_reaches_every_partition_about_as_often() -> None:
    partitioner = Uniform(random.Random(1))
    counts = Counter(partitioner("t", b"same", THREE) for _ in range(3000))
    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) > 850


def test_with_no_leader_at_all_any_partition_is_chosen() -> None:
    nobody = Partitions(4, ())
    chosen = {make("t", None, nobody) for make in [RoundRobin()] for _ in range(8)}
    assert chosen == {0, 1, 2, 3}
