"""The kinds of fault. To add one: write one file beside these, and one line below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nemesis.errors import unknown
from nemesis.kinds.clock import CLOCK_BUMP, CLOCK_DRIFT, CLOCK_RESET, CLOCK_STROBE
from nemesis.kinds.kind import Evidence, Kind, Moment, Parameter, Room
from nemesis.kinds.links import LOSE, SLOW
from nemesis.kinds.partition import PARTITION
from nemesis.kinds.process import FREEZE, KILL, KILL_CONTAINER, PAUSE, POWER, TERMINATE
from nemesis.kinds.rolling import ROLLING_RESTART

__all__ = ["FAMILIES", "KINDS", "Evidence", "Kind", "Moment", "Parameter", "Room", "named"]

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        PARTITION,
        KILL,
        TERMINATE,
        PAUSE,
        POWER,
        CLOCK_BUMP,
        CLOCK_STROBE,
        CLOCK_DRIFT,
        CLOCK_RESET,
        SLOW,
        LOSE,
        ROLLING_RESTART,
        KILL_CONTAINER,
        FREEZE,
    )
}
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "clock": ("clock-bump", "clock-strobe", "clock-drift"),
    "network": ("partition", "slow", "lose"),
    "process": ("kill", "terminate", "pause", "power", "rolling-restart"),
    "container": ("kill-container", "freeze"),
    "all": tuple(name for name in KINDS if name not in ("clock-reset", "kill-container", "freeze")),
    "none": (),
}
"""Short names for several kinds.

``clock-reset`` only undoes others, so it is in none of them; what only containers can have is not in
``all``, so that a seed draws the same schedule wherever it is run.
"""


def named(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds that ``names``, of kinds or families, mean; each once, in the order of ``KINDS``.

    Raises ScheduleError for a name that is neither.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in KINDS and name not in FAMILIES:
            raise unknown("fault", name, [*KINDS, *FAMILIES])
        wanted.update(FAMILIES.get(name, (name,)))
    return tuple(name for name in KINDS if name in wanted)
