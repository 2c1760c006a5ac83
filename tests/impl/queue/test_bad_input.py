"""What no client should send: Kafka's own error codes, the broker alive, the log untouched."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ADVERTISED, SERVED, ApiKey, OwnKey
from tests.impl.queue.brokers import Process, process
from tests.impl.queue.raw import Closed, Raw, batch, produced

OFTEN = settings(max_examples=150, deadline=None, derandomize=True)
GOOD = batch(b"one", b"two")
MAX_BYTES = 1 << 20


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    further = {"num.partitions": 1, "socket.request.max.bytes": 2 * MAX_BYTES}
    with process(tmp_path_factory.mktemp("broker"), **further) as started:
        with Raw(started.port) as raw:
            raw.ask(ApiKey.METADATA, 7, {"topics": [{"name": "t"}], "allow_auto_topic_creation": True})
            assert raw.produce(GOOD) == (0, 0)
        yield started


def untouched(broker: Process) -> None:
    """The broker lives, and the log is what it was."""
    with Raw(broker.port) as raw:
        code, data = raw.fetch(0)
        assert (code, len(data), data[16:]) == (0, len(GOOD), GOOD[16:])
        assert raw.end() == 2


def refused(broker: Process, data: bytes) -> None:
    """These bytes are answered, or the connection is closed; nothing else comes of them."""
    with Raw(broker.port) as raw:
        try:
            raw.send(data)
            raw._socket.shutdown(1)
            while True:
                raw.answer()
        except (Closed, OSError):
            pass
    untouched(broker)


@given(data=st.binary(max_size=300))
@OFTEN
def test_garbage_does_no_harm(broker: Process, data: bytes) -> None:
    refused(broker, data)
    refused(broker, struct.pack(">i", len(data)) + data)


APIS = st.sampled_from(sorted(SERVED)).flatmap(
    lambda key: st.tuples(st.just(key), st.integers(*SERVED[key]))
)
JSON = st.sampled_from([b"{}", b"[]", b"7", b'{"broker":1}', b'{"what":"create","name":"x"}'])


@given(api=APIS, rest=st.binary(max_size=100))
@OFTEN
def test_garbage_behind_a_good_header_does_no_harm(
    broker: Process, api: tuple[int, int], rest: bytes
) -> None:
    body = struct.pack(">hhih", *api, 1, -1) + rest
    refused(broker, struct.pack(">i", len(body)) + body)


@given(key=st.sampled_from(OwnKey), rest=st.one_of(JSON, st.binary(max_size=50)))
@OFTEN
def test_garbage_in_what_brokers_say_to_each_other_does_no_harm(
    broker: Process, key: OwnKey, rest: bytes
) -> None:
    body = struct.pack(">hhih", key, 0, 1, -1) + rest
    refused(broker, struct.pack(">i", len(body)) + body)


@given(cut=st.integers(0, 200), at=st.integers(8, 200), byte=st.integers(0, 255))
@OFTEN
def test_a_request_that_is_cut_or_changed_does_no_harm(
    broker: Process, cut: int, at: int, byte: int
) -> None:
    with Raw(broker.port) as raw:
        whole = raw.request(ApiKey.PRODUCE, 9, produced(b"no batch"))
    refused(broker, whole[:cut])
    changed = bytearray(whole)
    changed[min(at, len(whole) - 1)] ^= byte
    refused(broker, bytes(changed))


@pytest.mark.parametrize(("key", "version"), [(-1, 0), (4, 0), (999, 3), (3, 99), (0, 2), (20_000, 1)])
def test_an_api_or_a_version_that_is_not_served_closes_the_connection(
    broker: Process, key: int, version: int
) -> None:
    with Raw(broker.port) as raw:
        raw.frame(struct.pack(">hhih", key, version, 1, -1))
        with pytest.raises(Closed):
            raw.answer()
    untouched(broker)


def test_an_unknown_version_of_apiversions_is_answered_in_version_0_with_what_there_is(
    broker: Process,
) -> None:
    with Raw(broker.port) as raw:
        raw.frame(struct.pack(">hhih", ApiKey.API_VERSIONS, 99, 7, -1))
        id, code, count = struct.unpack_from(">ihi", raw.answer())
        assert (id, code, count) == (7, 35, len(ADVERTISED))


@given(at=st.integers(16, len(GOOD) - 1), byte=st.integers(1, 255))
@OFTEN
def test_a_batch_with_a_wrong_byte_is_refused(broker: Process, at: int, byte: int) -> None:
    bad = bytearray(GOOD)
    bad[at] ^= byte
    with Raw(broker.port) as raw:
        code, _ = raw.produce(bytes(bad))
    magic = at == 16
    assert code == (Code.unsupported_for_message_format if magic else Code.corrupt_message)
    untouched(broker)


@given(length=st.integers(-(2**31), 2**31 - 1), tail=st.binary(max_size=30))
@OFTEN
def test_a_batch_with_a_wrong_length_is_refused(broker: Process, length: int, tail: bytes) -> None:
    if length == len(GOOD) - 12 and not tail:
        return
    with Raw(broker.port) as raw:
        assert raw.produce(GOOD[:8] + struct.pack(">i", length) + GOOD[12:] + tail)[0] == 2
        assert raw.produce(GOOD[: len(tail)])[0] == 2
    untouched(broker)


def test_a_batch_that_is_too_large_is_refused_and_a_frame_that_is_closes_the_connection(
    broker: Process,
) -> None:
    with Raw(broker.port) as raw:
        assert raw.produce(batch(bytes(MAX_BYTES + 100)))[0] == Code.message_too_large
        with pytest.raises(Closed):
            raw.produce(bytes(3 * MAX_BYTES))
    untouched(broker)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Code.corrupt_message),
        (GOOD + GOOD, Code.corrupt_message),
    ],
)
def test_what_is_not_one_batch_is_refused(broker: Process, data: bytes, code: Code) -> None:
    with Raw(broker.port) as raw:
        assert raw.produce(data)[0] == code
    untouched(broker)


def test_offsets_epochs_topics_and_acks_that_can_not_be_have_kafkas_codes(broker: Process) -> None:
    with Raw(broker.port) as raw:
        assert raw.fetch(3)[0] == raw.fetch(-5)[0] == Code.offset_out_of_range
        assert raw.fetch(0, epoch=99)[0] == Code.unknown_leader_epoch
        assert raw.fetch(0, partition=9)[0] == Code.unknown_topic_or_partition
        assert raw.fetch(0, topic="nobody")[0] == Code.unknown_topic_or_partition
        assert raw.produce(GOOD, topic="nobody")[0] == Code.unknown_topic_or_partition
        assert raw.produce(GOOD, topic="__consumer_offsets")[0] == Code.invalid_topic_exception
        assert raw.produce(GOOD, acks=5)[0] == Code.invalid_required_acks
        for name in ("", ".", "a b", "x" * 250, "ä"):
            asked = {"topics": [{"name": name}], "allow_auto_topic_creation": True}
            answer = raw.ask(ApiKey.METADATA, 7, asked)
            assert answer.topics[0].error_code is Code.invalid_topic_exception
    untouched(broker)


def test_a_member_or_a_generation_that_is_not_has_kafkas_codes(broker: Process) -> None:
    with Raw(broker.port) as raw:
        raw.ask(ApiKey.FIND_COORDINATOR, 1, {"key": "g", "key_type": 0})
        beat = {"group_id": "g", "generation_id": 3, "member_id": "me"}
        assert raw.ask(ApiKey.HEARTBEAT, 1, beat).error_code is Code.unknown_member_id
        parts = [
            {"partition_index": 0, "committed_offset": 1, "committed_leader_epoch": -1}
            | {"committed_metadata": ""}
        ]
        commit = {
            "group_id": "g",
            "generation_id_or_member_epoch": 3,
            "member_id": "me",
            "topics": [{"name": "t", "partitions": parts}],
        }
        answer = raw.ask(ApiKey.OFFSET_COMMIT, 7, commit)
        assert answer.topics[0].partitions[0].error_code is Code.illegal_generation
    untouched(broker)
