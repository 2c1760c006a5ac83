from __future__ import annotations

import base64
import zlib

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.packing import DIFFERENCES, OCTETS, Column, packed

exact = st.integers(-(2**51), 2**51)


def unpacked(text: str) -> tuple[dict[str, object], dict[str, list[int]], bytes]:
    """What the page's columns.js does, in Python."""
    raw = zlib.decompress(base64.b64decode(text), -15)
    head, _, rest = raw.partition(b"\n")
    header = orjson.loads(head)
    columns = {}
    for name, count, width, kind in header["columns"]:
        planes = np.frombuffer(rest[: count * width], np.uint8).reshape(width, count)
        number = sum((planes[place].astype(np.int64) << 8 * place) for place in range(width))
        values = number if kind == OCTETS else (number >> 1) ^ -(number & 1)
        columns[name] = (np.cumsum(values) if kind == DIFFERENCES else values).tolist()
        rest = rest[count * width :]
    return header, columns, rest


@settings(derandomize=True, max_examples=200)
@given(st.lists(exact, max_size=40), st.lists(st.integers(0, 3), max_size=40), st.binary(max_size=50))
def test_columns_come_back(first: list[int], second: list[int], tail: bytes) -> None:
    columns = [Column("a", np.array(first, np.int64)), Column("b", np.array(second, np.int64))]
    header, found, rest = unpacked(packed({"x": 1}, columns, tail))
    assert header["x"] == 1
    assert found == {"a": first, "b": second}
    assert rest == tail


def test_rising_numbers_are_kept_as_differences() -> None:
    rising = np.arange(10_000, dtype=np.int64) * 1000
    assert len(packed({}, [Column("time", rising)])) < 500


def test_codes_below_256_stay_as_they_are() -> None:
    header, columns, rest = unpacked(packed({}, [Column("node", np.array([0, 255, 1]))], b"rest"))
    assert header["columns"] == [["node", 3, 1, OCTETS]]
    assert (columns["node"], rest) == ([0, 255, 1], b"rest")


def test_numbers_that_a_page_cannot_hold_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'time' holds numbers of 57 bits"):
        packed({}, [Column("time", np.array([2**55]))])


def test_the_same_columns_make_the_same_bytes() -> None:
    column = Column("a", np.arange(100))
    assert packed({}, [column]) == packed({}, [column])
