"""Layouts: each record reads back as it was written; what is broken is refused."""

from __future__ import annotations

import struct
from typing import NamedTuple, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination import txns
from impl.coordination.protocol import multi, records
from impl.coordination.protocol.jute import Bool, Buffer, Codec, Int, Long, Malformed, Text, Vector
from impl.coordination.protocol.opcodes import IN_MULTI, SHAPES, Op
from impl.coordination.zab import messages

_BOUNDS = {"b": 7, "i": 31, "q": 63}


def of_type(annotation) -> st.SearchStrategy:
    """Values of one annotated type of ``jute``."""
    if not hasattr(annotation, "__metadata__"):
        return of_record(annotation)
    match annotation.__metadata__[0]:
        case "?":
            return st.booleans()
        case "text":
            return st.text(max_size=20)
        case "buffer":
            return st.none() | st.binary(max_size=40)
        case "vector":
            element = get_args(get_args(annotation)[0])[0]
            return st.lists(of_type(element), max_size=3).map(tuple)
        case code:
            limit = 2 ** _BOUNDS[code]
            return st.integers(-limit, limit - 1)


def of_record(record) -> st.SearchStrategy:
    hints = get_type_hints(record, include_extras=True)
    return st.tuples(*(of_type(hints[name]) for name in record._fields)).map(record._make)


RECORDS = [
    *(each for each in vars(records).values() if isinstance(each, type) and hasattr(each, "_fields")),
    *messages.KINDS,
    txns.Header,
    txns.Create,
    txns.Multi,
    txns.CloseSession,
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_reads_back_as_it_was_written(record) -> None:
    codec = Codec(record)

    @settings(max_examples=25, derandomize=True, deadline=None)
    @given(of_record(record))
    def check(value) -> None:
        data = codec.encode(value)
        assert codec.read(b"xx" + data + b"yy", 2) == (value, 2 + len(data))

    check()


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(SHAPES)))
def test_garbage_is_malformed_or_a_record_and_nothing_else(data: bytes, op: int) -> None:
    try:
        SHAPES[op].request.decode(data)
    except Malformed:
        pass


@settings(max_examples=50, derandomize=True, deadline=None)
@given(of_record(records.CreateRequest), st.data())
def test_a_record_that_is_cut_off_is_malformed(value, data) -> None:
    whole = records.CREATE.encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        records.CREATE.decode(whole[:cut])


def test_a_vector_that_cannot_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="2000000000 elements"):
        records.NAMES.decode(struct.pack(">i", 2_000_000_000))


def test_null_texts_and_vectors_read_as_empty_and_null_buffers_as_none() -> None:
    class Nulls(NamedTuple):
        text: Text
        names: Vector[Text]
        data: Buffer
        number: Int
        flag: Bool
        long: Long

    data = struct.pack(">iiii?q", -1, -1, -1, 7, True, 9)
    assert Codec(Nulls).decode(data) == Nulls("", (), None, 7, True, 9)


def test_a_multi_reads_back_as_it_was_written() -> None:
    parts = [
        multi.Part(Op.CREATE, records.CreateRequest("/a", b"x", records.OPEN_ACL, 2)),
        multi.Part(Op.CHECK, records.PathVersion("/a", 3)),
        multi.Part(Op.SET_DATA, records.SetDataRequest("/a", None, -1)),
    ]
    assert multi.read_requests(multi.write_requests(parts), IN_MULTI) == parts


def test_an_operation_that_may_not_stand_in_a_multi_is_malformed() -> None:
    data = multi.write_requests([multi.Part(Op.GET_DATA, records.PathWatch("/a", False))])
    with pytest.raises(Malformed, match="operation 4"):
        multi.read_requests(data, IN_MULTI)
