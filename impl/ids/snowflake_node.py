"""A Snowflake node: waits where waiting helps, refuses where it does not, and survives a restart.

- The clock stepped back by no more than ``max_clock_wait_ms``: wait until it has caught up.
- It stepped back further: refuse with ``clock-moved-back`` until it has caught up.
- 4096 IDs were used within a millisecond: wait for the next.
- Restart: a timestamp is used only below a mark that is on disk already, written ``reserve_ms`` ahead.
  After a restart the node waits or refuses, as above, until its clock has passed that mark.
- The clock stands before the epoch, or beyond 41 bits: refuse.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from impl.host import Host
from impl.ids.config import Config
from impl.ids.errors import Refused
from impl.ids.snowflake import (
    TIMESTAMP_END,
    BeforeEpoch,
    BeyondCeiling,
    ClockMovedBack,
    SequenceExhausted,
    Snowflake,
)
from impl.ids.watermark import Watermark

_EXHAUSTED_WAIT_S = 1.0
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000


class Mark(Protocol):
    """A number that outlives the node and only grows: what is below ``durable`` may be handed out."""

    @property
    def durable(self) -> int:
        """What is known to be kept."""

    async def raise_to(self, value: int) -> None:
        """Return when ``durable`` is at least ``value``. Raises OSError or Refused."""


class SnowflakeNode:
    """The generator of one node: a core that may not rise above what is reserved on disk."""

    __slots__ = ("_core", "_mark", "_max_wait_s", "_reserve_ms")

    def __init__(self, core: Snowflake, mark: Mark, *, reserve_ms: int, max_clock_wait_ms: int) -> None:
        self._core = core
        self._mark = mark
        self._reserve_ms = reserve_ms
        self._max_wait_s = max_clock_wait_ms / 1000

    async def take(self, count: int) -> list[int]:
        """``count`` new IDs, greater than all before; they may span several milliseconds.

        Raises Refused, and OSError from the disk. IDs taken before that are never used.
        """
        ids: list[int] = []
        patience = Patience()
        while len(ids) < count:
            try:
                ids += self._core.take(count - len(ids))
            except ClockMovedBack as moved:
                await self._catch_up(moved, patience)
            except SequenceExhausted as exhausted:
                await patience.wait(
                    exhausted.wait_ns, _EXHAUSTED_WAIT_S, "sequence-exhausted", exhausted
                )
            except BeyondCeiling as beyond:
                await self._reserve(beyond.timestamp_ms)
            except BeforeEpoch as early:
                raise Refused("clock-before-epoch", str(early)) from None
        return ids

    async def _catch_up(self, moved: ClockMovedBack, patience: Patience) -> None:
        if moved.behind_ns > self._max_wait_s * _NS_PER_S:
            raise Refused(
                "clock-moved-back",
                f"{moved}; no ID until it has caught up",
                retry_after_ms=-(-moved.behind_ns // _NS_PER_MS),
            ) from None
        await patience.wait(moved.behind_ns, 2 * self._max_wait_s, "clock-moved-back", moved)

    async def _reserve(self, timestamp_ms: int) -> None:
        if timestamp_ms >= TIMESTAMP_END:
            raise Refused(
                "timestamp-exhausted", f"41 bits do not hold {timestamp_ms} ms since the epoch"
            )
        await self._mark.raise_to(timestamp_ms + self._reserve_ms)
        self._core.ceiling_ms = min(self._mark.durable, TIMESTAMP_END)


class Patience:
    """How long one request has waited for its clock, so that a clock that stands still ends it."""

    __slots__ = ("_waited_s",)

    def __init__(self) -> None:
        self._waited_s = 0.0

    async def wait(self, for_ns: int, limit_s: float, code: str, cause: Exception) -> None:
        """Sleep ``for_ns``. Raises Refused ``code`` once all waiting together exceeds ``limit_s``."""
        if self._waited_s > limit_s:
            raise Refused(code, f"{cause}; waited {self._waited_s:.3f} s in vain")
        pause_s = for_ns / _NS_PER_S
        self._waited_s += pause_s
        await asyncio.sleep(pause_s)


async def open_snowflake(host: Host, config: Config) -> SnowflakeNode:
    """The generator of a node of kind ``snowflake``."""
    mark = await Watermark.open(host.disk, "snowflake.mark")
    core = Snowflake(
        config.node_id,
        host.wall_clock_ns,
        epoch_ms=config.epoch_ms,
        floor_ms=mark.durable,
        ceiling_ms=min(mark.durable, TIMESTAMP_END),
    )
    return SnowflakeNode(
        core, mark, reserve_ms=config.reserve_ms, max_clock_wait_ms=config.max_clock_wait_ms
    )
