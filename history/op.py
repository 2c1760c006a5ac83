"""One event of a history: an invocation or a completion, by one process, at one time.

The vocabulary is Jepsen's. ``ok`` took effect, ``fail`` did not, ``info`` may have, then or later:
a process whose operation ends in ``info`` never acts again. Fault actions are events too, of
process ``"nemesis"`` and of type ``info``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

OpType: TypeAlias = Literal["invoke", "ok", "fail", "info"]
Process: TypeAlias = int | str

OP_TYPES: tuple[OpType, ...] = ("invoke", "ok", "fail", "info")
NEMESIS = "nemesis"


@dataclass(frozen=True, slots=True)
class Op:
    """One line of a history.

    ``index`` counts events from 0 and is the order in which they were recorded; ``time`` is in
    nanoseconds since the start of the run; both are -1 while a generator has not been asked yet.
    ``process`` is a client's number or ``"nemesis"``; ``f`` names the function that was called;
    ``key`` is the object it acts on, ``value`` its argument and, in a completion, its result;
    ``node`` is the server that answered, where that is known; ``error`` says why it is not ``ok``.
    """

    index: int
    time: int
    process: Process
    type: OpType
    f: str
    key: Any = None
    value: Any = None
    error: Any = None
    node: str | None = None

    def completed(self, type_: OpType, **changes: Any) -> Op:
        """This invocation's completion of type ``type_``; index and time are set by the recorder."""
        return replace(self, type=type_, index=-1, time=-1, **changes)


def invoke(f: str, value: Any = None, *, key: Any = None) -> Op:
    """An invocation that no process has taken yet: what generators are made of."""
    return Op(index=-1, time=-1, process=-1, type="invoke", f=f, key=key, value=value)
