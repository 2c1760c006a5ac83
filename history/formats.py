"""Histories in any known format: which one it is, reading it, and writing one.

=============== ========================================================================
``jsonl``       our own: an event per line (``history.jsonl``)
``jepsen-edn``  Jepsen's ``history.edn``: a map per line, or one vector, or one list
``jepsen-json`` an array of objects or one per line, their keys with or without a colon
``jepsen-log``  lines of ``jepsen.util``: Porcupine's etcd histories
``porcupine-kv`` a map of process, type, f, key and value per line
``knossos-edn`` one vector of maps of process, type, f, value and error
=============== ========================================================================

A foreign history's events need no index or time (then -1) and are paired as far as they can be; in our
own, an event that no single-threaded client can have recorded is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

import orjson

from history import jepsen, jepsen_log, jsonl
from history.errors import HistoryError
from history.history import History
from history.op import OP_TYPES, Op
from history.plain import plain

Format: TypeAlias = Literal[
    "jsonl", "jepsen-edn", "jepsen-json", "jepsen-log", "porcupine-kv", "knossos-edn"
]
FORMATS: tuple[Format, ...] = get_args(Format)

_HEAD_BYTES = 64 << 10
_COMMENTS = re.compile(r"\A(?:[\s,]|;[^\n]*(?:\n|$))*")
_KV_FIELDS = ("process", "type", "f", "key", "value")
_KNOSSOS_FIELDS = ("process", "type", "f", "value", "error")
_KEYLESS: frozenset[Format] = frozenset({"jepsen-log", "knossos-edn"})


def detect(path: Path) -> Format:
    """The format of the history in ``path``, by its content; HistoryError if it is unknown."""
    head = _head(path).lstrip()
    if not head or _is_ours(head):
        return "jsonl"
    text = _text(path)
    if re.match(r'\s*(?:\{|\[\s*\{)\s*"', text):
        return "jepsen-json"
    if jepsen_log.is_log(text):
        return "jepsen-log"
    body = _COMMENTS.sub("", text, count=1)
    if body.startswith(("[", "(")):
        return "knossos-edn"
    if body.startswith(("{", "#")):
        return "porcupine-kv" if ":key" in body.split("\n", 1)[0] else "jepsen-edn"
    raise HistoryError(f"{path} is no history in a known format, which are {', '.join(FORMATS)}")


def _is_ours(head: bytes) -> bool:
    """Whether the first line is an event as we write them, or the torn beginning of one."""
    first, newline, _ = head.partition(b"\n")
    try:
        event = orjson.loads(first)
    except orjson.JSONDecodeError:
        return first.startswith(b'{"index"') or (not newline and b'{"index"'.startswith(first))
    return (
        isinstance(event, dict) and {"index", "time"} <= event.keys() and event.get("type") in OP_TYPES
    )


def read(path: Path) -> History:
    """The history in ``path``, whatever its format.

    Raises HistoryError, with file, line and reason, if it cannot be read; warns as ``jsonl.read`` does.
    """
    format_ = detect(path)
    if format_ == "jsonl":
        return jsonl.read(path)
    try:
        return History.from_ops(_READERS[format_](_text(path)), strict=False)
    except HistoryError as error:
        raise HistoryError(f"{path}, {error}") from None


_READERS: Mapping[Format, Callable[[str], list[Op]]] = MappingProxyType(
    {
        "jepsen-edn": jepsen.ops_of_edn,
        "jepsen-json": jepsen.ops_of_json,
        "jepsen-log": jepsen_log.ops_of_log,
        "porcupine-kv": jepsen.ops_of_edn,
        "knossos-edn": jepsen.ops_of_edn,
    }
)


def write(history: History, path: Path, *, format: Format = "jsonl") -> None:
    """Write ``history`` to ``path`` in ``format``; what was there is replaced.

    Raises HistoryError for a format that is not known, for keys in a format that has none, for values
    the format cannot hold, and if the file cannot be written. ``jepsen-log``, ``porcupine-kv`` and
    ``knossos-edn`` hold neither index, time nor node, and ``porcupine-kv`` no error.
    """
    if format not in FORMATS:
        raise HistoryError(f"{format!r} is no format of a history; known are {', '.join(FORMATS)}")
    if format in _KEYLESS and any(key is not None for key in history.key):
        raise HistoryError(f"{format} has no keys: write the history of one key (History.by_key)")
    text = _WRITERS[format](history)
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {error.strerror}") from None


def _jsonl(ops: Iterable[Op]) -> str:
    return b"".join(jsonl.line(_plain(op)) for op in ops).decode()


def _plain(op: Op) -> Op:
    try:
        return replace(op, key=plain(op.key), value=plain(op.value), error=plain(op.error))
    except HistoryError as error:
        raise HistoryError(f"event {op.index}, {op.f} by {op.process}: {error}") from None


_WRITERS: Mapping[Format, Callable[[Iterable[Op]], str]] = MappingProxyType(
    {
        "jsonl": _jsonl,
        "jepsen-edn": lambda ops: _lines(jepsen.edn_lines(ops)),
        "jepsen-json": lambda ops: "[" + ",\n ".join(jepsen.json_lines(ops)) + "]\n",
        "jepsen-log": lambda ops: _lines(jepsen_log.log_lines(ops)),
        "porcupine-kv": lambda ops: _lines(jepsen.edn_lines(ops, _KV_FIELDS)),
        "knossos-edn": lambda ops: "[" + "\n ".join(jepsen.edn_lines(ops, _KNOSSOS_FIELDS)) + "]\n",
    }
)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise HistoryError(f"{path} cannot be read: it is no UTF-8 at byte {error.start}") from None
