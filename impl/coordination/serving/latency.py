"""How long requests took, from their arrival to their answer, as the four-letter words tell it."""

from __future__ import annotations


class Latency:
    """The least, the mean and the greatest of what was added, in milliseconds; 0 before anything was."""

    __slots__ = ("_count", "_greatest_s", "_least_s", "_sum_s")

    def __init__(self) -> None:
        self._count = 0
        self._sum_s = self._least_s = self._greatest_s = 0.0

    def add(self, seconds: float) -> None:
        """A request was answered after so long."""
        self._least_s = min(self._least_s, seconds) if self._count else seconds
        self._greatest_s = max(self._greatest_s, seconds)
        self._sum_s += seconds
        self._count += 1

    @property
    def least_ms(self) -> int:
        return int(self._least_s * 1000)

    @property
    def mean_ms(self) -> float:
        return round(self._sum_s * 1000 / self._count, 4) if self._count else 0.0

    @property
    def greatest_ms(self) -> int:
        return int(self._greatest_s * 1000)
