"""What clients of a ZooKeeper-like service did to znodes, with the zxids that they were answered with.

A completion's value is a mapping with ``session``, ``zxid`` (that of the reply: the state it was given
in) and, for what read or changed a znode, ``value``, ``version`` and ``mzxid``. A completion with
``results`` holds several of these, in the order in which they were sent: a pipeline. A change among
them without ``zxid`` was not answered, and may have taken place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from history.history import FAIL, INFO, OK, History, Operations

READS = ("read", "sync-read")
WRITES = ("write", "cas")


@dataclass(frozen=True, slots=True)
class Access:
    """One read or change of a znode that was answered, or a change that perhaps took place.

    ``row`` counts the operations of the history, ``index`` is that of the completion; ``call`` and
    ``ret`` are stamps of one time axis; ``expected`` is the version that a cas asked for. A change
    that was never answered has ``zxid`` and ``mzxid`` -1 until a reader tells them.
    """

    row: int
    index: int
    process: int
    node: str | None
    session: str
    f: str
    key: Any
    value: Any
    version: int
    mzxid: int
    zxid: int
    call: int
    ret: int
    expected: int | None = None

    @property
    def changes(self) -> bool:
        """Whether it is a write or a cas."""
        return self.f in WRITES

    def __str__(self) -> str:
        done = f"{self.f} of {self.value!r} to" if self.changes else f"{self.f} of"
        return f"{done} {self.key} (op {self.index})"


def answered(operations: Operations) -> list[Access]:
    """Every access with a zxid, in the order of calls, those of one pipeline in the order sent."""
    return [one for one in sent(operations) if one.zxid >= 0]


def sent(operations: Operations) -> list[Access]:
    """As ``answered``, with the changes in pipelines that were not answered in their places."""
    return [
        access
        for row in operations.where(outcome=OK).tolist()
        for access in _of(operations, row, operations.value[row])
    ]


def unanswered(operations: Operations) -> list[Access]:
    """Changes that may have taken place, as far as their invocations say what they are."""
    found = [one for one in sent(operations) if one.changes and one.zxid < 0]
    for row in operations.where(outcome=INFO).tolist():
        for f, key, value in _intended(operations, row):
            found.append(_access(operations, row, f, {"key": key, "value": value}))
    return found


def refused(operations: Operations) -> list[Access]:
    """Changes that did not take place."""
    return [
        _access(operations, row, f, {"key": key, "value": value})
        for row in operations.where(outcome=FAIL).tolist()
        for f, key, value in _intended(operations, row)
    ]


def hexed(zxid: int) -> str:
    """A zxid as ZooKeeper's users know it."""
    return f"{zxid:#x}"


def accesses(history: History) -> tuple[list[Access], Operations]:
    """Those that were answered, and the operations that they come from."""
    operations = history.clients().operations()
    return answered(operations), operations


def _intended(operations: Operations, row: int) -> Iterator[tuple[str, Any, Any]]:
    """(function, key, value) of each change that an operation was to make."""
    f = operations.fs[int(operations.f[row])]
    argument = operations.argument[row]
    if f in WRITES:
        yield f, operations.key[row], argument
    elif isinstance(argument, list | tuple):
        for step in argument:
            if isinstance(step, Mapping) and step.get("f") in WRITES:
                yield step["f"], step["key"], step["value"]


def _of(operations: Operations, row: int, value: Any) -> Iterator[Access]:
    if not isinstance(value, Mapping):
        return
    if "results" in value:
        for each in value["results"]:
            yield _access(operations, row, each["f"], {"session": value.get("session", ""), **each})
    elif "zxid" in value:
        yield _access(operations, row, operations.fs[int(operations.f[row])], value)


def _access(operations: Operations, row: int, f: str, value: Mapping[str, Any]) -> Access:
    index = int(operations.ret_index[row])
    zxid = int(value.get("zxid", -1))
    return Access(
        row=row,
        index=index if index >= 0 else int(operations.index[row]),
        process=int(operations.process[row]),
        node=operations.node[row],
        session=str(value.get("session", "")),
        f=f,
        key=value.get("key", operations.key[row]),
        value=value.get("value"),
        version=int(value.get("version", -1)),
        mzxid=int(value.get("mzxid", -1)),
        zxid=zxid,
        call=int(operations.call[row]),
        ret=int(operations.ret[row]),
        expected=value.get("expected"),
    )
