"""The messages of a history as columns: what was sent, what was polled, where polling was to begin."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import index
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from history.history import FAIL, INFO, OK, History, Operations, hashable

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NOWHERE = -1
"""The offset of a message of which nobody knows where it went."""
_OUTCOMES = {"ok": OK, "fail": FAIL, "info": INFO}
_OTHER_VALUES = 1 << 62


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sends:
    """One row per message sent; in the order of the operations and of their steps.

    ``row`` is the operation, ``key`` the partition as a code, ``message`` the message's number,
    ``offset`` where it was acknowledged or NOWHERE, ``outcome`` OK, FAIL or INFO.
    """

    row: Ints
    key: Ints
    message: Ints
    offset: Ints
    outcome: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reads:
    """One row per message polled, in order; ``run`` counts the unbroken lists that it came in."""

    run: Ints
    key: Ints
    message: Ints
    offset: Ints
    row: Ints


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Runs:
    """The unbroken lists of polled messages: operation, place of the step in it, partition."""

    row: Ints
    place: Ints
    key: Ints


@dataclass(frozen=True, slots=True)
class Step:
    """Any other step of a successful or indeterminate operation: ``content`` by partition code."""

    row: int
    place: int
    name: str
    content: Mapping[int, Any]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Messages:
    """Everything. ``keys`` are the partitions by code, ``values`` and ``home`` those of messages."""

    operations: Operations
    keys: Sequence[Hashable]
    values: Sequence[Any] | Ints
    home: Ints
    sends: Sends
    reads: Reads
    runs: Runs
    steps: Sequence[Step]

    def named(self, message: int) -> str:
        """A message for a reader: its value and its partition."""
        return f"{self.values[message]} of {self.keys[int(self.home[message])]}"

    def full_readings(self) -> Mask:
        """Which operations read a partition to its end: nobody does so as the member of a group."""
        mask = np.zeros(len(self.operations), dtype=np.bool_)
        mask[[step.row for step in self.steps if step.name == "end"]] = True
        return mask

    def op(self, row: int) -> int:
        """The index of the event that completed an operation, or of its call if nothing did."""
        index = int(self.operations.ret_index[row])
        return index if index >= 0 else int(self.operations.index[row])


@dataclass(slots=True)
class _Sent:
    """The sends in columns; ``became`` are the outcomes, by place, of those that say so themselves."""

    row: list[int] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    became: dict[int, int] = field(default_factory=dict)

    def outcomes(self, operations: Operations) -> Ints:
        """What became of each; what has an offset was written, though the rest is not known."""
        outcome = operations.outcome[_ints(self.row)].astype(np.int64)
        outcome[(outcome == INFO) & (_ints(self.offset) >= 0)] = OK
        for place, code in self.became.items():
            outcome[place] = code
        return outcome


@dataclass(slots=True)
class _Gathered:
    """Columns as lists, while the operations are walked through."""

    keys: dict[Hashable, int] = field(default_factory=dict)
    known: dict[Any, int] = field(default_factory=dict)
    sent: _Sent = field(default_factory=_Sent)
    runs: list[int] = field(default_factory=list)
    polled: list[Sequence[Any]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def key(self, name: Any) -> int:
        """The code of a partition; a number as text is the number, as keys of maps are text."""
        if isinstance(name, list | dict):
            name = hashable(name)
        code = self.known.get(name)
        if code is None:
            plain = int(name) if isinstance(name, str) and name.isdecimal() else name
            code = NOWHERE if name is None else self.keys.setdefault(plain, len(self.keys))
            self.known[name] = code
        return code


def messages(history: History) -> Messages:
    """The messages of client operations. Raises ValueError for a step that is none."""
    operations = history.operations()
    gathered = _Gathered()
    _gather(gathered, operations)
    return _columns(operations, gathered)


def _gather(gathered: _Gathered, operations: Operations) -> None:
    """Long, and without calls for what is about sends: there are the most of them."""
    sent, known = gathered.sent, gathered.known
    add_row, add_key, add_offset = sent.row.append, sent.key.append, sent.offset.append
    row, value = -1, None
    try:
        for row, value in enumerate(operations.value):
            if type(value) is not list or not value or type(value[0]) is not list:
                continue
            for place, step in enumerate(value):
                if step[0] != "send":
                    _gather_other(gathered, row, place, step, int(operations.outcome[row]))
                    continue
                message, offset = step[2], NOWHERE
                if type(message) is list:
                    offset, message = message
                    if type(offset) is not int:
                        offset = NOWHERE if offset is None else index(offset)
                if len(step) > 3:
                    sent.became[len(sent.row)] = _OUTCOMES[step[3]]
                try:
                    add_key(known[step[1]])
                except (KeyError, TypeError):
                    add_key(gathered.key(step[1]))
                add_row(row)
                add_offset(offset)
                sent.value.append(message)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        where = f"op {operations.index[row]}"
        raise ValueError(f"{where} has steps that are none: {value!r} ({error})") from None


def _gather_other(gathered: _Gathered, row: int, place: int, step: Sequence[Any], outcome: int) -> None:
    if step[0] == "poll":
        for key, found in step[1].items() if len(step) > 1 else ():
            if found:
                gathered.runs += (row, place, gathered.key(key))
                gathered.polled.append(found)
    elif outcome != FAIL or (len(step) > 2 and step[2].get("type") == "info"):
        gathered.steps.append(_step(gathered, row, place, step))


def _step(gathered: _Gathered, row: int, place: int, step: Sequence[Any]) -> Step:
    name, content, *about = step
    if isinstance(content, Mapping):
        by_key = {gathered.key(key): one for key, one in content.items()}
    else:
        by_key = {gathered.key(key): None for key in content}
    return Step(row, place, name, by_key, about[0] if about else {})


def _columns(operations: Operations, gathered: _Gathered) -> Messages:
    counts = np.fromiter(map(len, gathered.polled), np.int64, len(gathered.polled))
    row, place, of_run = _table(gathered.runs, 3)
    runs = Runs(row=row, place=place, key=of_run)
    run = np.repeat(np.arange(len(counts)), counts)
    offset, polled = _pairs(gathered.polled, int(counts.sum()))
    sent = gathered.sent
    row, key, acked = (_ints(column) for column in (sent.row, sent.key, sent.offset))
    outcome = sent.outcomes(operations)
    value, names = _coded(polled, sent.value)
    read_key = runs.key[run]
    of_read, of_send = value[: len(run)], value[len(run) :]
    key = _found_keys(key, of_send, read_key, of_read)
    kept = key >= 0
    home, value = np.concatenate((read_key, key[kept])), np.concatenate((of_read, of_send[kept]))
    number, first = _numbers(home, value)
    home, code = home[first], value[first]
    return Messages(
        operations=operations,
        keys=tuple(gathered.keys),
        values=code if names is None else [names[one] for one in code.tolist()],
        home=home,
        sends=Sends(
            row=row[kept],
            key=key[kept],
            message=number[len(run) :],
            offset=acked[kept],
            outcome=outcome[kept],
        ),
        reads=Reads(run=run, key=read_key, message=number[: len(run)], offset=offset, row=runs.row[run]),
        runs=runs,
        steps=gathered.steps,
    )


def _ints(column: Sequence[int]) -> Ints:
    return np.fromiter(column, np.int64, len(column))


def _table(flat: Sequence[int], width: int) -> Iterator[Ints]:
    table = np.fromiter(flat, np.int64, len(flat)).reshape(-1, width)
    return (np.ascontiguousarray(column) for column in table.T)


def _pairs(polled: Sequence[Sequence[Any]], count: int) -> tuple[Ints, Sequence[Any] | Ints]:
    """Offsets and values of lists of pairs; the values as an array if they are numbers."""
    try:
        flat = np.fromiter(chain.from_iterable(chain.from_iterable(polled)), np.int64, 2 * count)
    except (ValueError, TypeError, OverflowError):
        pairs = list(chain.from_iterable(polled))
        return np.fromiter((offset for offset, _ in pairs), np.int64, count), [v for _, v in pairs]
    return flat[::2].copy(), flat[1::2].copy()


def _coded(polled: Sequence[Any] | Ints, sent: Sequence[Any]) -> tuple[Ints, list[Any] | None]:
    """Values as numbers, themselves if they are such; else codes, and the values by code."""
    if isinstance(polled, np.ndarray) and set(map(type, sent)) <= {int}:
        try:
            return np.concatenate((polled, np.fromiter(sent, np.int64, len(sent)))), None
        except OverflowError:
            pass
    codes: dict[Any, int] = {}
    values = [hashable(value) for value in chain(polled, sent)]
    return np.fromiter((codes.setdefault(v, len(codes)) for v in values), np.int64), list(codes)


def _found_keys(key: Ints, value: Ints, read_key: Ints, read_value: Ints) -> Ints:
    """Whoever was sent to no partition by name, and got no answer, is where it was polled, if it was."""
    lost = np.flatnonzero(key < 0)
    if not len(lost) or not len(read_value):
        return key
    order = np.argsort(read_value, kind="stable")
    place = np.minimum(np.searchsorted(read_value[order], value[lost]), len(order) - 1)
    seen = read_value[order][place] == value[lost]
    found = key.copy()
    found[lost[seen]] = read_key[order[place[seen]]]
    return found


def _numbers(key: Ints, value: Ints) -> tuple[Ints, Ints]:
    """A number for each different pair, and where each number stands first."""
    _, first, number = np.unique(codes(key, value), return_index=True, return_inverse=True)
    return number.astype(np.int64), first


def codes(major: Ints, minor: Ints) -> Ints:
    """Numbers that are equal and ordered as the pairs are. ``major`` are small, ``minor`` anything.

    Memory goes with the number of pairs, never with how large they are.
    """
    if not len(major):
        return major
    low, high = int(minor.min()), int(minor.max())
    if (int(major.max()) + 1) * (high - low + 1) >= _OTHER_VALUES:
        _, minor = np.unique(minor, return_inverse=True)
        low, high = 0, int(minor.max())
    ordered: Ints = major * (high - low + 1) + (minor - low)
    return ordered


def among(some: Ints, every: Ints) -> Mask:
    """Which of ``some`` occur in ``every``."""
    if not len(every):
        return np.zeros(len(some), dtype=np.bool_)
    every = np.sort(every)
    place = np.minimum(np.searchsorted(every, some), len(every) - 1)
    return np.asarray(every[place] == some)
