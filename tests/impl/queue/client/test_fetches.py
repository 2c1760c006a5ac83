"""The answer to Fetch as the client reads it, with kio and the broker as witnesses; frames."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.queue.protocol import fetched, fetches
from impl.queue.protocol.codec import Codec, Request
from impl.queue.protocol.errors import Code, Malformed
from impl.queue.protocol.fetched import FetchedPartition
from impl.queue.protocol.frames import Frames
from impl.queue.protocol.keys import ApiKey

LENGTH_AND_ID = 8
versions = st.integers(4, 12)
offsets = st.integers(-1, 1 << 62)
some_parts = st.lists(
    st.tuples(
        st.integers(0, 1 << 20),
        st.sampled_from(list(Code)),
        offsets,
        offsets,
        st.none() | st.binary(max_size=300),
        st.lists(st.tuples(offsets, offsets), max_size=2),
    ),
    max_size=4,
)
some_topics = st.dictionaries(st.text(max_size=9), some_parts, max_size=4)


def written_by_kio(version: int, topics: dict[str, list[Any]]) -> bytes:
    values = {
        "throttle_time": 0,
        "error_code": Code.none,
        "session_id": 0,
        "responses": [
            {"topic": name, "partitions": list(map(values_of, parts))} for name, parts in topics.items()
        ],
    }
    return Codec().response(Request(ApiKey.FETCH, version, 7, "", None), values)


def values_of(part: tuple[Any, ...]) -> dict[str, Any]:
    number, code, high, start, data, aborted = part
    return {
        "partition_index": number,
        "error_code": code,
        "high_watermark": high,
        "last_stable_offset": high,
        "log_start_offset": start,
        "aborted_transactions": [{"producer_id": one, "first_offset": two} for one, two in aborted],
        "preferred_read_replica": -1,
        "records": data,
    }


def read(version: int, frame: bytes) -> list[fetches.FetchedPart]:
    return fetches.parts(version, frame, LENGTH_AND_ID, len(frame))


@given(versions, some_topics)
def test_what_kio_writes_is_read(version: int, topics: dict[str, list[Any]]) -> None:
    found = read(version, written_by_kio(version, topics))
    assert [(p.topic, p.partition, p.error_code, p.high_watermark) for p in found] == [
        (name, part[0], part[1], part[2]) for name, parts in topics.items() for part in parts
    ]
    assert [p.data[p.at : p.end] for p in found] == [
        part[4] or b"" for parts in topics.values() for part in parts
    ]
    wanted = [part[3] if version >= 5 else -1 for parts in topics.values() for part in parts]
    assert [p.log_start_offset for p in found] == wanted


@given(versions, st.lists(st.binary(max_size=9000), max_size=3), st.integers(0, 1))
def test_what_the_broker_writes_is_read(version: int, records: list[bytes], isolation: int) -> None:
    made = [FetchedPartition(n, 0, 70 + n, n, data, (3, 4)) for n, data in enumerate(records)]
    pieces = fetched.response(version, 7, [("logs", made)], isolation=isolation)
    found = read(version, b"".join(map(bytes, pieces)))
    assert [(p.partition, p.high_watermark, p.data[p.at : p.end]) for p in found] == [
        (n, 70 + n, data) for n, data in enumerate(records)
    ]


@given(versions, some_topics, st.data())
def test_an_answer_that_is_cut_off_is_malformed(
    version: int, topics: dict[str, list[Any]], data: st.DataObject
) -> None:
    frame = written_by_kio(version, topics)
    end = data.draw(st.integers(LENGTH_AND_ID, len(frame) - 1))
    for given_ in (frame[:end], frame):  # the second as if the next frame came behind it
        with pytest.raises(Malformed):
            fetches.parts(version, given_, LENGTH_AND_ID, end)


@given(versions, st.binary(max_size=200))
def test_garbage_is_malformed_or_read_within_its_bounds(version: int, body: bytes) -> None:
    try:
        found = fetches.parts(version, body, 0, len(body))
    except Malformed:
        return
    assert all(0 <= each.at <= each.end <= len(body) for each in found)


def test_an_error_code_that_nobody_knows_is_malformed() -> None:
    frame = bytearray(written_by_kio(4, {"t": [(0, Code.none, 1, 1, b"", [])]}))
    at = LENGTH_AND_ID + 4 + 4 + 2 + 1 + 4 + 4
    frame[at : at + 2] = b"\x7f\xff"
    with pytest.raises(Malformed):
        read(4, bytes(frame))


# --- frames -------------------------------------------------------------------------------------------


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in bodies)


@given(st.lists(st.binary(min_size=4, max_size=40), max_size=8), st.lists(st.integers(1, 9), min_size=1))
def test_frames_come_out_whole_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream, frames = framed(bodies), Frames(least=4, most=40)
    found, at, turn = [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        found += [data[begin:end] for data, begin, end in frames.feed(stream[at : at + size])]
        at, turn = at + size, turn + 1
    assert found == bodies


@pytest.mark.parametrize("length", [-1, 3, 41])
def test_a_length_that_cannot_be_is_malformed_at_once(length: int) -> None:
    frames = Frames(least=4, most=40)
    assert list(frames.feed(framed([b"good"]))) != []
    with pytest.raises(Malformed, match=f"a frame of {length} bytes"):
        list(frames.feed(length.to_bytes(4, "big", signed=True)))
