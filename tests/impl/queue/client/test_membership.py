"""What members tell each other: read as it was written, by us and by others, whatever the version."""

from __future__ import annotations

import pytest
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from hypothesis import given
from hypothesis import strategies as st

from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.membership import (
    Assignment,
    Subscription,
    read_assignment,
    read_subscription,
    write_assignment,
    write_subscription,
)

topics = st.lists(st.text(max_size=8), max_size=3, unique=True).map(tuple)
partitions = st.dictionaries(st.text(max_size=8), st.lists(st.integers(0, 9), unique=True)).map(
    lambda found: tuple((topic, n) for topic, numbers in found.items() for n in numbers)
)


@given(topics, st.binary(max_size=9), partitions, st.integers(-1, 99), st.none() | st.text(max_size=5))
def test_a_subscription_is_read_as_it_was_written(
    names: tuple, data: bytes, owned: tuple, generation: int, rack: str | None
) -> None:
    wanted = Subscription(names, data, owned, generation, rack)
    assert read_subscription(write_subscription(wanted)) == wanted


@given(partitions, st.binary(max_size=9))
def test_an_assignment_is_read_as_it_was_written(owned: tuple, data: bytes) -> None:
    wanted = Assignment(owned, data)
    assert read_assignment(write_assignment(wanted)) == wanted


@given(topics, st.binary(max_size=9), partitions)
def test_aiokafka_reads_ours_and_we_read_aiokafkas(names: tuple, data: bytes, owned: tuple) -> None:
    theirs = ConsumerProtocolMemberMetadata.decode(write_subscription(Subscription(names, data, owned)))
    assert (tuple(theirs.subscription), theirs.user_data) == (names, data)
    ours = read_subscription(ConsumerProtocolMemberMetadata(0, list(names), data).encode())
    assert ours == Subscription(names, data)
    dealt = ConsumerProtocolMemberAssignment.decode(write_assignment(Assignment(owned, data)))
    assert tuple((topic, n) for topic, numbers in dealt.assignment for n in numbers) == owned


def test_nothing_at_all_is_an_assignment_of_nothing() -> None:
    assert read_assignment(b"") == Assignment(())


@given(st.binary(max_size=60))
def test_garbage_is_malformed_and_nothing_else(data: bytes) -> None:
    for read in (read_subscription, read_assignment):
        try:
            read(data)
        except Malformed:
            continue


def test_a_count_without_things_is_refused_before_it_is_believed() -> None:
    with pytest.raises(Malformed):
        read_subscription(b"\0\0\x7f\xff\xff\xff")
