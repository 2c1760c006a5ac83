"""Short histories of ``next``, written down by hand."""

from __future__ import annotations

from typing import Any

from history.history import History
from history.op import Op

MS = 1_000_000


class Script:
    """Events in the order in which they are called for; each takes a millisecond."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.time_ms = 0.0

    def event(self, process: int | str, type_: str, f: str, value: Any = None, **rest: Any) -> Script:
        self.time_ms += 1
        time_ns = round(self.time_ms * MS)
        self.ops.append(Op(len(self.ops), time_ns, process, type_, f, value=value, **rest))  # type: ignore[arg-type]
        return self

    def invoke(self, process: int, count: int | None = None) -> Script:
        return self.event(process, "invoke", "next", count)

    def ok(self, process: int, value: Any, node: str | None = "n1") -> Script:
        return self.event(process, "ok", "next", value, node=node)

    def next(self, value: Any, node: str | None = "n1", process: int = 0) -> Script:
        """A whole operation, with nothing beside it."""
        return self.invoke(process, len(value) if isinstance(value, list) else None).ok(
            process, value, node
        )

    def clock(
        self,
        phase: str,
        read_s: tuple[float, float] | None,
        *,
        node: str = "n1",
        fault: int = 0,
        f: str = "clock-bump",
        args: dict[str, Any] | None = None,
    ) -> Script:
        """An action of a clock fault as ``nemesis.conductor`` records it."""
        value = {"fault": fault, "phase": phase, "nodes": [node]}
        if phase == "start":
            value |= {"duration_s": 1.0, "args": args or {}}
        effect = {"clock": {node: {"read_s": read_s and list(read_s), "asked_s": [0, 0], "steps_s": 0}}}
        self.event("nemesis", "info", f, value)
        return self.event("nemesis", "info", f, value | {"effect": effect, "landed": True})

    def heal(self, error: str | None = None) -> Script:
        return self.event("nemesis", "info", "heal").event("nemesis", "info", "heal", error=error)

    def history(self) -> History:
        return History.from_ops(self.ops)
