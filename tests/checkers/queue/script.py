"""Small histories of producers and consumers, written down step by step."""

from __future__ import annotations

from typing import Any

from checkers.queue.checker import queue
from checkers.queue.promises import Promises
from checkers.verdict import Verdict
from history.history import History
from history.op import Op

P = "p"


class Script:
    """Events in the order in which they are written; a process's call may stay open for a while."""

    def __init__(self) -> None:
        self._ops: list[Op] = []
        self._open: dict[int, Op] = {}

    def call(self, process: int, f: str, value: Any = None, *, key: Any = None) -> Script:
        event = self._event(process, "invoke", f, value, key, None)
        self._open[process] = event
        return self

    def ret(self, process: int, value: Any = None, type_: str = "ok", node: str | None = None) -> Script:
        opened = self._open.pop(process)
        self._event(process, type_, opened.f, value, opened.key, node)
        return self

    def done(
        self,
        process: int,
        f: str,
        value: Any,
        type_: str = "ok",
        *,
        key: Any = None,
        node: str | None = None,
    ) -> Script:
        asked = value if f in ("assign", "subscribe") else None
        return self.call(process, f, asked, key=key).ret(process, value, type_, node)

    def send(self, value: Any, offset: int | None, key: Any = P, process: int = 0) -> Script:
        return self.done(process, "send", [["send", key, [offset, value]]])

    def poll(self, *pairs: list[Any], key: Any = P, process: int = 1, type_: str = "ok") -> Script:
        return self.done(process, "poll", [["poll", {key: list(pairs)}]], type_)

    def drain(self, end: int, *pairs: list[Any], key: Any = P, process: int = 9) -> Script:
        steps = [["position", {key: 0}], ["poll", {key: list(pairs)}], ["end", {key: end}]]
        return self.done(process, "drain", steps)

    def _event(self, process: int, type_: Any, f: str, value: Any, key: Any, node: Any) -> Op:
        index = len(self._ops)
        op = Op(index, index * 1_000_000, process, type_, f, key=key, value=value, node=node)
        self._ops.append(op)
        return op

    def history(self) -> History:
        return History.from_ops(self._ops)


def judged(script: Script, *also: str, promises: Promises | None = None, **options: Any) -> Verdict:
    return queue(promises, also=also)(script.history(), options)


def part(verdict: Verdict, name: str) -> Verdict:
    return next(one for one in verdict.parts if one.checker == name)


def names(verdict: Verdict) -> list[str]:
    return sorted({anomaly.name for anomaly in verdict.anomalies})


def allowed(verdict: Verdict) -> list[str]:
    return sorted(name for one in verdict.parts for name in one.counts.get("allowed-count", {}))
