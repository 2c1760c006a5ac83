"""How long to wait before the next server is tried: not at all at first, then longer and longer.

"Full jitter": each wait is drawn evenly between nothing and a limit that doubles, so that clients that
lost the same server do not come back in step (M. Brooker, Exponential Backoff And Jitter, AWS, 2015).
"""

from __future__ import annotations

import random


class Backoff:
    """``free`` tries cost nothing; ``base_s`` limits the next wait, doubling up to ``cap_s``."""

    def __init__(self, source: random.Random, *, free: int, base_s: float, cap_s: float) -> None:
        self._random = source
        self._free = free
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures = 0

    def reset(self) -> None:
        """A server was reached."""
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait before this try."""
        paid = self._failures - self._free
        self._failures += 1
        if paid < 0:
            return 0.0
        return self._random.uniform(0.0, min(self._cap_s, self._base_s * 2 ** min(paid, 30)))
