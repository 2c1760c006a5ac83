"""UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, a 42-bit counter, 32 random bits.

Monotonicity is by method 1 of section 6.2, a fixed-length dedicated counter: it starts at a random
number with its top bit clear in each new millisecond and grows by one for each UUID within it. When
the counter is full, or the clock has gone back, the timestamp runs ahead of the clock instead
(section 6.2, counter rollover handling). The RFC leaves it open whether that holds across a restart;
here it does, as a timestamp is reserved on disk before it is used. The price is that a node that was
restarted begins up to ``reserve_ms`` ahead of its clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from impl.host import Host
from impl.ids.config import Config
from impl.ids.errors import Refused
from impl.ids.uuid4 import text
from impl.ids.watermark import Watermark

_VERSION_7 = 7 << 76
_VARIANT = 2 << 62
_COUNTER_BITS = 42
_COUNTER_END = 1 << _COUNTER_BITS
_LOW_30 = (1 << 30) - 1
_TIMESTAMP_END_MS = 1 << 48


def timestamp_ms(uuid: str) -> int:
    """Milliseconds since 1970 in a version 7 UUID."""
    return int(uuid[:8] + uuid[9:13], 16)


def layout(timestamp: int, counter: int, tail: int) -> str:
    """Text form of a UUID of 48-bit ``timestamp``, 42-bit ``counter`` and 32-bit ``tail``."""
    number = timestamp << 80 | _VERSION_7 | (counter >> 30) << 64 | _VARIANT
    return text(number | (counter & _LOW_30) << 32 | tail)


class Uuid7:
    """The core: synchronous, each UUID greater than the one before it, whatever the clock does."""

    __slots__ = ("_clock", "_counter", "_random", "timestamp")

    def __init__(
        self, wall_clock_ns: Callable[[], int], source: random.Random, *, floor_ms: int = 0
    ) -> None:
        self._clock = wall_clock_ns
        self._random = source
        self._counter = _COUNTER_END
        self.timestamp = floor_ms - 1

    def take(self, count: int) -> list[str]:
        """``count`` UUIDs; ``timestamp`` is then that of the last, in ms.

        Raises Refused ``clock-out-of-range`` when 48 bits do not hold the time.
        """
        now = self._clock() // 1_000_000
        if now < 0 or max(now, self.timestamp) >= _TIMESTAMP_END_MS - 1:
            raise Refused("clock-out-of-range", f"48 bits do not hold the clock's {now} ms since 1970")
        if now > self.timestamp:
            self._begin(now)
        return [self._next() for _ in range(count)]

    def _begin(self, timestamp: int) -> None:
        self.timestamp = timestamp
        self._counter = self._random.getrandbits(_COUNTER_BITS - 1)

    def _next(self) -> str:
        if self._counter >= _COUNTER_END:
            self._begin(self.timestamp + 1)
        counter = self._counter
        self._counter = counter + 1
        return layout(self.timestamp, counter, self._random.getrandbits(32))


class DurableUuid7:
    """A node's generator of version 7: no timestamp is used before it is reserved on disk."""

    __slots__ = ("_core", "_mark", "_reserve_ms")

    def __init__(self, core: Uuid7, mark: Watermark, *, reserve_ms: int) -> None:
        self._core = core
        self._mark = mark
        self._reserve_ms = reserve_ms

    async def take(self, count: int) -> list[str]:
        """``count`` new UUIDs, greater than all before. Raises Refused, and OSError from the disk."""
        uuids = self._core.take(count)
        last = self._core.timestamp
        if last >= self._mark.durable:
            await self._mark.raise_to(last + self._reserve_ms)
        return uuids


async def open_uuid7(host: Host, config: Config) -> DurableUuid7:
    """The generator of a node of kind ``uuid7``."""
    mark = await Watermark.open(host.disk, "uuid7.mark")
    core = Uuid7(host.wall_clock_ns, host.random, floor_ms=mark.durable)
    return DurableUuid7(core, mark, reserve_ms=config.reserve_ms)
