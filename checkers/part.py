"""One part of a history in which several systems were tested at once.

The functions of a part are named with the part before them: ``queue/send`` is the ``send`` of ``queue``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from checkers.verdict import Checker, Options, Verdict
from history.history import History


def of_part(part: str, checker: Checker) -> Checker:
    """``checker`` on the operations of ``part`` alone, under their own names, and on all faults.

    Events keep their indices, so that witnesses are found in the whole history. The verdicts of single
    checkers have the part before their names: ``queue-progress``.
    """

    def check(history: History, options: Options) -> Verdict:
        return _named(part, checker(only(part, history), options))

    return check


def only(part: str, history: History) -> History:
    """The events of ``part``, its functions under their own names, and those of the nemesis."""
    prefix = f"{part}/"
    codes = [code for code, f in enumerate(history.fs) if f.startswith(prefix)]
    chosen = history.select(np.isin(history.f, codes) | (history.process < 0))
    return replace(chosen, fs=tuple(f.removeprefix(prefix) for f in history.fs))


def _named(part: str, verdict: Verdict) -> Verdict:
    parts = tuple(_named(part, each) for each in verdict.parts)
    return replace(verdict, checker=f"{part}-{verdict.checker}", parts=parts)
