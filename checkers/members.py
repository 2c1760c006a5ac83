"""The members of a group as each of them sees it: the living are there, and the dead not for long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from checkers.verdict import Anomaly, Checker, Options, Verdict
from checkers.views import View, by_session, contradiction, last_views, views_of
from history.history import OK, History, Operations

_SHOWN = 8
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Group:
    """Hosts, each with the event that tells of it first: who joined, who did so in the final phase, and
    who was there before it and is not of those.
    """

    joined: Mapping[str, int]
    alive: Mapping[str, int]
    dead: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Late:
    """A view with a host that died before the final phase, and how long after its beginning."""

    host: str
    view: View
    late_s: float


def members(join: str = "join", view: str = "view", *, grace_s: float = 1.0) -> Checker:
    """Who joins belongs to the group for ever, and lives as long as its session.

    ``join`` carries ``host``; nobody but the members of the final phase lives to see it, they join at
    its beginning, and views are mappings with the lists ``all`` and ``live``. A host that is dead may be
    seen for ``session_timeout_s``, an option, and ``grace_s`` for the leader that counts in ticks and
    for the way of the news. ``dead-longest-s`` says how long one was.

    Anomalies: ``live-member-missing`` from the last views, ``dead-member``, ``member-forgotten`` (gone
    from ``all``). Unknown when nobody joined or looked in the final phase, when no look came
    late enough, or when no member ever died.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        start = int(options.get("final_index", len(history)))
        seen = views_of(operations, view)
        group = _group(operations, join, seen, start)
        last = last_views(seen, options)
        patience_s = float(options["session_timeout_s"]) + grace_s
        late = list(_late(group, seen, _start_ns(history, start)))
        judged_at_ns = _start_ns(history, start) + round(patience_s * _NS_PER_S)
        counts = {
            "member-count": len(group.joined),
            "alive-count": len(group.alive),
            "dead-longest-s": round(max((one.late_s for one in late), default=0.0), 3),
        }
        if reason := _untested(group, last, judged_at_ns):
            return Verdict(checker="members", valid="unknown", counts=counts, reason=reason)
        found = [*_missing(group, last), *_dead(group, late, patience_s), *_forgotten(group, seen, last)]
        return Verdict(
            checker="members", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _group(operations: Operations, join: str, seen: Iterable[View], start: int) -> _Group:
    joined: dict[str, int] = {}
    alive: dict[str, int] = {}
    for row in operations.where(join, outcome=OK).tolist():
        host, index = operations.value[row]["host"], int(operations.ret_index[row])
        joined.setdefault(host, index)
        if index >= start:
            alive.setdefault(host, index)
    before = {host: one.index for one in seen if one.index < start for host in one.content["live"]}
    dead = {host: index for host, index in {**before, **joined}.items() if host not in alive}
    return _Group(joined, alive, dead)


def _start_ns(history: History, start: int) -> int:
    """When the final phase begins."""
    later = history.time[history.index >= start]
    return int(later[0]) if len(later) else 0


def _untested(group: _Group, last: Iterable[View], judged_at_ns: int) -> str | None:
    if not group.alive or not last:
        return "nobody joined or looked in the final phase"
    if all(one.call_ns < judged_at_ns for one in last):
        return "nobody looked after the sessions of the dead had expired"
    return None if group.dead else "no member ever died"


def _late(group: _Group, seen: Iterable[View], start_ns: int) -> Iterable[_Late]:
    for view in seen:
        for host in view.content["live"]:
            if view.call_ns >= start_ns and host in group.dead:
                yield _Late(host, view, (view.call_ns - start_ns) / _NS_PER_S)


def _missing(group: _Group, last: Iterable[View]) -> Iterable[Anomaly]:
    for view in last:
        for host, index in group.alive.items():
            if host not in view.content["live"]:
                text = f"{host} joined in the end (op {index}), but {view} does not have it"
                yield Anomaly(name="live-member-missing", message=text, ops=(index, view.index))


def _dead(group: _Group, late: Iterable[_Late], patience_s: float) -> Iterable[Anomaly]:
    for one in late:
        if one.late_s > patience_s:
            index = group.dead[one.host]
            text = (
                f"{one.host} (op {index}) was dead before the final phase, but {one.view} still had it"
                f" as alive {one.late_s:.1f} s later; its session was to end within {patience_s:g} s"
            )
            yield Anomaly(name="dead-member", message=text, ops=(index, one.view.index))


def _forgotten(group: _Group, seen: Iterable[View], last: Iterable[View]) -> Iterable[Anomaly]:
    for line in by_session(seen):
        for before, after in pairwise(line):
            for host in sorted(set(before.content["all"]) - set(after.content["all"])):
                text = f"{host} belonged to the group at {before}, and no longer at {after}"
                yield contradiction("member-forgotten", text, before, after)
    for view in last:
        for host in sorted(set(group.joined) - set(view.content["all"])):
            text = f"{host} joined (op {group.joined[host]}), but does not belong to the group at {view}"
            yield Anomaly(name="member-forgotten", message=text, ops=(group.joined[host], view.index))
