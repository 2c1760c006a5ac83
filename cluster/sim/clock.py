"""A node's wall clock: true time with an offset and a rate, both changeable at any moment."""

from __future__ import annotations

from cluster.sim.world import NS_PER_S, START_NS, WALL_START_NS, World


def true_wall_ns(world: World) -> int:
    """Nanoseconds since 1970 by the simulation's own, unfaulted clock."""
    return WALL_START_NS + world.now_ns - START_NS


class WallClock:
    """What ``time.time`` says on one node. The monotonic clock is never faulted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set_at_ns = world.now_ns
        self._base_ns = true_wall_ns(world)
        self._rate = 1.0

    def now_ns(self) -> int:
        """Nanoseconds since 1970 as this node believes."""
        elapsed_ns = self._world.now_ns - self._set_at_ns
        return self._base_ns + (elapsed_ns if self._rate == 1.0 else int(elapsed_ns * self._rate))

    def set(self, offset_s: float, rate: float) -> None:
        """Jump to true time + ``offset_s`` and run ``rate`` times as fast from now on."""
        self._set_at_ns = self._world.now_ns
        self._base_ns = true_wall_ns(self._world) + round(offset_s * NS_PER_S)
        self._rate = rate

    def offset_s(self) -> float:
        """This clock minus true time, in seconds."""
        return (self.now_ns() - true_wall_ns(self._world)) / NS_PER_S
