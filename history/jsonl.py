"""Histories as JSON lines, one event per line, written while the run goes on.

A line holds the fields of ``Op`` in their order, without those that are None. What values may be
says ``history.plain``. Each line is flushed when it is written, so that of a killed run at most the
last line is torn; that line is dropped, with a warning, when the file is read.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from warnings import warn

import orjson

from history.columns import Columns
from history.errors import HistoryError, HistoryWarning
from history.history import History
from history.op import Op
from history.plain import plain

_CHUNK_BYTES = 512 << 10
"""Small enough that the parsed events stay in the cache; 4 MiB takes twice as long."""
_REQUIRED = ("index", "time", "process", "type", "f")
_OPTIONAL = ("key", "value", "error", "node")


def line(op: Op) -> bytes:
    """The event as a line with its newline; HistoryError if one of its values is not plain."""
    fields: dict[str, Any] = {
        "index": op.index,
        "time": op.time,
        "process": op.process,
        "type": op.type,
        "f": op.f,
    }
    for name in _OPTIONAL:
        value = getattr(op, name)
        if value is not None:
            fields[name] = value
    try:
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        raise HistoryError(f"event {op.index}, {op.f} by {op.process}: {error}") from None


class Recorder:
    """Keeps the history of a run, in memory and, if ``path`` is given, in a new file as well.

    ``clock()`` is the time since the start of the run in nanoseconds. Use as a context manager, or
    ``close``. Raises HistoryError if the file exists or cannot be made.
    """

    def __init__(self, path: Path | None, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._ops: list[Op] = []
        self._file = None if path is None else _new_file(path)

    def record(self, op: Op) -> Op:
        """The event with its index, its time and plain values, once it is in the history.

        Raises HistoryError, and records nothing, if a value cannot be written or the file cannot grow.
        """
        try:
            recorded = Op(
                len(self._ops),
                self._clock(),
                op.process,
                op.type,
                op.f,
                plain(op.key),
                plain(op.value),
                plain(op.error),
                op.node,
            )
        except HistoryError as error:
            where = f"event {len(self._ops)}, {op.type} {op.f} by {op.process}"
            raise HistoryError(f"{where}: {error}") from None
        if self._file is not None:
            _write(self._file, line(recorded))
        self._ops.append(recorded)
        return recorded

    def history(self) -> History:
        """What has been recorded so far; HistoryError if a process did what no client can do."""
        return History.from_ops(self._ops)

    def __len__(self) -> int:
        return len(self._ops)

    def close(self) -> None:
        """Close the file; the history remains. Raises HistoryError if its end cannot be written."""
        if self._file is not None:
            with _written(self._file):
                self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _new_file(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError:
        raise HistoryError(f"{path} exists: a history is never overwritten, give another path") from None
    except OSError as error:
        raise HistoryError(f"{path} cannot be written: {error.strerror}") from None


def _write(file: BinaryIO, data: bytes) -> None:
    with _written(file):
        file.write(data)
        file.flush()


@contextmanager
def _written(file: BinaryIO) -> Iterator[None]:
    """What a full disk refuses stays in the buffer, and is refused again when the file is closed."""
    try:
        yield
    except OSError as error:
        raise HistoryError(
            f"{file.name} cannot be written ({error.strerror}): free space there or name another store"
        ) from None


def read(path: Path) -> History:
    """The history in ``path``.

    A torn last line is dropped with a HistoryWarning. Raises HistoryError, with file, line and reason,
    for a file that cannot be read, any other malformed line, and events that cannot follow each other.
    """
    columns = Columns()
    with _collector_off():
        try:
            with path.open("rb") as file:
                _gather(columns, _chunks(file), path)
        except OSError as error:
            raise HistoryError(f"{path} cannot be read: {error.strerror}") from None
        try:
            return History.from_columns(columns)
        except HistoryError as error:
            raise HistoryError(f"{path}: {error}") from None


@contextmanager
def _collector_off() -> Iterator[None]:
    """Millions of new objects, none of them garbage: the collector would only walk them in vain.

    Frozen and thawed they are among its oldest, which it hardly ever looks at; otherwise it would walk
    all of them as soon as it is on again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else somebody has frozen what this would thaw
            gc.freeze()
            gc.unfreeze()
        if was_on:
            gc.enable()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end with a line; the last one ends as the file does."""
    rest = b""
    while block := file.read(_CHUNK_BYTES):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            yield block[:end]
    if rest:
        yield rest


def _gather(columns: Columns, chunks: Iterator[bytes], path: Path) -> None:
    before = 0
    for chunk in chunks:
        lines = chunk.count(b"\n")
        events = _all_at_once(chunk, lines)
        if events is None or not _added(columns, events):
            _one_by_one(columns, chunk, before, path)
        before += lines


def _all_at_once(chunk: bytes, lines: int) -> list[Any] | None:
    """The lines as one JSON array, many times faster than line by line; None if they make none."""
    if not chunk.endswith(b"\n"):
        return None
    try:
        events: list[Any] = orjson.loads(b"[" + chunk[:-1].replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError:
        return None
    return events if len(events) == lines else None


def _added(columns: Columns, events: Sequence[Any]) -> bool:
    """Whether the events were added; a malformed one leaves the columns as they were."""
    try:
        here = set().union(*events)
        part = {name: [event[name] for event in events] for name in _REQUIRED}
        for name in _OPTIONAL:
            part[name] = [event.get(name) for event in events] if name in here else [None] * len(events)
        columns.add(**part)
    except (HistoryError, LookupError, TypeError, AttributeError):
        return False
    return True


def _one_by_one(columns: Columns, chunk: bytes, before: int, path: Path) -> None:
    *lines, last = chunk.split(b"\n")
    for number, text in enumerate(lines, before + 1):
        if text.strip():
            columns.add(**_fields(text, f"{path}, line {number}"))
    if last:
        _add_last(columns, last, f"{path}, line {before + len(lines) + 1}")


def _add_last(columns: Columns, text: bytes, where: str) -> None:
    """A line without its newline: whole if it parses, since no part of a JSON object is one."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        warn(f"{where}: dropped, the run ended while it was being written", HistoryWarning, stacklevel=2)
        return
    columns.add(**_fields(text, where))


def _fields(text: bytes, where: str) -> dict[str, list[Any]]:
    """One line as columns of one event; raises HistoryError with the reason why it is none."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HistoryError(f"{where}: not JSON, {error}") from None
    if not isinstance(event, dict):
        raise HistoryError(f"{where}: not a JSON object but {type(event).__name__}")
    missing = [name for name in _REQUIRED if name not in event]
    if missing:
        raise HistoryError(f"{where}: {', '.join(missing)} missing")
    fields = {name: [event.get(name)] for name in _REQUIRED + _OPTIONAL}
    try:
        Columns().add(**fields)
    except HistoryError as error:
        raise HistoryError(f"{where}: {error}") from None
    return fields
