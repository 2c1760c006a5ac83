"""Histories as JSON lines: what is recorded is what is read, even of a run that was killed."""

from __future__ import annotations

import enum
import gc
import itertools
import uuid
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history import jsonl
from history.errors import HistoryError, HistoryWarning
from history.history import History
from history.jsonl import Recorder, read
from history.op import NEMESIS, Op, invoke
from history.plain import plain


class Level(enum.StrEnum):
    QUORUM = "quorum"


class Number(enum.IntEnum):
    ONE = 1


EVENTS = [
    invoke("write", [1, (2, 3)], key="x").completed("invoke", process=0),
    Op(-1, -1, NEMESIS, "info", "kill", value={"nodes": ["n1"]}),
    Op(-1, -1, 0, "ok", "write", key="x", node="n2"),
    Op(-1, -1, 1, "invoke", "read", value="caf\u00e9\n\u2028"),
    Op(-1, -1, 1, "info", "read", error=["timeout", 1.5]),
]
LINES = b"""\
{"index":0,"time":0,"process":0,"type":"invoke","f":"write","key":"x","value":[1,[2,3]]}
{"index":1,"time":5,"process":"nemesis","type":"info","f":"kill","value":{"nodes":["n1"]}}
{"index":2,"time":10,"process":0,"type":"ok","f":"write","key":"x","node":"n2"}
"""


def record(path: Path | None, events: list[Op] = EVENTS) -> Recorder:
    clock = itertools.count(0, 5)
    with Recorder(path, lambda: next(clock)) as recorder:
        for event in events:
            recorder.record(event)
    return recorder


def test_the_same_events_are_always_the_same_bytes(tmp_path: Path) -> None:
    record(tmp_path / "a")
    record(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes().startswith(LINES)


def test_memory_and_file_hold_the_same_history(tmp_path: Path) -> None:
    recorder = record(tmp_path / "history.jsonl")
    assert list(recorder.history()) == list(read(tmp_path / "history.jsonl"))
    assert list(recorder.history()) == list(record(None).history())
    assert len(recorder) == len(EVENTS)


def test_each_event_can_be_read_as_soon_as_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with Recorder(path, lambda: 7) as recorder:
        for count, event in enumerate(EVENTS, 1):
            recorded = recorder.record(event)
            assert (recorded.index, recorded.time) == (count - 1, 7)
            assert list(read(path)) == list(recorder.history())


def test_what_a_client_does_to_a_value_later_does_not_change_the_history() -> None:
    value = [1]
    recorder = Recorder(None, lambda: 0)
    recorder.record(Op(-1, -1, 0, "invoke", "append", value=value))
    value.append(2)
    assert recorder.history()[0].value == [1]


def test_a_history_is_never_overwritten(tmp_path: Path) -> None:
    record(tmp_path / "history.jsonl")
    with pytest.raises(HistoryError, match=r"history\.jsonl exists"):
        record(tmp_path / "history.jsonl")


def test_a_history_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be written: No such file or directory"):
        Recorder(tmp_path / "none" / "history.jsonl", lambda: 0)


def test_a_disk_that_is_full_is_said() -> None:
    with (
        Path("/dev/full").open("ab", buffering=0) as full,
        pytest.raises(HistoryError, match="No space"),
    ):
        jsonl._write(full, b"{}\n")


def test_a_disk_that_fills_while_a_run_goes_on_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    said = r"full cannot be written \(No space left on device\): free"
    with Path("/dev/full").open("ab") as full:
        monkeypatch.setattr(jsonl, "_new_file", lambda path: full)
        with (
            pytest.raises(HistoryError, match=said),
            Recorder(Path("history.jsonl"), lambda: 0) as recorder,
        ):
            recorder.record(invoke("next"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({1, 2}, "cannot hold set: give a sorted list"),
        (b"\x00", "cannot hold bytes: give text, in hex or base64"),
        (2**64, "needs more than 64 bits"),
        (-(2**63) - 1, "needs more than 64 bits"),
        (float("nan"), "cannot hold nan"),
        (float("inf"), "cannot hold inf"),
        ({1: 2}, "a map with the key 1"),
        ("\ud800", "half a surrogate pair"),
        (uuid.UUID(int=1), "cannot hold UUID"),
        (object(), "cannot hold object"),
        ([[{"a": {1}}]], "cannot hold set"),
    ],
)
@pytest.mark.parametrize("field", ["key", "value", "error"])
def test_what_json_lacks_is_refused_when_it_is_recorded(
    tmp_path: Path, field: str, value: Any, reason: str
) -> None:
    with Recorder(tmp_path / "history.jsonl", lambda: 0) as recorder:
        recorder.record(Op(-1, -1, 0, "invoke", "add"))
        with pytest.raises(HistoryError, match=f"event 1, ok add by 0: .*{reason}"):
            recorder.record(Op(-1, -1, 0, "ok", "add", **{field: value}))
        recorder.record(Op(-1, -1, 0, "ok", "add"))
    assert len(read(tmp_path / "history.jsonl")) == 2


def test_enumerations_become_their_values_and_tuples_lists() -> None:
    assert plain([Level.QUORUM, Number.ONE, (1, 2)]) == ["quorum", 1, [1, 2]]
    assert [type(one) for one in plain([Level.QUORUM, Number.ONE, True])] == [str, int, bool]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.text(), values, values, st.none() | st.text()), max_size=5))
