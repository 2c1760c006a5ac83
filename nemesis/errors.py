"""What is said when a schedule is wrong: one sentence with the culprit, its place and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ScheduleError(ValueError):
    """A schedule, fault, kind, target or node that cannot be used.

    ``reason`` is the bare sentence; ``source`` is the file and ``line`` the line in it, where known.
    """

    def __init__(self, reason: str, *, source: str | None = None, line: int | None = None) -> None:
        place = ":".join(str(part) for part in (source, line) if part is not None)
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason
        self.source = source
        self.line = line

    def at(self, source: str, line: int) -> ScheduleError:
        """The same complaint, with the place where it stands."""
        return ScheduleError(self.reason, source=source, line=line)


def unknown(what: str, name: object, known: Iterable[str]) -> ScheduleError:
    """The error for a name that does not exist: it and the nearest right one."""
    return ScheduleError(f"unknown {what} {name!r}; {way_out(name, known)}")


def way_out(name: object, known: Iterable[str]) -> str:
    """The nearest of the ``known`` names, or all of them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names) or 'none'}"
