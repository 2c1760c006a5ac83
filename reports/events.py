"""Single operations of a history, found by the index of any of their events, ready to be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from history.history import INVOKE, History
from history.op import OP_TYPES, Process
from reports.text import brief, safe, shown

__all__ = ["Shown", "shown_ops"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One operation, or one event that belongs to none.

    ``index`` is the index that was asked for; ``call`` and ``ret`` are those of its two events, ``ret``
    None if there is no completion. Times are in ns; ``ret_ns`` is None when it is unknown whether and
    when the operation took effect, that is for ``info`` too. ``type`` is how it ended.
    """

    index: int
    call: int
    ret: int | None
    call_ns: int
    ret_ns: int | None
    process: Process
    f: str
    key: str
    argument: str
    value: str
    error: str
    node: str
    type: str

    @property
    def summary(self) -> str:
        """What it did, in a few words."""
        said = self.error if self.type != "ok" and self.error else self.value
        words = (brief(self.f, 24), self.key and f"[{brief_text(self.key, 16)}]", brief_text(said, 40))
        return " ".join(word for word in words if word)


def shown_ops(history: History, indices: Iterable[int]) -> tuple[Shown, ...]:
    """The operations with these indices, in their order; indices that are not there are left out."""
    wanted = list(indices)
    rows = np.flatnonzero(np.isin(history.index, wanted)).tolist()
    row_of = {int(history.index[row]): row for row in rows}
    return tuple(_shown(history, index, row_of[index]) for index in wanted if index in row_of)


def brief_text(text: str, limit: int) -> str:
    """``text``, that is fit to be shown already, cut to ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _shown(history: History, index: int, row: int) -> Shown:
    partner = int(history.pair[row])
    call = row if history.type[row] == INVOKE or partner < 0 else min(row, partner)
    ret = max(row, partner) if partner >= 0 else None
    end = row if ret is None else ret
    first, last = history[call], history[end]
    certain = ret is not None and last.type in ("ok", "fail")
    return Shown(
        index=index,
        call=first.index,
        ret=None if ret is None else last.index,
        call_ns=first.time,
        ret_ns=last.time if certain else None,
        process=first.process if isinstance(first.process, int) else safe(first.process),
        f=safe(first.f, limit=200),
        key="" if first.key is None else shown(first.key),
        argument="" if first.value is None else shown(first.value),
        value="" if last.value is None else shown(last.value),
        error="" if last.error is None else brief(last.error, 1_000),
        node=safe(last.node or first.node or "", limit=200),
        type="no completion" if last.type == OP_TYPES[INVOKE] else last.type,
    )
