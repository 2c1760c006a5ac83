"""A stream of bytes cut into frames, each behind its length in four bytes, with little copying."""

from __future__ import annotations

from collections.abc import Iterator

from impl.queue.protocol.errors import Malformed

_LENGTH_BYTES = 4


class Frames:
    """Frames of ``least`` to ``most`` bytes; whole ones are told by where they lie, and not copied."""

    def __init__(self, *, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = _LENGTH_BYTES

    def feed(self, data: bytes) -> Iterator[tuple[bytes, int, int]]:
        """``data`` came: each frame that is whole now, as bytes, where it begins, and where it ends.

        Raises Malformed for a length that can't be.
        """
        self._pieces.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return
        whole = data if len(self._pieces) == 1 else b"".join(self._pieces)
        at, self._wanted = 0, _LENGTH_BYTES
        while at + _LENGTH_BYTES <= len(whole):
            begin = at + _LENGTH_BYTES
            length = int.from_bytes(whole[at:begin], "big", signed=True)
            if not self._least <= length <= self._most:
                raise Malformed(f"a frame of {length} bytes")
            if begin + length > len(whole):
                self._wanted = _LENGTH_BYTES + length
                break
            yield whole, begin, begin + length
            at = begin + length
        rest = whole[at:]
        self._pieces, self._size = [rest] if rest else [], len(rest)
