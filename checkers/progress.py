"""Once everything is healed, the system serves again."""

from __future__ import annotations

import numpy as np

from checkers.handed_out import is_f
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import INVOKE, OK, History

_LAST_TRIES = 3


def progress(*fs: str) -> Checker:
    """At least one operation of each of ``fs`` succeeds in the final phase.

    That phase begins with the event whose index is option ``final_index``. Unknown when it is not
    given, or when one of ``fs`` was never tried.
    """

    def check(history: History, options: Options) -> Verdict:
        start = options.get("final_index")
        if start is None:
            return _unknown("option 'final_index' does not say where the final phase begins")
        final = history.index >= int(start)
        tried = {f: np.flatnonzero(final & is_f(history, f) & (history.type == INVOKE)) for f in fs}
        done = {f: int((final & is_f(history, f) & (history.type == OK)).sum()) for f in fs}
        stuck = [f for f in fs if len(tried[f]) and not done[f]]
        counts = {"ok-count": done, "invoke-count": {f: len(rows) for f, rows in tried.items()}}
        untried = [f for f in fs if not len(tried[f])]
        if untried and not stuck:
            return _unknown(f"{untried[0]!r} was never tried in the final phase")
        return Verdict(
            checker="progress",
            valid=not stuck,
            anomalies=tuple(_anomaly(history, f, tried[f].tolist()) for f in stuck),
            counts=counts,
        )

    return check


def _unknown(reason: str) -> Verdict:
    return Verdict(checker="progress", valid="unknown", reason=reason)


def _anomaly(history: History, f: str, rows: list[int]) -> Anomaly:
    last = [_last_event(history, row) for row in rows[-_LAST_TRIES:]]
    error = next((history.error[row] for row in reversed(last) if history.error[row]), "no answer")
    return Anomaly(
        name="no-progress",
        message=f"{f!r} was tried {len(rows)} times after everything was healed and never succeeded; "
        f"the last error was {error}",
        ops=tuple(int(history.index[row]) for row in last),
        details={"f": f, "tries": len(rows)},
    )


def _last_event(history: History, row: int) -> int:
    return int(history.pair[row]) if history.pair[row] >= 0 else row
