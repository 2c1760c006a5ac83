"""Schedules as JSON files.

A schedule file is a list of faults, ``[{"at_s": 1.5, "kind": "kill", "nodes": ["n1"], "duration_s": 4,
"args": {}}, ...]``; ``args`` may be left out, ``duration_s`` where the kind needs none.
``"nodes": ["primaries"]`` stands for whoever leads when the fault begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from nemesis.errors import ScheduleError, unknown
from nemesis.fault import Fault, Schedule
from nemesis.kinds.kind import is_number
from nemesis.schedule import check_fault

_FIELDS = ("at_s", "kind", "nodes", "duration_s", "args")
_DECODER = json.JSONDecoder()
_BLANK = " \t\r\n"


def read(path: Path, *, nodes: Sequence[str]) -> Schedule:
    """The schedule in a file. Raises ScheduleError with file, line and reason, and OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ScheduleError("this is not UTF-8", source=str(path), line=line) from None
    return parse(text, source=str(path), nodes=nodes)


def parse(text: str, *, source: str, nodes: Sequence[str]) -> Schedule:
    """The schedule in ``text``, which stands in ``source``. Raises ScheduleError."""
    faults = []
    for number, (line, item) in enumerate(_items(text, source)):
        try:
            fault = from_json(item)
            check_fault(fault, nodes)
        except ScheduleError as error:
            raise ScheduleError(f"fault {number}: {error.reason}", source=source, line=line) from None
        faults.append(fault)
    return tuple(faults)


def from_json(item: Any) -> Fault:
    """The fault in one item of a file; its fields are checked, not what they say. ScheduleError."""
    if not isinstance(item, Mapping):
        raise ScheduleError(f"this is {item!r}; a fault is an object with {', '.join(_FIELDS)}")
    for name in item:
        if name not in _FIELDS:
            raise unknown("field", name, _FIELDS)
    for name in ("at_s", "kind", "nodes"):
        if name not in item:
            raise ScheduleError(f"the field {name!r} is missing")
    return Fault(
        at_s=_number(item, "at_s"),
        kind=_kind(item),
        nodes=_nodes(item),
        duration_s=_number(item, "duration_s"),
        args=_args(item),
    )


def to_json(fault: Fault) -> dict[str, Any]:
    """The fault as an item of a schedule file."""
    return {
        "at_s": fault.at_s,
        "kind": fault.kind,
        "nodes": list(fault.nodes),
        "duration_s": fault.duration_s,
        "args": dict(fault.args),
    }


def dumps(schedule: Schedule) -> str:
    """The schedule as the text of a file, one fault per line."""
    lines = ",\n".join("  " + orjson.dumps(to_json(fault)).decode() for fault in schedule)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def write(path: Path, schedule: Schedule) -> None:
    """Write the schedule to a file. Raises OSError."""
    path.write_text(dumps(schedule), encoding="utf-8")


def _number(item: Mapping[str, Any], name: str) -> float:
    value = item.get(name, 0)
    if not is_number(value):
        raise ScheduleError(f"{name} is {value!r}; it must be a number of seconds")
    return float(value)


def _kind(item: Mapping[str, Any]) -> str:
    kind = item["kind"]
    if not isinstance(kind, str):
        raise ScheduleError(f"kind is {kind!r}; it must be the name of a kind of fault")
    return kind


def _nodes(item: Mapping[str, Any]) -> tuple[str, ...]:
    nodes = item["nodes"]
    if not isinstance(nodes, list | tuple) or not all(isinstance(node, str) for node in nodes):
        raise ScheduleError(f"nodes is {nodes!r}; it must be a list of names of nodes")
    return tuple(nodes)


def _args(item: Mapping[str, Any]) -> dict[str, Any]:
    args = item.get("args", {})
    if not isinstance(args, Mapping):
        raise ScheduleError(f"args is {args!r}; it must be an object, of arguments by name")
    return dict(args)


def _items(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list, each with the line on which it begins."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise _malformed(text, at, source, "a schedule is a list of faults and begins with '['")
    at, first = _skip(text, at + 1), True
    while text[at : at + 1] != "]":
        if not first:
            at = _skip(text, _expect(text, at, source))
        item, end = _decoded(text, at, source)
        yield text.count("\n", 0, at) + 1, item
        at, first = _skip(text, end), False
    if _skip(text, at + 1) < len(text):
        raise _malformed(text, _skip(text, at + 1), source, "something stands after the schedule's end")


def _decoded(text: str, at: int, source: str) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _malformed(text, error.pos, source, error.msg) from None


def _expect(text: str, at: int, source: str) -> int:
    if text[at : at + 1] != ",":
        raise _malformed(text, at, source, "',' or ']' is expected after a fault")
    return at + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _malformed(text: str, at: int, source: str, reason: str) -> ScheduleError:
    return ScheduleError(reason, source=source, line=text.count("\n", 0, at) + 1)
