"""No ID is handed out twice. Result keys are those of Jepsen's ``unique-ids`` checker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from checkers.handed_out import HandedOut, handed_out, is_f
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import INVOKE, History

_WORST = 48
_SHOWN = 8


def unique_ids(f: str = "next") -> Checker:
    """Every ID in the ``ok`` operations ``f``, each a single one or a list, is there once.

    ``attempted-count`` counts the IDs asked for, where an invocation's value is their number, one if
    it has none; ``acknowledged-count`` those received; ``duplicated`` maps the 48 most repeated to
    how often they were received; ``range`` is [least, greatest]. Operations that failed, or whose
    outcome is not known, are ignored. Unknown when no ID was received.
    """

    def check(history: History, options: Options) -> Verdict:
        ids = handed_out(history, f)
        counts = {
            "attempted-count": _attempted(history, f),
            "acknowledged-count": len(ids.flat),
            "duplicated-count": 0,
            "duplicated": {},
            "range": _range(ids.flat),
        }
        if not ids.flat:
            reason = f"no operation {f!r} succeeded, so no ID was handed out"
            return Verdict(checker="unique-ids", valid="unknown", counts=counts, reason=reason)
        if _all_different(ids.flat):
            return Verdict(checker="unique-ids", valid=True, counts=counts)
        repeated = {one: times for one, times in Counter(ids.flat).most_common() if times > 1}
        worst = sorted(repeated, key=lambda one: (-repeated[one], one))[:_WORST]
        return Verdict(
            checker="unique-ids",
            valid=False,
            anomalies=_anomalies(history, ids, worst[:_SHOWN]),
            counts=counts
            | {"duplicated-count": len(repeated), "duplicated": {one: repeated[one] for one in worst}},
        )

    return check


def _attempted(history: History, f: str) -> int:
    asked = np.flatnonzero(is_f(history, f) & (history.type == INVOKE)).tolist()
    arguments = list(map(history.value.__getitem__, asked))
    if set(map(type, arguments)) <= {type(None)}:
        return len(arguments)
    return sum(argument if type(argument) is int else 1 for argument in arguments)


def _all_different(ids: Sequence[Any]) -> bool:
    if type(ids[0]) is not int:
        return len(set(ids)) == len(ids)
    try:
        ordered = np.sort(np.array(ids, dtype=np.int64))
    except OverflowError:
        return len(set(ids)) == len(ids)
    return not bool((ordered[1:] == ordered[:-1]).any())


def _range(ids: Sequence[Any]) -> list[Any]:
    return [min(ids), max(ids)] if ids else []


def _anomalies(history: History, ids: HandedOut, repeated: Sequence[Any]) -> tuple[Anomaly, ...]:
    wanted = set(repeated)
    places: dict[Any, list[int]] = {}
    for place, one in enumerate(ids.flat):
        if one in wanted:
            places.setdefault(one, []).append(place)
    op_of_id = ids.op_of_id()
    return tuple(_anomaly(history, one, ids.row[op_of_id[places[one]]].tolist()) for one in repeated)


def _anomaly(history: History, one: Any, rows: Sequence[int]) -> Anomaly:
    ops = [int(history.index[row]) for row in rows]
    names = [f"{history.node[row] or 'a node'} (op {op})" for row, op in zip(rows, ops, strict=True)]
    return Anomaly(
        name="duplicated",
        message=f"ID {one} was handed out {len(rows)} times, by {names[0]} and again by {names[1]}",
        ops=tuple(dict.fromkeys(ops[:2])),
        details={"id": one, "times": len(rows), "all-ops": ops[:_WORST]},
    )
