"""Histories as columns, their parts, and their operations."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history.history import FAIL, INFO, INVOKE, OK, PENDING, History, HistoryError, hashable
from history.op import NEMESIS, Op, OpType, Process


def op(process: Process, type: OpType, f: str = "read", **fields: Any) -> Op:
    return Op(-1, -1, process, type, f, **fields)


def run_of(seed: int, *, events: int = 60) -> list[Op]:
    """A run of single-threaded clients; those that end in info are replaced, faults come and go."""
    draw = random.Random(seed)
    free, open_, ops = list(range(4)), dict[int, Op](), list[Op]()
    for index in range(events):
        if draw.random() < 0.1:
            ops.append(Op(index, index * 10, NEMESIS, "info", draw.choice(["kill", "partition"])))
        elif free and (not open_ or draw.random() < 0.5):
            process = free.pop(draw.randrange(len(free)))
            key, f = draw.choice([None, "x", ["x", 1]]), draw.choice(["read", "write"])
            ops.append(Op(index, index * 10, process, "invoke", f, key=key, value=index))
            open_[process] = ops[-1]
        else:
            process = draw.choice(sorted(open_))
            type_: OpType = draw.choice(["ok", "ok", "fail", "info"])
            invocation = open_.pop(process)
            free.append(process + 4 if type_ == "info" else process)
            ops.append(
                Op(index, index * 10, process, type_, invocation.f, key=invocation.key, node="n1")
            )
    return ops


runs = st.integers(0, 10**6).map(run_of)
quick = settings(max_examples=60, derandomize=True, deadline=None)


@quick
@given(runs)
def test_a_history_gives_back_the_ops_it_was_made_of(ops: list[Op]) -> None:
    history = History.from_ops(ops)
    assert list(history) == ops
    assert [history[row] for row in range(-len(ops), 0)] == ops
    assert all(one in history for one in ops[:3])


@quick
@given(runs)
def test_pairs_are_those_of_a_reading_event_by_event(ops: list[Op]) -> None:
    open_: dict[object, int] = {}
    expected = [-1] * len(ops)
    for row, one in enumerate(ops):
        who = one.process if one.process != NEMESIS else (NEMESIS, one.f)
        partner = open_.pop(who, None)
        if partner is None:
            open_[who] = row
        else:
            expected[row], expected[partner] = partner, row
    assert History.from_ops(ops).pair.tolist() == expected


@quick
@given(runs)
def test_operations_hold_what_a_reading_event_by_event_finds(ops: list[Op]) -> None:
    history = History.from_ops(ops)
    table = history.operations()
    calls = [row for row, one in enumerate(ops) if one.type == "invoke"]
    assert table.call.tolist() == calls
    for row, call in enumerate(calls):
        end = next((e for e in ops[call + 1 :] if e.process == ops[call].process), None)
        returned = end is not None and end.type != "info"
        assert table.ret[row] == (end.index if end and returned else PENDING)
        assert table.ret_time[row] == (end.time if end and returned else PENDING)
        assert table.ret_index[row] == (end.index if end else -1)
        assert table.outcome[row] == {"ok": OK, "fail": FAIL}.get(end.type if end else "", INFO)
        assert table.argument[row] == table.value[row] == ops[call].value
        assert table.node[row] == (end.node if end else None)


@quick
@given(runs, st.integers(0, 2**60))
def test_a_selection_keeps_indices_and_the_pairs_inside_it(ops: list[Op], bits: int) -> None:
    history = History.from_ops(ops)
    mask = np.array([bits >> row & 1 == 1 for row in range(len(ops))])
    part = history.select(mask)
    assert list(part) == [one for one, chosen in zip(ops, mask, strict=True) if chosen]
    for row, partner in enumerate(part.pair.tolist()):
        whole = int(history.pair[part.index[row]])
        assert (whole >= 0 and mask[whole]) == (partner >= 0)
        assert partner < 0 or part.index[partner] == whole


@quick
@given(runs)
def test_keys_and_processes_each_partition_the_events(ops: list[Op]) -> None:
    history = History.from_ops(ops)
    keys, processes = history.by_key(), history.by_process()
    assert sorted(i for part in keys.values() for i in part.index.tolist()) == sorted(
        history.clients().index.tolist()
    )
    assert sum(map(len, processes.values())) == len(ops)
    assert all({one.process for one in part} == {p} for p, part in processes.items())
    assert all(hashable(one.key) == key for key, part in keys.items() for one in part)
    assert len(history.clients()) + len(history.nemesis()) == len(ops)


def test_a_completion_belongs_to_the_key_of_its_invocation() -> None:
    history = History.from_ops([op(0, "invoke", key=[1, {"a": [2]}]), op(0, "ok")])
    assert [len(part) for part in history.by_key().values()] == [2]
    assert list(history.by_key()) == [(1, (("a", (2,)),))]


def test_a_completion_with_a_value_overrides_the_argument() -> None:
    table = History.from_ops([op(0, "invoke", value=1), op(0, "ok", value=0)]).operations()
    assert (table.argument, table.value) == ([1], [0])


def test_where_chooses_by_function_and_outcome() -> None:
    events = [
        op(0, "invoke", "read"),
        op(0, "ok", "read"),
        op(0, "invoke", "write"),
        op(0, "fail", "write"),
        op(0, "invoke", "cas"),
    ]
    table = History.from_ops(events).operations()
    assert table.where().tolist() == [0, 1, 2]
    assert table.where("write", "cas").tolist() == [1, 2]
    assert table.where("write", "cas", outcome=INFO).tolist() == [2]
    assert table.where("append").tolist() == []


def test_the_nemesis_is_always_process_minus_one() -> None:
    history = History.from_ops([op("observer", "info"), op(NEMESIS, "info", "kill")])
    assert history.process.tolist() == [-2, -1]
    assert [one.process for one in history] == ["observer", NEMESIS]


def test_faults_that_overlap_are_paired_by_function() -> None:
    names = ["kill", "partition", "kill", "partition", "kill"]
    history = History.from_ops([op(NEMESIS, "info", name) for name in names])
    assert history.pair.tolist() == [2, 3, 0, 1, -1]


def test_an_empty_history_has_empty_parts() -> None:
    history = History.from_ops([])
    assert len(history) == len(history.operations()) == len(history.clients()) == 0
    assert history.by_key() == history.by_process() == {}


def test_columns_are_read_only() -> None:
    history = History.from_ops([op(0, "invoke")])
    with pytest.raises(ValueError, match="read-only"):
        history.type[0] = OK


def test_a_slice_is_a_history() -> None:
    history = History.from_ops(run_of(1))
    assert list(history[10:20:2]) == list(history)[10:20:2]
    with pytest.raises(IndexError):
        history[len(history)]


def test_type_codes_are_in_the_order_of_the_types() -> None:
    history = History.from_ops([op(0, "invoke"), op(0, "ok"), op(0, "invoke"), op(0, "fail")])
    assert history.type.tolist() == [INVOKE, OK, INVOKE, FAIL]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([op(0, "ok")], "event 0: process 0 completes what it never invoked"),
        (
            [op(1, "invoke"), op(0, "invoke"), op(1, "ok"), op(1, "fail")],
            "event 3: process 1 completes what it never invoked",
        ),
        ([op(0, "invoke"), op(0, "invoke")], "event 1: process 0 invokes while its last"),
        (
            [op(0, "invoke"), op(0, "info"), op(0, "invoke")],
            "event 2: process 0 acts again after its operation ended in info",
        ),
        (
            [op(0, "invoke"), op(0, "info"), op(0, "ok")],
            "event 2: process 0 acts again after its operation ended in info",
        ),
        ([Op(4, 0, 0, "invoke", "read"), Op(4, 0, 1, "invoke", "read")], "event 4 stands after event 4"),
    ],
)
def test_what_no_client_can_do_is_refused_with_index_and_reason(events: list[Op], reason: str) -> None:
    with pytest.raises(HistoryError, match=reason):
        History.from_ops(events)
    assert len(History.from_ops(events, strict=False)) == len(events)


def test_the_first_of_several_impossible_events_is_named() -> None:
    events = [op(2, "ok"), op(0, "ok"), op(1, "invoke"), op(1, "invoke")]
    with pytest.raises(HistoryError, match="event 0: process 2"):
        History.from_ops(events)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"process": -3}, "process -3 is negative"),
        ({"process": 1.5}, "process must be an integer, not float"),
        ({"process": True}, "process must be an integer, not bool"),
        ({"process": 2**64}, "process must fit into 64 bits"),
        ({"time": None}, "time must be an integer, not nothing"),
        ({"type": "done"}, "type must be one of invoke, ok, fail, info"),
        ({"type": ["ok"]}, "type must be one of"),
        ({"f": None}, "f must be text, not nothing"),
        ({"node": 3}, "node must be text, not int"),
    ],
)
def test_a_column_that_holds_what_it_must_not_is_refused(fields: dict[str, Any], reason: str) -> None:
    event: dict[str, Any] = {"index": 0, "time": 0, "process": 0, "type": "invoke", "f": "read"} | fields
    with pytest.raises(HistoryError, match=reason):
        History.from_ops([Op(**event)])


def test_codes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from history.history import History; from history.op import Op;"
        "print(History.from_ops([Op(-1,0,p,'info',f) for p in 'abc' for f in 'xyzuvw']).fs)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert outputs == {"('x', 'y', 'z', 'u', 'v', 'w')\n"}
