"""Offset and stride: an ID tells which node made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from checkers.handed_out import handed_out, nodes_of
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import History

_SHOWN = 8


def autoincrement(f: str = "next") -> Checker:
    """Every ID a node gave in ``f`` is its offset plus a multiple of its step, 0 at least.

    Options ``offsets`` and ``steps`` give both by node. Unknown when no ID was received; raises
    ValueError for a node that the options do not name.
    """

    def check(history: History, options: Options) -> Verdict:
        ids = handed_out(history, f)
        if not len(ids.row):
            reason = f"no operation {f!r} succeeded, so no ID can be judged"
            return Verdict(checker="autoincrement", valid="unknown", reason=reason)
        node, names = nodes_of(history, ids.row)
        offset = np.array([_of(options, "offsets", name) for name in names])[node]
        step = np.array([_of(options, "steps", name) for name in names])[node]
        number = np.array(ids.flat, dtype=np.int64)
        op = ids.op_of_id()
        off = (number - offset[op]) % step[op] != 0
        places = np.flatnonzero(off | (number < offset[op]))
        _, one_each = np.unique(op[places], return_index=True)
        return Verdict(
            checker="autoincrement",
            valid=not len(places),
            anomalies=tuple(
                _anomaly(history, int(ids.row[op[place]]), ids.flat[place], options)
                for place in places[one_each][:_SHOWN].tolist()
            ),
            counts={"id-count": len(number), "wrong-offset-count": len(places)},
        )

    return check


def _of(options: Options, fact: str, node: str) -> int:
    by_node: Mapping[str, Any] = options.get(fact) or {}
    if node not in by_node:
        raise ValueError(f"option {fact!r} does not name node {node!r}; it must give one for each node")
    return int(by_node[node])


def _anomaly(history: History, row: int, one: int, options: Options) -> Anomaly:
    node, index = str(history.node[row]), int(history.index[row])
    offset, step = _of(options, "offsets", node), _of(options, "steps", node)
    return Anomaly(
        name="wrong-offset",
        message=f"{node} gave {one} (op {index}), which is not {offset} plus a multiple of {step}",
        ops=(index,),
        details={"node": node, "id": one, "offset": offset, "step": step},
    )
