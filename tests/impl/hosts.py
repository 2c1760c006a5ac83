"""A host with a real disk, a clock that stands where it is put, and seeded randomness."""

from __future__ import annotations

import random
from pathlib import Path

from impl.machine import DirectoryDisk

NOON_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z"""


class StillHost:
    """``now_ms`` is the wall clock; it moves only when it is set, or by ``per_reading_ns``."""

    def __init__(self, directory: Path, *, name: str = "127.0.0.1", seed: int = 1) -> None:
        self.name = name
        self.disk = DirectoryDisk(directory)
        self.random = random.Random(seed)
        self.now_ms = float(NOON_MS)
        self.per_reading_ns = 0

    def wall_clock_ns(self) -> int:
        now_ns = round(self.now_ms * 1_000_000)
        self.now_ms += self.per_reading_ns / 1_000_000
        return now_ns