def test_any_plain_event_is_read_back_as_it_was_recorded(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[str, Any, Any, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "history.jsonl"
    events = [
        Op(-1, -1, process, "invoke", f, key=key, value=value, error=value, node=node)
        for process, (f, key, value, node) in enumerate(fields)
    ]
    recorder = record(path, events)
    assert list(read(path)) == list(recorder.history())


@pytest.mark.parametrize("chunk_bytes", [64, 512 << 10])
def test_a_run_killed_at_any_byte_of_its_last_line_is_readable(
    tmp_path: Path, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "history.jsonl"
    whole = list(record(path).history())
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, len(data) - 1) + 1
    for end in range(start + 1, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.warns(HistoryWarning, match=r"history\.jsonl, line 5: dropped"):
            assert list(read(path)) == whole[:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end, events in ((start, 4), (len(data) - 1, 5), (len(data), 5)):
            path.write_bytes(data[:end])
            assert list(read(path)) == whole[:events]


@pytest.mark.parametrize("chunk_bytes", [64, 512 << 10])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object but list"),
        (b'{"index":3,"time":9,"process":3}', "type, f missing"),
        (b'{"index":3,"time":9,"process":3,"type":"done","f":"add"}', "type must be one of"),
        (b'{"index":3,"time":1.5,"process":3,"type":"ok","f":"add"}', "time must be an integer"),
        (b'{"index":3,"time":9,"process":-1,"type":"ok","f":"add"}', "process -1 is negative"),
        (b'{"index":3,"time":9,"process":3,"type":"ok","f":7}', "f must be text, not int"),
        (b'{"index":3,"time":9,"process":3,"type":"ok","f":"a","node":[]}', "node must be text"),
        (b'{"index":3,"time":9},{"index":4,"time":9}', "not JSON"),
        (b"\xff", "not JSON"),
    ],
)
def test_a_malformed_line_is_named_with_file_number_and_reason(
    tmp_path: Path, line: bytes, reason: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "_CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "history.jsonl"
    rest = b'{"index":4,"time":9,"process":4,"type":"invoke","f":"read"}\n'
    for data in (LINES + line + b"\n" + rest, LINES + line + b"\n"):
        path.write_bytes(data)
        with pytest.raises(HistoryError, match=rf"history\.jsonl, line 4: .*{reason}"):
            read(path)


def test_impossible_events_are_named_with_their_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(LINES + b'{"index":3,"time":9,"process":0,"type":"ok","f":"write"}\n')
    with pytest.raises(HistoryError, match=r"history\.jsonl: event 3: process 0 completes"):
        read(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="none cannot be read: No such file"):
        read(tmp_path / "none")
    with pytest.raises(HistoryError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_blank_lines_and_an_empty_file_hold_no_events(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"")
    assert len(read(path)) == 0
    path.write_bytes(b"\n" + LINES.replace(b"\n", b"\n\n"))
    assert len(read(path)) == 3


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.jsonl"
    processes = range(40)
    record(path, [Op(-1, -1, p, "invoke", f"f{p % 7}", value=p, node=f"n{p % 3}") for p in processes])
    whole = read(path)
    for size in (1, 7, 100, 1000):
        monkeypatch.setattr(jsonl, "_CHUNK_BYTES", size)
        part: History = read(path)
        assert list(part) == list(whole)
        assert part.fs == whole.fs


def test_the_collector_is_as_it_was_after_loading(tmp_path: Path) -> None:
    record(tmp_path / "history.jsonl")
    read(tmp_path / "history.jsonl")
    assert gc.isenabled()
    with pytest.raises(HistoryError):
        read(tmp_path / "none")
    assert gc.isenabled()
