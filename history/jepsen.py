"""Jepsen's own histories, as EDN or JSON, and those of tools that speak the same (Knossos, Porcupine).

An event is a map of ``:process :type :f :value`` and, where known, ``:index :time :key :error :node``;
other entries are passed over. What is no JSON data comes in as the nearest that is: keywords, symbols
and characters as text, sets as sorted lists, keys of maps as text, tagged forms as what they tag.
``fail`` stays in the history: whether it constrains anything is the model's business.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from history import edn
from history.errors import HistoryError
from history.op import OP_TYPES, Op

FIELDS = ("index", "time", "process", "type", "f", "key", "value", "error", "node")
_ALWAYS = frozenset({"process", "type", "f", "value"})


def ops_of_edn(text: str) -> list[Op]:
    """The events of one vector or list, or a map per event; HistoryError with line and reason."""
    forms = list(edn.read_forms(text))
    if len(forms) == 1 and isinstance(forms[0][1], list | tuple):
        events: Iterable[tuple[str, Any]] = (
            (f"event {position}", form) for position, form in enumerate(forms[0][1])
        )
    else:
        events = ((f"line {line}", form) for line, form in forms)
    return numbered([op(_untagged(form), where) for where, form in events])


def _untagged(form: Any) -> Any:
    """``#jepsen.history.Op{...}`` is the map it tags."""
    return data(form.form if isinstance(form, edn.Tagged) else form)


def ops_of_json(text: str) -> list[Op]:
    """The events of one array, or an object per line; HistoryError with line and reason."""
    if text.lstrip().startswith("["):
        events = [(f"event {position}", one) for position, one in enumerate(_json(text, 1))]
    else:
        lines = enumerate(text.split("\n"), 1)
        events = [(f"line {number}", _json(line, number)) for number, line in lines if line.strip()]
    return numbered([op(_without_colons(event), where) for where, event in events])


def _json(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise HistoryError(f"line {line + error.lineno - 1}: not JSON, {error.msg}") from None


def _without_colons(event: Any) -> Any:
    if not isinstance(event, dict):
        return event
    fields = {name.removeprefix(":"): value for name, value in event.items()}
    names = {n: fields[n] for n in ("type", "f", "process") if isinstance(fields.get(n), str)}
    return fields | {name: value.removeprefix(":") for name, value in names.items()}


def op(event: Any, where: str) -> Op:
    """A map of JSON data as an event; HistoryError with ``where`` and the reason if it is none."""
    if not isinstance(event, dict):
        raise HistoryError(f"{where}: an event must be a map, not {type(event).__name__}")
    for name in ("process", "type", "f"):
        if event.get(name) is None:
            raise HistoryError(f"{where}: the event has no {name}")
    if event["type"] not in OP_TYPES:
        raise HistoryError(f"{where}: type {event['type']!r} is none of {', '.join(OP_TYPES)}")
    if not isinstance(event["process"], str) and not _counts(event["process"]):
        raise HistoryError(f"{where}: process {event['process']!r} is neither a number nor a name")
    if not isinstance(event["f"], str):
        raise HistoryError(f"{where}: f must be a name, not {event['f']!r}")
    return Op(
        index=event["index"] if _counts(event.get("index")) else -1,
        time=event["time"] if _counts(event.get("time")) else -1,
        process=event["process"],
        type=event["type"],
        f=event["f"],
        key=event.get("key"),
        value=event.get("value"),
        error=event.get("error"),
        node=event["node"] if isinstance(event.get("node"), str) else None,
    )


def _counts(number: Any) -> bool:
    return type(number) is int and 0 <= number < 2**63


def numbered(ops: Sequence[Op]) -> list[Op]:
    """The events with their own indices if those ascend, else counted from 0 as they stand."""
    indices = [op.index for op in ops]
    ascend = all(a < b for a, b in pairwise(indices))
    if ascend and -1 not in indices:
        return list(ops)
    return [replace(op, index=position) for position, op in enumerate(ops)]


def data(form: Any) -> Any:
    """An EDN form as JSON data."""
    if isinstance(form, edn.Keyword | edn.Symbol):
        return form.name
    if isinstance(form, edn.Char):
        return form.text
    if isinstance(form, edn.Tagged):
        return data(form.form)
    if isinstance(form, list | tuple):
        return [data(one) for one in form]
    if isinstance(form, frozenset):
        return [data(one) for one in sorted(form, key=_rank)]
    if isinstance(form, dict):
        return {_key(key): data(value) for key, value in form.items()}
    return form


def _rank(form: Any) -> tuple[bool, float, str]:
    """Numbers by size, then everything else by its text: an order that no hash seed changes."""
    if isinstance(form, int | float):
        return False, form, ""
    return True, 0, edn.write(_sequence(form))


def _key(form: Any) -> str:
    name = data(form)
    return name if isinstance(name, str) else edn.write(_sequence(form))


def _sequence(form: Any) -> Any:
    """Collections lose their kind as keys; they were vectors, most likely."""
    return [_sequence(one) for one in form] if isinstance(form, tuple) else form


def edn_lines(ops: Iterable[Op], fields: Sequence[str] = FIELDS) -> Iterator[str]:
    """Each event as an EDN map of those ``fields`` that it has; process, type, f and value always."""
    for op in ops:
        entries = {edn.Keyword(name): value for name, value in _entries(op, fields).items()}
        yield edn.write(entries)


def _entries(op: Op, fields: Sequence[str]) -> Mapping[str, Any]:
    named = {"type": edn.Keyword(op.type), "f": keyword(op.f), "process": keyword(op.process)}
    return {name: named.get(name, value) for name, value in _known(op).items() if name in fields}


def _known(op: Op) -> dict[str, Any]:
    """The event's fields without those that it lacks."""
    fields = {name: getattr(op, name) for name in FIELDS}
    lacks = [n for n, v in fields.items() if n not in _ALWAYS and v is None]
    lacks += [name for name in ("index", "time") if fields[name] < 0]
    return {name: value for name, value in fields.items() if name not in lacks}


def keyword(name: Any) -> Any:
    """Text as a keyword where it can be one; anything else as it is."""
    return edn.Keyword(name) if isinstance(name, str) and edn.is_name(name) else name


def json_lines(ops: Iterable[Op]) -> Iterator[str]:
    """Each event as a JSON object without the entries it lacks; process, type, f and value always."""
    for op in ops:
        try:
            yield json.dumps(_known(op))
        except TypeError as error:
            raise HistoryError(f"event {op.index}, {op.f} by {op.process}: {error}") from None
