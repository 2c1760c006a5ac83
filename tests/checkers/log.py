"""Small histories, written down event by event."""

from __future__ import annotations

from typing import Any

from history.history import History
from history.op import Op, invoke


class Log:
    """Events in the order in which they are written; each process has one operation at a time."""

    def __init__(self) -> None:
        self._ops: list[Op] = []
        self._open: dict[int, Op] = {}

    def call(self, process: int, f: str, argument: Any = None, *, key: Any = None) -> int:
        """An invocation; its index."""
        index = len(self._ops)
        op = invoke(f, argument, key=key)
        event = Op(index, index * 1_000_000, process, "invoke", op.f, key=key, value=argument)
        self._ops.append(event)
        self._open[process] = event
        return index

    def ret(self, process: int, type_: Any = "ok", *, node: str | None = None, **value: Any) -> int:
        """The completion of the process's operation; its index. ``error`` is the error."""
        index = len(self._ops)
        error = value.pop("error", None)
        done = self._open.pop(process).completed(type_, value=value or None, error=error, node=node)
        self._ops.append(
            Op(
                index,
                index * 1_000_000,
                done.process,
                done.type,
                done.f,
                key=done.key,
                value=done.value,
                error=done.error,
                node=done.node,
            )
        )
        return index

    def done(
        self,
        process: int,
        f: str,
        argument: Any = None,
        *,
        key: Any = None,
        node: str | None = None,
        type_: str = "ok",
        **value: Any,
    ) -> int:
        """An invocation and its completion with nothing between; the latter's index."""
        self.call(process, f, argument, key=key)
        return self.ret(process, type_, node=node, **value)

    def history(self) -> History:
        return History.from_ops(self._ops)


def names(verdict: Any) -> list[str]:
    """The verdict's anomalies."""
    return [anomaly.name for anomaly in verdict.anomalies]
