"""A configuration as its clients see it: each version is one value, that of the change that made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from checkers.views import View, contradiction, last_views, views_of
from history.history import FAIL, History, Operations

_SHOWN = 8


def settings(change: str = "set", view: str = "view") -> Checker:
    """``change`` carries ``value``, ``version`` and ``zxid``, a view ``value`` and ``version``.

    Values are set once only. Anomalies: ``views-disagree`` on a version; ``duplicate-version`` (two
    changes made one version); ``G1a`` and ``phantom-view`` (a value that was refused, or that nobody
    set); ``lost-update`` (the last views are older than a change that was acknowledged). Unknown
    when nothing was changed, or never seen.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        made = views_of(operations, change, content=("value", "version"))
        seen = views_of(operations, view)
        last = last_views(seen, options)
        counts = {"change-count": len(made), "view-count": len(seen)}
        if not made or not seen:
            reason = "nothing was changed" if not made else "nothing was seen"
            return Verdict(checker="settings", valid="unknown", counts=counts, reason=reason)
        found = [
            *_twice(made),
            *_disagree([*made, *seen]),
            *_unset(operations, change, seen),
            *_lost(made, last),
        ]
        return Verdict(
            checker="settings", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _twice(made: Iterable[View]) -> Iterable[Anomaly]:
    first: dict[int, View] = {}
    for one in made:
        other = first.setdefault(one.content["version"], one)
        if other is not one:
            text = f"{other} and {one} were both told that they made version {one.content['version']}"
            yield contradiction("duplicate-version", text, other, one)


def _disagree(seen: Iterable[View]) -> Iterable[Anomaly]:
    first: dict[int, View] = {}
    for one in seen:
        other = first.setdefault(one.content["version"], one)
        if other.content["value"] != one.content["value"]:
            text = (
                f"version {one.content['version']} is {other.content['value']!r} for {other} and"
                f" {one.content['value']!r} for {one}"
            )
            yield contradiction("views-disagree", text, other, one)


def _unset(operations: Operations, change: str, seen: Sequence[View]) -> Iterable[Anomaly]:
    """Values that cannot be there; None is what the znode is made with."""
    refused = {
        operations.argument[row]: int(operations.ret_index[row])
        for row in operations.where(change, outcome=FAIL).tolist()
    }
    asked_for = {operations.argument[row] for row in operations.where(change).tolist()}
    for one in seen:
        value = one.content["value"]
        if value in refused:
            text = f"{one} saw {value!r}, which op {refused[value]} was told did not happen"
            yield Anomaly(name="G1a", message=text, ops=(refused[value], one.index))
        elif value is not None and value not in asked_for:
            yield contradiction("phantom-view", f"{one} saw {value!r}, which nobody set", one)


def _lost(made: Iterable[View], last: Iterable[View]) -> Iterable[Anomaly]:
    newest = max(made, key=lambda one: one.zxid)
    for view in last:
        if view.zxid < newest.zxid:
            text = (
                f"{newest} made version {newest.content['version']} at {hexed(newest.zxid)}, but {view}"
                f" saw version {view.content['version']} at the end"
            )
            yield contradiction("lost-update", text, newest, view)
            return
