"""One segment: a file of batches, and sparse indexes by offset and by time.

An index entry stands at a batch every ``interval`` bytes: its offset, its position in the file and the
latest time of all before it. What lies between two entries is found by walking over headers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impl.host import File
from impl.queue.protocol.batches import HEADER_BYTES, Header, header, intact, walk, whole

_CHUNK_BYTES = 1 << 20
_STEP_BYTES = 1 << 14
NO_TIME_MS = -1


class Segment:
    """Batches from ``base_offset`` to before ``next_offset``; ``size`` bytes in ``file``.

    ``facts`` are what was known at its end, once it is complete; ``summarised`` says that they are on
    disk, ``cleaned`` that it has been compacted.
    """

    def __init__(self, file: File, base_offset: int, *, interval: int, created_ms: int) -> None:
        self.file = file
        self.base_offset = base_offset
        self.next_offset = base_offset
        self.size = 0
        self.max_timestamp_ms = NO_TIME_MS
        self.created_ms = created_ms
        self.synced_size = 0
        self.summarised = False
        self.cleaned = False
        self.facts: Mapping[str, Any] | None = None
        self._interval = interval
        self._offsets = array("q")
        self._positions = array("q")
        self._times = array("q")

    # --- writing ------------------------------------------------------------------------------

    def append(self, data: bytes, run: Sequence[Header]) -> None:
        """Write batches, whose headers are ``run``. Raises OSError, and then has nothing of them."""
        try:
            self.file.append(data)
        except OSError:
            self.file.truncate(self.size)
            raise
        for batch in run:
            self.note(batch)

    def note(self, batch: Header) -> None:
        """A batch stands at the end of the file: index it."""
        if not self._positions or self.size - self._positions[-1] >= self._interval:
            self._offsets.append(batch.base_offset)
            self._positions.append(self.size)
            self._times.append(self.max_timestamp_ms)
        self.size += batch.size
        self.next_offset = batch.next_offset
        self.max_timestamp_ms = max(self.max_timestamp_ms, batch.max_timestamp_ms)

    def clear(self) -> None:
        """Forget the indexes and what the file holds; ``note`` it again."""
        self.next_offset, self.size, self.max_timestamp_ms = self.base_offset, 0, NO_TIME_MS
        self._offsets, self._positions, self._times = array("q"), array("q"), array("q")
        self.summarised, self.facts = False, None

    # --- reading ------------------------------------------------------------------------------

    def position(self, offset: int) -> int:
        """Where the first batch that ends behind ``offset`` begins; ``size`` if none does."""
        at = bisect_right(self._offsets, offset) - 1
        if at >= 0 and self._offsets[at] == offset:
            return self._positions[at]
        for position, batch in self.headers(self._positions[at] if at >= 0 else 0):
            if batch.last_offset >= offset:
                return position
        return self.size

    def read(
        self, offset: int, max_bytes: int, before_offset: int, *, first: bool = True
    ) -> bytes | memoryview:
        """Whole batches from the one with ``offset``, none that begins at ``before_offset`` or later.

        At most ``max_bytes``, but the ``first`` of an answer is given whole however large.
        """
        at = self.position(offset)
        data = self.file.read(at, min(max(max_bytes, HEADER_BYTES), self.size - at))
        if len(data) < HEADER_BYTES:
            return b""
        batch = header(data)
        if batch.base_offset >= before_offset:
            return b""
        if batch.size > len(data):
            return self.file.read(at, batch.size) if first else b""
        end = whole(data, self._known_start(at, len(data), before_offset), before_offset)
        return data if end == len(data) else memoryview(data)[:end]

    def _known_start(self, at: int, length: int, before_offset: int) -> int:
        """A batch known to begin within ``length`` bytes from ``at`` and before the offset; relative."""
        last = bisect_right(self._positions, at + length) - 1
        last = min(last, bisect_left(self._offsets, before_offset) - 1)
        return max(0, self._positions[last] - at) if last >= 0 else 0

    def headers(self, position: int = 0) -> Iterator[tuple[int, Header]]:
        """Position and header of each batch from ``position`` on."""
        while position < self.size:
            data = self.file.read(position, min(_STEP_BYTES, self.size - position))
            if len(data) < HEADER_BYTES:
                return
            steps = [(position + at, batch) for at, batch in walk(data)] or [(position, header(data))]
            yield from steps
            position = steps[-1][0] + steps[-1][1].size

    def batches(self) -> Iterator[bytes]:
        """Each batch whole."""
        for position, batch in self.headers():
            yield self.file.read(position, batch.size)

    def first_after(self, time_ms: int) -> tuple[int, Header] | None:
        """The first batch with a record of ``time_ms`` or later: position and header."""
        at = bisect_left(self._times, time_ms) - 1
        for position, batch in self.headers(self._positions[at] if at >= 0 else 0):
            if batch.max_timestamp_ms >= time_ms:
                return position, batch
        return None

    # --- recovery -----------------------------------------------------------------------------

    def scan(self) -> Iterator[Header]:
        """Check and index every batch of the file; ends at its end or before the first bad one."""
        self.clear()
        end, expected = self.file.size(), self.base_offset
        while self.size < end:
            data = self.file.read(self.size, _CHUNK_BYTES)
            if len(data) >= HEADER_BYTES and (needed := header(data).size) > len(data):
                data = self.file.read(self.size, needed) if needed <= end - self.size else b""
            found = 0
            for at, batch in walk(data):
                if not intact(data, batch, at) or batch.base_offset < expected:
                    return
                self.note(batch)
                expected, found = batch.next_offset, found + 1
                yield batch
            if not found:
                return

    def index(self) -> array[int]:
        """The indexes as one array: offsets, positions, times."""
        return self._offsets + self._positions + self._times

    def load_index(self, index: array[int]) -> None:
        """Take over what ``index`` gave."""
        third = len(index) // 3
        self._offsets, self._positions = index[:third], index[third : 2 * third]
        self._times = index[2 * third :]
