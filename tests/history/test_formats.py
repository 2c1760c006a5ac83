"""Foreign histories: known by their content, read by their own rules, written so that they return."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history import formats
from history.errors import HistoryError, HistoryWarning
from history.formats import FORMATS, Format, detect, read, write
from history.history import FAIL, INFO, OK, History
from history.op import Op, OpType

RECORDED = Path(os.environ.get("WINDTUNNEL_HISTORIES", Path(__file__).parents[3] / "shared/histories"))
needs_recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"no recorded histories in {RECORDED}: set WINDTUNNEL_HISTORIES"
)

LOG = """\
lein test jepsen.etcd-test
INFO  jepsen.os.debian - :n1 setting up debian
INFO  jepsen.util - 0\t:invoke\t:read\tnil
INFO  jepsen.util - :nemesis\t:info\t:start\t"Cut off {:n1 #{:n2}}"
INFO  jepsen.util - 0\t:ok\t:read\tnil
INFO  jepsen.util - 1\t:invoke\t:cas\t[4 1]
INFO  jepsen.util - 1\t:fail\t:cas\t[4 1]
INFO  jepsen.util - 2\t:invoke\t:write\t3
INFO  jepsen.util - 2\t:info\t:write\t:timed-out
INFO  jepsen.util - 3\t:invoke\t:read\tnil
INFO  jepsen.util - 3\t:fail\t:read\t:timed-out
INFO  jepsen.util - 2\t:invoke\t:write\t4
INFO  jepsen.core - Everything looks good!
"""
EDN = "{:index 0, :time 5, :process 0, :type :invoke, :f :read, :value nil}\n"
JSON = '{"index": 0, "time": 5, "process": 0, "type": "invoke", "f": "read", "value": null}'
COLONS = '{":index": 0, ":process": ":nemesis", ":type": ":info", ":f": ":kill", ":value": {"n1": 2}}'
KV = '{:process 6, :type :invoke, :f :append, :key "0", :value "x 6 0 y"}\n'


def parsed(tmp_path: Path, text: str) -> History:
    path = tmp_path / "history"
    path.write_text(text)
    return read(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "jsonl"),
        ('{"ind', "jsonl"),
        ('{"index":0,"time":1,"process":0,"type":"invoke","f":"read"}\n', "jsonl"),
        (JSON, "jsonl"),
        (f"[{JSON}]", "jepsen-json"),
        (f"[\n  {JSON}\n]", "jepsen-json"),
        (COLONS, "jepsen-json"),
        ('{"process": 0, "type": "invoke", "f": "read"}', "jepsen-json"),
        (EDN, "jepsen-edn"),
        (f"; a comment\n{EDN}", "jepsen-edn"),
        ("#jepsen.history.Op{:process 0, :type :invoke, :f :read}", "jepsen-edn"),
        (f"[{EDN}]", "knossos-edn"),
        (f"; a comment\n\n({EDN})", "knossos-edn"),
        (KV, "porcupine-kv"),
        (LOG, "jepsen-log"),
    ],
)
def test_a_format_is_known_by_its_content(tmp_path: Path, text: str, expected: Format) -> None:
    (tmp_path / "history").write_text(text)
    assert detect(tmp_path / "history") == expected


@pytest.mark.parametrize("content", ["call enq(1)", "\n\nhello\n"])
def test_what_is_no_history_is_refused_with_the_formats_that_are_known(
    tmp_path: Path, content: str
) -> None:
    with pytest.raises(
        HistoryError, match=r"history is no history in a known format, which are jsonl, "
    ):
        parsed(tmp_path, content)


def test_a_log_is_read_among_its_chatter(tmp_path: Path) -> None:
    history = parsed(tmp_path, LOG)
    table = history.operations()
    assert len(history) == 10
    assert table.process.tolist() == [0, 1, 2, 3, 2]
    assert table.outcome.tolist() == [OK, FAIL, INFO, FAIL, INFO]
    assert table.value == [None, [4, 1], 3, None, 4]
    assert table.error == [None, None, "timed-out", "timed-out", None]
    assert history.nemesis()[0].value == "Cut off {:n1 #{:n2}}"


@pytest.mark.parametrize("shape", ["{}", "[{}]", "({})", "; comment\n[\n{}]", "#_ 1 {}"])
def test_edn_is_one_vector_one_list_or_a_map_per_event(tmp_path: Path, shape: str) -> None:
    events = (
        "{:process 1, :type :invoke, :f :read, :value nil}\n"
        "#jepsen.history.Op{:process 1, :type :ok, :f :read, :value #{2 10 1}, :link [:a \\b sym]}\n"
        '{:process :nemesis, :type :info, :f :stop, :value {:n1 #inst "2015", [1 2] 3}}\n'
        "{:process 101, :type :fail, :f :write, :error [:temporarily-unavailable nil]}"
    )
    assert list(parsed(tmp_path, shape.format(events))) == [
        Op(0, -1, 1, "invoke", "read"),
        Op(1, -1, 1, "ok", "read", value=[1, 2, 10]),
        Op(2, -1, "nemesis", "info", "stop", value={"n1": "2015", "[1 2]": 3}),
        Op(3, -1, 101, "fail", "write", error=["temporarily-unavailable", None]),
    ]


@pytest.mark.parametrize("shape", ["{0}\n{1}", "[{0},{1}]", "[\n{0},\n{1}\n]\n", "{0}\n\n{1}\n"])
def test_json_is_one_array_or_an_object_per_line(tmp_path: Path, shape: str) -> None:
    other = (
        '{"process": 0, "type": "invoke", "f": "read", "value": 340282366920938463463374607431768211456}'
    )
    assert list(parsed(tmp_path, shape.format(COLONS, other))) == [
        Op(0, -1, "nemesis", "info", "kill", value={"n1": 2}),
        Op(1, -1, 0, "invoke", "read", value=2**128),
    ]


def test_indices_that_do_not_ascend_are_counted_anew(tmp_path: Path) -> None:
    history = parsed(
        tmp_path, EDN.replace(":index 0", ":index 4") + EDN.replace(":process 0", ":process 1")
    )
    assert history.index.tolist() == [0, 1]
    assert parsed(tmp_path, EDN.replace(":index 0", ":index 4")).index.tolist() == [4]


def test_a_foreign_process_may_act_again_after_info(tmp_path: Path) -> None:
    events = [EDN, EDN.replace(":invoke", ":info"), EDN, EDN.replace(":invoke", ":ok")]
    table = parsed(tmp_path, "".join(events)).operations()
    assert table.outcome.tolist() == [INFO, OK]


def test_a_torn_last_line_of_our_own_is_dropped(tmp_path: Path) -> None:
    with pytest.warns(HistoryWarning, match="line 2: dropped"):
        assert len(parsed(tmp_path, f"{JSON}\n{JSON[:20]}")) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{JSON}\n{{\n{JSON}", "line 2: not JSON"),
        (f"[{JSON},\n{JSON}", "line 2: not JSON"),
        (f"{COLONS}\n{{]", "line 2: not JSON"),
        (f"{COLONS}\n[]", "line 2: an event must be a map, not list"),
        (f"{EDN}[1]", "line 2: an event must be a map, not list"),
        (f"{EDN}{{:process", "line 2: { is never closed"),
        (f"{EDN}{{:process 1 :f :read}}", "line 2: the event has no type"),
        (f"[{EDN} {{:process 1 :f :read :type :done}}]", "event 1: type 'done' is none of invoke"),
        (EDN.replace(":process 0", ":process -1"), "line 1: process -1 is neither a number nor a name"),
        (EDN.replace(":f :read", ":f 3"), "line 1: f must be a name, not 3"),
        (LOG + "INFO  jepsen.util - 9\t:ok\t:read\t[", "line 14: \\[ is never closed"),
    ],
)
def test_a_malformed_history_is_named_with_file_line_and_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(HistoryError, match=rf"{tmp_path}/history, {reason}"):
        parsed(tmp_path, text)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "history").write_bytes(b"INFO \xff")
    with pytest.raises(HistoryError, match="no UTF-8 at byte 5"):
        read(tmp_path / "history")
    with pytest.raises(HistoryError, match="none cannot be read: No such file"):
        read(tmp_path / "none")


types: st.SearchStrategy[OpType] = st.sampled_from(["invoke", "ok", "fail", "info"])
names = st.from_regex(r"[a-z][a-z-]{0,6}", fullmatch=True)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
events = st.tuples(
    st.integers(0, 5) | names,
    types,
    names | st.just("set clock"),
    values,
    values,
    values,
    st.none() | st.text(),
)
_HELD: dict[Format, Sequence[str]] = {
    "jsonl": ("index", "time", "key", "value", "error", "node"),
    "jepsen-edn": ("index", "time", "key", "value", "error", "node"),
    "jepsen-json": ("index", "time", "key", "value", "error", "node"),
    "jepsen-log": ("value", "error"),
    "porcupine-kv": ("key", "value"),
    "knossos-edn": ("value", "error"),
}


def history_of(rows: Sequence[tuple[Any, ...]], held: Sequence[str], *, spaces: bool) -> History:
    """A history that uses nothing but what ``held`` names; not well-formed, as foreign ones are not."""
    ops = []
    for position, (process, type_, f, *rest) in enumerate(rows):
        fields = dict(zip(("key", "value", "error", "node"), rest, strict=True))
        ops.append(
            Op(
                3 * position if "index" in held else position,
                7 * position if "time" in held else -1,
                process,
                type_,
                f if spaces else f.replace(" ", "-"),
                **{name: value for name, value in fields.items() if name in held},
            )
        )
    return History.from_ops(ops, strict=False)


@pytest.mark.parametrize("format_", [one for one in FORMATS if one != "jsonl"])
@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=st.lists(events, min_size=1, max_size=6))
def test_what_is_written_in_a_format_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, format_: Format, rows: list[tuple[Any, ...]]
) -> None:
    path = tmp_path_factory.mktemp("formats") / "history"
    history = history_of(rows, _HELD[format_], spaces=format_ != "jepsen-log")
    write(history, path, format=format_)
    assert list(read(path)) == list(history)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rows=st.lists(events, max_size=6))
def test_our_own_format_returns_every_field(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]
) -> None:
    path = tmp_path_factory.mktemp("formats") / "history"
    invocations = [(process, "invoke", *rest) for process, (_, _, *rest) in enumerate(rows)]
    history = history_of(invocations, _HELD["jsonl"], spaces=True)
    write(history, path, format="jsonl")
    assert list(read(path)) == list(history)
    assert detect(path) == "jsonl"


@pytest.mark.parametrize("format_", FORMATS)
def test_an_empty_history_returns_empty(tmp_path: Path, format_: Format) -> None:
    write(History.from_ops([]), tmp_path / "history", format=format_)
    assert len(read(tmp_path / "history")) == 0


def test_a_format_without_keys_refuses_them(tmp_path: Path) -> None:
    history = History.from_ops([Op(0, 0, 0, "invoke", "read", key="x")])
    for format_ in ("jepsen-log", "knossos-edn"):
        with pytest.raises(HistoryError, match=f"{format_} has no keys"):
            write(history, tmp_path / "history", format=format_)


def test_what_a_format_cannot_hold_is_said_with_its_event(tmp_path: Path) -> None:
    history = History.from_ops([Op(0, 0, 0, "invoke", "add", value={1})])
    for format_ in ("jsonl", "jepsen-json"):
        with pytest.raises(HistoryError, match="event 0, add by 0: "):
            write(history, tmp_path / "history", format=format_)


def test_an_unknown_format_and_a_path_that_cannot_be_written_are_said(tmp_path: Path) -> None:
    history, unknown = History.from_ops([]), cast(Format, "xml")
    with pytest.raises(HistoryError, match="'xml' is no format of a history; known are jsonl, "):
        write(history, tmp_path / "history", format=unknown)
    with pytest.raises(HistoryError, match="cannot be written: Is a directory"):
        write(history, tmp_path)


@needs_recorded
@pytest.mark.parametrize(
    ("folder", "files", "format_", "events"),
    [
        ("etcd", 50, "jepsen-log", 8354),
        ("kv", 4, "porcupine-kv", 1676),
        ("knossos", 23, "knossos-edn", 12806),
    ],
)
def test_every_recorded_history_is_read_whole(
    folder: str, files: int, format_: Format, events: int
) -> None:
    paths = sorted(path for path in (RECORDED / folder).rglob("*.*") if path.is_file())
    histories = [formats.read(path) for path in paths]
    assert {detect(path) for path in paths} == {format_}
    assert (len(paths), sum(map(len, histories))) == (files, events)


@needs_recorded
def test_recorded_etcd_operations_are_those_that_were_counted_in_the_files() -> None:
    tables = [read(path).operations() for path in sorted((RECORDED / "etcd").glob("*.log"))]
    outcomes = [sum(len(table.where(outcome=one)) for table in tables) for one in (OK, FAIL, INFO)]
    assert outcomes == [1317 + 116 + 1000 + 222, 884, 339 + 299]
