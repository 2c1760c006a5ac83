"""UUID generators that are random where they must be ordered, or predictable where random."""

from __future__ import annotations

import random
from zlib import crc32

from impl.host import Host
from impl.ids.config import Config
from impl.ids.uuid4 import Uuid4
from impl.ids.uuid7 import layout
from impl.mutants.mutant import Mutant
from impl.mutants.swap import serve_with

_PID_IN_A_CONTAINER = 1


class RandomWithinMs:
    """Version 7 with 74 fresh random bits each time: valid by itself, unordered within a millisecond."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._last_ms = 0

    async def take(self, count: int) -> list[str]:
        self._last_ms = max(self._last_ms, self._host.wall_clock_ns() // 1_000_000)
        bits = self._host.random.getrandbits
        return [layout(self._last_ms, bits(42), bits(32)) for _ in range(count)]


class FollowsClock:
    """Version 7 with a counter within the millisecond, which follows the clock wherever it goes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._last_ms = -1
        self._counter = 0

    async def take(self, count: int) -> list[str]:
        now = self._host.wall_clock_ns() // 1_000_000
        bits = self._host.random.getrandbits
        first = self._counter + 1 if now == self._last_ms else bits(41)
        self._last_ms, self._counter = now, first + count - 1
        return [layout(now, first + number, bits(32)) for number in range(count)]


async def _open_random_within_ms(host: Host, config: Config) -> RandomWithinMs:
    return RandomWithinMs(host)


async def _open_follows_clock(host: Host, config: Config) -> FollowsClock:
    return FollowsClock(host)


async def _open_seeded_by_pid(host: Host, config: Config) -> Uuid4:
    return Uuid4(random.Random(_PID_IN_A_CONTAINER))


async def _open_seeded_by_name(host: Host, config: Config) -> Uuid4:
    return Uuid4(random.Random(crc32(host.name.encode())))


MUTANTS = (
    Mutant(
        name="uuid7-random-within-ms",
        kind="uuid7",
        program=serve_with("uuid7", _open_random_within_ms),
        failure="ULID and UUID v7 libraries without the monotonic option: rows of one millisecond are "
        "inserted in random order",
        workload="uuid",
        caught_by="monotonic",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="uuid7-follows-clock-back",
        kind="uuid7",
        program=serve_with("uuid7", _open_follows_clock),
        failure="generators that keep order within a millisecond only: an NTP step back puts new rows "
        "before old ones",
        workload="uuid",
        caught_by="monotonic",
        seeds=20,
        faults=("clock-bump", "clock-strobe", "clock-drift", "clock-reset"),
    ),
    Mutant(
        name="uuid4-seeded-by-pid",
        kind="uuid4",
        program=serve_with("uuid4", _open_seeded_by_pid),
        failure="Debian's OpenSSL (CVE-2008-0166): the process id was the only entropy, and in "
        "containers it is always 1",
        workload="uuid",
        caught_by="unique-ids",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="uuid4-same-stream-after-restart",
        kind="uuid4",
        program=serve_with("uuid4", _open_seeded_by_name),
        failure="a virtual machine that is resumed from one snapshot again and again, or a generator "
        "seeded by host name: each start goes through the same numbers",
        workload="uuid",
        caught_by="unique-ids",
        seeds=5,
        faults=("kill", "power", "rolling-restart"),
        on_real_clusters=True,
    ),
)
