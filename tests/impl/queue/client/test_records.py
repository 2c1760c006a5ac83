"""Records there and back: our encoder and decoder, and aiokafka's and the broker's as witnesses."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from impl.queue.protocol import batches, compression, decode, encode, records
from impl.queue.protocol.batches import Damaged
from impl.queue.protocol.encode import RECORD_OVERHEAD, Encoder, headers_bytes

large = st.integers(60, 9000).map(lambda size: b"x" * size)
some_bytes = st.none() | st.binary(max_size=12) | large
some_headers = st.lists(st.tuples(st.text(max_size=5).map(str.encode), some_bytes), max_size=3)
one_record = st.tuples(some_bytes, some_bytes, st.integers(0, 1 << 42), some_headers)
many_records = st.lists(one_record, min_size=1, max_size=12)
codecs = st.sampled_from(sorted(compression.NUMBERS))


def batch_of(made: list, codec: str = "none", **numbers: int) -> bytes:
    encoder = Encoder(made[0][2])
    for key, value, timestamp_ms, headers in made:
        encoder.append(key, value, timestamp_ms, headers)
    body = encoder.packed(codec)
    return encode.head(encoder, body, codec, **numbers) + body


def decoded(data: bytes, **options: int) -> list:
    (batch,) = decode.whole(data, 0, len(data))
    return decode.records("t", 3, batch, **options)


@given(many_records, codecs)
def test_what_is_encoded_is_decoded_again(made: list, codec: str) -> None:
    data = batches.placed(batch_of(made, codec), 1000, 7)
    found = decoded(data)
    assert [(r.key, r.value, r.timestamp_ms, list(r.headers)) for r in found] == [
        (key, value, time, headers) for key, value, time, headers in made
    ]
    assert [r.offset for r in found] == list(range(1000, 1000 + len(made)))
    assert {(r.topic, r.partition, r.leader_epoch) for r in found} == {("t", 3, 7)}


@given(many_records, codecs)
def test_a_broker_and_aiokafka_read_the_same(made: list, codec: str) -> None:
    data = batch_of(made, codec, producer_id=5, producer_epoch=2, base_sequence=9)
    header = batches.check(data)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (5, 2, 9)
    assert header.max_timestamp_ms == max(each[2] for each in made)
    wanted = [(key, value) for key, value, _, _ in made]
    assert [(r.key, r.value) for r in records.read(data)] == wanted
    theirs = DefaultRecordBatch(data)
    assert theirs.validate_crc()
    assert [(r.key, r.value) for r in theirs] == wanted


@given(many_records, st.sampled_from([0, 1, 2, 3, 4]))
def test_what_aiokafka_encodes_is_decoded(made: list, codec: int) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number, (key, value, time, headers) in enumerate(made):
        builder.append(number, time, key, value, [(name.decode(), each) for name, each in headers])
    found = decoded(bytes(builder.build()))
    assert [(r.key, r.value, r.timestamp_ms, list(r.headers)) for r in found] == [
        (key, value, time, headers) for key, value, time, headers in made
    ]


@given(many_records)
def test_no_record_takes_more_than_it_is_counted_with(made: list) -> None:
    counted = sum(
        len(key or b"") + len(value or b"") + headers_bytes(headers) + RECORD_OVERHEAD
        for key, value, _, headers in made
    )
    assert len(batch_of(made)) - batches.HEADER_BYTES <= counted


def test_records_before_the_position_are_left_out() -> None:
    data = batches.placed(batch_of([(None, b"%d" % n, 5, ()) for n in range(6)]), 10, 0)
    assert [r.offset for r in decoded(data, from_offset=13)] == [13, 14, 15]


def test_with_the_brokers_time_all_records_have_it() -> None:
    data = batches.stamped(batch_of([(None, b"x", n, ()) for n in range(3)]), 77)
    assert [r.timestamp_ms for r in decoded(data)] == [77, 77, 77]


def test_a_batch_that_is_cut_off_is_left_for_the_next_fetch() -> None:
    data = batch_of([(None, b"x", 1, ())])
    assert [each.at for each in decode.whole(data + data[:-1], 0, 2 * len(data) - 1)] == [0]


@given(many_records, st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(made: list, place: int, change: int) -> None:
    data = bytearray(batch_of(made))
    data[17 + place % (len(data) - 17)] ^= change
    with pytest.raises(Damaged):
        decoded(bytes(data))


@given(st.binary(max_size=200), codecs, st.integers(1, 5))
def test_garbage_under_a_right_crc_is_refused_and_nothing_else(
    body: bytes, codec: str, count: int
) -> None:
    encoder = Encoder(0)
    for _ in range(count):
        encoder.append(None, None, 0)
    data = encode.head(encoder, body, codec) + body
    try:
        found = decoded(data)
    except Damaged:
        return
    assert len(found) == count
