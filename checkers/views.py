"""Views that clients keep of something shared, fed by watches.

A view may be late. What it may not do is to go back within a session, or to stay behind once nothing
changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations, hashable

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class View:
    """What a process saw, when it asked for it, and the zxid that it may not go behind."""

    process: int
    session: str
    content: Any
    zxid: int
    index: int
    call_ns: int

    def __str__(self) -> str:
        return f"op {self.index} of process {self.process}"


def views(f: str = "view") -> Checker:
    """``f`` carries ``session``, ``view`` and ``zxid``; option ``final_index`` begins the final phase.

    Anomalies: ``view-went-back`` in a session, ``views-differ`` at the end, when every process's last
    view of the final phase must be the same. Unknown when fewer than two processes had a view there.
    """

    def check(history: History, options: Options) -> Verdict:
        seen = views_of(history.clients().operations(), f)
        last = last_views(seen, options)
        counts = {
            "view-count": len(seen),
            "different-count": len({hashable(one.content) for one in seen}),
            "final-count": len(last),
        }
        found = [*_back(seen), *_differ(last)]
        if not found and len(last) < 2:
            reason = "fewer than two processes had a view in the final phase, so none can differ"
            return Verdict(checker="views", valid="unknown", counts=counts, reason=reason)
        return Verdict(checker="views", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts)

    return check


def views_of(operations: Operations, f: str, *, content: tuple[str, ...] = ()) -> list[View]:
    """Every answer to ``f`` by its completion; its content is ``view`` unless keys are given."""
    found = []
    for row in operations.where(f, outcome=OK).tolist():
        value: Mapping[str, Any] = operations.value[row]
        found.append(
            View(
                process=int(operations.process[row]),
                session=value["session"],
                content={key: value[key] for key in content} if content else value["view"],
                zxid=int(value["zxid"]),
                index=int(operations.ret_index[row]),
                call_ns=int(operations.call_time[row]),
            )
        )
    return sorted(found, key=lambda one: one.index)


def last_views(seen: Iterable[View], options: Options) -> list[View]:
    """Each process's last view, if that is of the final phase."""
    last = {one.process: one for one in seen}
    start = options.get("final_index")
    return [one for one in last.values() if start is not None and one.index >= int(start)]


def by_session(seen: Iterable[View]) -> list[list[View]]:
    """The views of each session, in order."""
    lines: dict[str, list[View]] = {}
    for one in seen:
        lines.setdefault(one.session, []).append(one)
    return list(lines.values())


def contradiction(name: str, message: str, *ops: View) -> Anomaly:
    """Views that cannot all be right."""
    return Anomaly(name=name, message=message, ops=tuple(one.index for one in ops))


def _back(seen: Iterable[View]) -> Iterable[Anomaly]:
    for line in by_session(seen):
        for before, after in pairwise(line):
            if after.zxid < before.zxid:
                text = f"{after} went back to {hexed(after.zxid)} from {hexed(before.zxid)} ({before})"
                yield contradiction("view-went-back", text, before, after)
                break


def _differ(last: list[View]) -> Iterable[Anomaly]:
    for one in last[1:]:
        if one.content != last[0].content:
            text = f"at the end {last[0]} saw {last[0].content!r}, but {one} saw {one.content!r}"
            yield contradiction("views-differ", text, last[0], one)
            return
