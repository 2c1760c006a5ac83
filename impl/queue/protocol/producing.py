"""The body of a Produce request, written by hand: the one that is large and the one that is frequent."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from impl.queue.protocol.primitives import count, text

_FIRST_FLEXIBLE = 9
_INT = struct.Struct(">i")


class BatchBytes(NamedTuple):
    """A batch for a partition: its header and what follows."""

    partition: int
    head: bytes
    body: bytes


def produce(
    version: int, acks: int, timeout_ms: int, topics: Mapping[str, Sequence[BatchBytes]]
) -> list[bytes]:
    """The pieces of the body, for versions 3 to 11, outside of transactions."""
    flexible = version >= _FIRST_FLEXIBLE
    start = b"\0" if flexible else b"\xff\xff"
    small = bytearray(start + struct.pack(">hi", acks, timeout_ms) + count(len(topics), flexible))
    tags = b"\0" if flexible else b""
    pieces: list[bytes] = []
    for name, batches in topics.items():
        small += text(name, flexible) + count(len(batches), flexible)
        for each in batches:
            size = len(each.head) + len(each.body)
            small += _INT.pack(each.partition) + count(size, flexible) + each.head
            pieces += [bytes(small), each.body]
            small = bytearray(tags)
        small += tags
    pieces.append(bytes(small + tags))
    return pieces
