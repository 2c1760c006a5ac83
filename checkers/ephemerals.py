"""Ephemeral znodes: there as long as their session, and not longer.

A session was alive in every state up to the last in which it was answered: a server that knows of
its end answers it no more. So a list of names, which says in which state it was given, can be held
against what the sessions were told, by zxids alone and whatever server gave it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Znode:
    """An ephemeral that was acknowledged: the state since which it is there, and whose it is."""

    name: str
    session: str
    czxid: int
    index: int


@dataclass(frozen=True, slots=True)
class _Look:
    """The names that were there in state ``zxid``."""

    names: frozenset[str]
    zxid: int
    index: int
    call: int


@dataclass(frozen=True, slots=True)
class _End:
    """A session's end: ``confirmed`` by a server, before row ``ret``, or it only fell silent."""

    session: str
    index: int
    ret: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class _Case:
    znodes: Sequence[_Znode]
    looks: Sequence[_Look]
    ends: Mapping[str, _End]
    last_answer: Mapping[str, tuple[int, int]]
    """By session: the last state in which it was answered, and the index of that answer."""


def ephemerals() -> Checker:
    """Names are used once only, and nobody deletes them.

    ``create`` carries ``name`` and ``czxid``; ``look``, after a sync, ``names``; ``close`` and
    ``crash`` end the ``session``, the former with ``confirmed``. All carry ``session``; all but the
    last two ``zxid``. Option ``final_index`` says where the final phase begins; its last looks must
    come so late that every dead session has expired.

    Anomalies: ``ephemeral-gone-early``, ``ephemeral-outlived`` its session, ``session-half-gone``
    (of two ephemerals of one session one is there), ``ephemeral-came-back``. Unknown when no look
    could have shown an ephemeral, or when no session ended.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        case = _case(operations)
        counts = {
            "ephemeral-count": len(case.znodes),
            "look-count": len(case.looks),
            "closed-count": sum(end.confirmed for end in case.ends.values()),
            "crashed-count": sum(not end.confirmed for end in case.ends.values()),
        }
        if not case.znodes or not case.looks or not case.ends:
            missing = "ephemeral was made" if not case.znodes else "look succeeded"
            reason = f"no {missing if not case.znodes or not case.looks else 'session ended'}"
            return Verdict(checker="ephemerals", valid="unknown", counts=counts, reason=reason)
        found = [
            *_early(case),
            *_after_close(case),
            *_half(case),
            *_back(case),
            *_in_the_end(case, operations, options.get("final_index")),
        ]
        return Verdict(
            checker="ephemerals", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _case(operations: Operations) -> _Case:
    znodes, looks, ends = list[_Znode](), list[_Look](), dict[str, _End]()
    last: dict[str, tuple[int, int]] = {}
    for row in operations.where(outcome=OK).tolist():
        f, value = operations.fs[int(operations.f[row])], operations.value[row]
        index, session = int(operations.ret_index[row]), value["session"]
        if f in ("close", "crash"):
            ret = int(operations.ret[row])
            ends[session] = _End(session, index, ret, bool(value.get("confirmed")))
            continue
        last[session] = max(last.get(session, (0, 0)), (int(value["zxid"]), index))
        if f == "create":
            znodes.append(_Znode(value["name"], session, int(value["czxid"]), index))
        elif f == "look":
            names, call = frozenset(value["names"]), int(operations.call[row])
            looks.append(_Look(names, int(value["zxid"]), index, call))
    return _Case(znodes, sorted(looks, key=lambda look: look.zxid), ends, last)


def _early(case: _Case) -> Iterable[Anomaly]:
    """Gone in a state in which its session was still alive."""
    states = [look.zxid for look in case.looks]
    for znode in case.znodes:
        alive, answer = case.last_answer[znode.session]
        for look in case.looks[bisect_left(states, znode.czxid) :]:
            if look.zxid > alive:
                break
            if znode.name not in look.names:
                text = (
                    f"{_text(znode)} was gone in state {hexed(look.zxid)} (op {look.index}), but its"
                    f" session was answered in state {hexed(alive)} (op {answer})"
                )
                yield _anomaly("ephemeral-gone-early", text, znode.index, look.index, answer)
                break


def _after_close(case: _Case) -> Iterable[Anomaly]:
    """There in a look that began after a server had confirmed the end of the session."""
    for znode in case.znodes:
        end = case.ends.get(znode.session)
        if end is None or not end.confirmed:
            continue
        for look in case.looks:
            if look.call > end.ret and znode.name in look.names:
                text = f"{_text(znode)} was there at op {look.index}, after its session was closed"
                message = f"{text} (op {end.index})"
                yield _anomaly("ephemeral-outlived", message, znode.index, end.index, look.index)
                break


def _half(case: _Case) -> Iterable[Anomaly]:
    """Ephemerals of one session go together, in one change."""
    for znodes in _by_session(case.znodes).values():
        for look in case.looks:
            made = [znode for znode in znodes if znode.czxid <= look.zxid]
            there = [znode for znode in made if znode.name in look.names]
            if there and len(there) < len(made):
                gone = next(znode for znode in made if znode.name not in look.names)
                text = f"{_text(gone)} was gone at op {look.index}, but {_text(there[0])} was not"
                yield _anomaly("session-half-gone", text, gone.index, there[0].index, look.index)
                break


def _by_session(znodes: Iterable[_Znode]) -> dict[str, list[_Znode]]:
    found: dict[str, list[_Znode]] = {}
    for znode in znodes:
        found.setdefault(znode.session, []).append(znode)
    return found


def _back(case: _Case) -> Iterable[Anomaly]:
    for znode in case.znodes:
        gone: _Look | None = None
        for look in case.looks:
            if look.zxid >= znode.czxid and znode.name not in look.names:
                gone = gone or look
            elif gone is not None and look.zxid > gone.zxid and znode.name in look.names:
                text = f"{_text(znode)} was gone at op {gone.index} and there again at op {look.index}"
                yield _anomaly("ephemeral-came-back", text, znode.index, gone.index, look.index)
                break


def _in_the_end(case: _Case, operations: Operations, final_index: Any) -> Iterable[Anomaly]:
    """In the last look, only ephemerals of sessions that lived to see the final phase."""
    if final_index is None or not case.looks:
        return
    look = max(case.looks, key=lambda look: look.index)
    if look.index < int(final_index):
        return
    for znode in case.znodes:
        _, answer = case.last_answer[znode.session]
        dead = znode.session in case.ends or answer < int(final_index)
        if dead and znode.name in look.names and not _silent(operations, znode, int(final_index)):
            text = (
                f"{_text(znode)} was there at the end (op {look.index}); its session was last answered"
            )
            message = f"{text} at op {answer}"
            yield _anomaly("ephemeral-outlived", message, znode.index, answer, look.index)


def _silent(operations: Operations, znode: _Znode, final_index: int) -> bool:
    """Whether the session's process was still there, but got no answer in the final phase."""
    process = operations.process[operations.ret_index == znode.index]
    later = (operations.process == process) & (operations.index >= final_index)
    return bool(later.any()) and not bool((later & (operations.outcome == OK)).any())


def _text(znode: _Znode) -> str:
    return f"{znode.name} of session {znode.session} (op {znode.index})"


def _anomaly(name: str, message: str, *ops: int) -> Anomaly:
    return Anomaly(name=name, message=message, ops=tuple(dict.fromkeys(ops)))
