"""Several operations in one frame: each has a header in front of it, and one more header ends them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import (
    ERROR_RESULT,
    MULTI_END,
    MULTI_HEADER,
    ErrorResult,
    MultiHeader,
)

MAX_OPERATIONS = 100_000


class Part(NamedTuple):
    """One operation or result; a result with an ``error`` has no record."""

    op: int
    record: Any
    error: int = Code.OK


def read_requests(buffer: bytes, allowed: Collection[int]) -> list[Part]:
    """The operations of a multi. Raises Malformed, also for operations that are not ``allowed``."""
    parts: list[Part] = []
    header, at = MULTI_HEADER.read(buffer)
    while not header.done:
        if header.type not in allowed or len(parts) >= MAX_OPERATIONS:
            raise Malformed(f"operation {header.type} may not stand in this multi")
        record, at = SHAPES[header.type].request.read(buffer, at)
        parts.append(Part(header.type, record))
        header, at = MULTI_HEADER.read(buffer, at)
    return parts


def write_requests(parts: Sequence[Part]) -> bytes:
    """The bytes of a multi, as a client sends it."""
    pieces: list[bytes] = []
    for part in parts:
        MULTI_HEADER.write(MultiHeader(part.op, False, -1), pieces)
        SHAPES[part.op].request.write(part.record, pieces)
    MULTI_HEADER.write(MULTI_END, pieces)
    return b"".join(pieces)


def write_results(results: Sequence[Part]) -> bytes:
    """The bytes of the results; failed ones have the type ``ERROR``."""
    pieces: list[bytes] = []
    for result in results:
        if result.op == Op.ERROR:
            MULTI_HEADER.write(MultiHeader(Op.ERROR, False, result.error), pieces)
            ERROR_RESULT.write(ErrorResult(result.error), pieces)
        else:
            MULTI_HEADER.write(MultiHeader(result.op, False, 0), pieces)
            SHAPES[result.op].response.write(result.record, pieces)
    MULTI_HEADER.write(MULTI_END, pieces)
    return b"".join(pieces)


def read_results(buffer: bytes) -> list[Part]:
    """The results of a multi, as a client reads them. Raises Malformed."""
    results: list[Part] = []
    header, at = MULTI_HEADER.read(buffer)
    while not header.done:
        if header.type == Op.ERROR:
            failed, at = ERROR_RESULT.read(buffer, at)
            results.append(Part(Op.ERROR, None, failed.error))
        elif header.type in SHAPES:
            record, at = SHAPES[header.type].response.read(buffer, at)
            results.append(Part(header.type, record))
        else:
            raise Malformed(f"a result of the unknown type {header.type}")
        header, at = MULTI_HEADER.read(buffer, at)
    return results
