"""Logs in which Jepsen tells each event on a line of its own, as Porcupine's etcd histories are.

``INFO  jepsen.util - PROCESS<TAB>:TYPE<TAB>:F<TAB>VALUE``, then the error if there is one. Process,
value and error are EDN. Everything else in such a log is chatter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from history import edn, jepsen
from history.errors import HistoryError
from history.op import Op

_LOG_EVENT = re.compile(
    r"jepsen\.util - (?P<process>\S+)\s+:(?P<type>invoke|ok|fail|info)\s+:(?P<f>\S+)(?P<rest>.*)",
    re.DOTALL,
)


def is_log(text: str) -> bool:
    """Whether any line is an event that Jepsen logged."""
    return _LOG_EVENT.search(text) is not None


def ops_of_log(text: str) -> list[Op]:
    """The events in a log, other lines passed over; HistoryError with line and reason.

    A keyword in place of a failed or unknown operation's
    value (``:timed-out``) is its error.
    """
    ops = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _LOG_EVENT.search(line)
        if match is not None:
            ops.append(_logged(match, number))
    return jepsen.numbered(ops)


def _logged(match: re.Match[str], line: int) -> Op:
    try:
        process, *forms = edn.read_all(f"{match['process']} {match['rest']}")
    except HistoryError as error:
        raise HistoryError(f"line {line}: {str(error).removeprefix('line 1: ')}") from None
    if match["type"] in ("fail", "info") and len(forms) == 1 and isinstance(forms[0], edn.Keyword):
        forms = [None, *forms]
    value, problem = (*forms, None, None)[:2]
    event = {
        "process": process,
        "type": match["type"],
        "f": match["f"],
        "value": value,
        "error": problem,
    }
    return jepsen.op({name: jepsen.data(one) for name, one in event.items()}, f"line {line}")


def log_lines(ops: Iterable[Op]) -> Iterator[str]:
    """Each event as Jepsen logs it; index, time and node have no place there."""
    for op in ops:
        process = edn.write(jepsen.keyword(op.process))
        yield f"INFO  jepsen.util - {process}\t:{op.type}\t:{op.f}\t{_outcome(op)}"


def _outcome(op: Op) -> str:
    error = jepsen.keyword(op.error)
    if op.error is None:
        return edn.write(op.value)
    if op.type in ("fail", "info") and op.value is None and isinstance(error, edn.Keyword):
        return edn.write(error)
    return f"{edn.write(op.value)}\t{edn.write(error)}"
