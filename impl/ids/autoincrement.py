"""Self-increasing IDs over several nodes: each starts at its own offset and adds the number of nodes.

This is MySQL's ``auto_increment_offset`` and ``auto_increment_increment``. The n-th ID of a node is
``offset + n * step``. How many have been reserved is on disk before the first of them is handed out;
reserving some in advance spares most requests the fsync, and a crash costs at most as many IDs.
"""

from __future__ import annotations

from impl.host import Host
from impl.ids.config import Config
from impl.ids.watermark import Watermark


class AutoIncrement:
    """A node's counter. ``mark`` counts the IDs that were reserved since the node was first started."""

    __slots__ = ("_mark", "_next", "_offset", "_reserve", "_step")

    def __init__(self, mark: Watermark, *, offset: int, step: int, reserve: int) -> None:
        self._mark = mark
        self._next = mark.durable
        self._offset = offset
        self._step = step
        self._reserve = reserve

    async def take(self, count: int) -> list[int]:
        """``count`` new IDs, in ascending order, greater than all before. Raises OSError."""
        first = self._next
        self._next = end = first + count
        if end > self._mark.durable:
            await self._mark.raise_to(end + self._reserve)
        start = self._offset + first * self._step
        return list(range(start, start + count * self._step, self._step))


async def open_autoincrement(host: Host, config: Config) -> AutoIncrement:
    """The generator of a node of kind ``autoincrement``."""
    mark = await Watermark.open(host.disk, "autoincrement.mark")
    return AutoIncrement(mark, offset=config.offset, step=config.step, reserve=config.reserve)
