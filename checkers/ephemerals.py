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
from history.history import INFO, OK, PENDING, History, Operations

_SHOWN = 8
_NS_PER_S = 1_000_000_000
_ENDS = ("close", "crash", "create-close")
_SURELY_ALIVE = 0.75
"""Of its timeout, for clocks of unequal speed."""


@dataclass(frozen=True, slots=True)
class _Znode:
    """An ephemeral that was acknowledged: the state since which it is there, and whose it is."""

    name: str
    session: str
    czxid: int
    index: int
    process: int


@dataclass(frozen=True, slots=True)
class _Look:
    """The names that were there in state ``zxid``."""

    names: frozenset[str]
    zxid: int
    index: int
    call: int
    ret: int
    ret_time: int


@dataclass(frozen=True, slots=True)
class _End:
    """A session's end: ``confirmed`` by a server, before row ``ret``, or it only fell silent.

    ``asked``: a server may have been told to end it, from row ``call`` on.
    """

    session: str
    index: int
    call: int
    ret: int
    confirmed: bool
    asked: bool


@dataclass(frozen=True, slots=True)
class _Case:
    znodes: Sequence[_Znode]
    looks: Sequence[_Look]
    ends: Mapping[str, _End]
    last_answer: Mapping[str, tuple[int, int]]
    """By session: the last state in which it was answered, and the index of that answer."""
    last_heard: Mapping[str, tuple[int, int]]
    """By session: when the last request was sent that the leader dealt with, and its answer."""


def ephemerals() -> Checker:
    """Names are used once only, and nobody deletes them.

    ``create`` carries ``name`` and ``czxid``; ``look``, after a sync, ``names``; ``close`` and
    ``crash`` end the ``session``, the former with ``confirmed``; ``create-close`` does both. All carry
    ``session``; all but ``close`` and ``crash`` ``zxid``. Option ``final_index`` says where the final
    phase begins; its last looks must come so late that every dead session has expired. Option
    ``session_timeout_s``, if it is given, is what each session was promised.

    Anomalies: ``ephemeral-gone-early`` (its session was answered in a later state, or by the leader
    less than its timeout ago), ``ephemeral-outlived`` its session, ``session-half-gone``
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
            *_too_soon(case, operations, options),
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
    last, heard = dict[str, tuple[int, int]](), dict[str, tuple[int, int]]()
    for row in operations.where(outcome=OK).tolist():
        f, value = operations.fs[int(operations.f[row])], operations.value[row]
        index, session = int(operations.ret_index[row]), value["session"]
        if f in _ENDS:
            ends[session] = _end(operations, row, f)
        if "zxid" not in value:
            continue
        last[session] = max(last.get(session, (0, 0)), (int(value["zxid"]), index))
        sent = (int(operations.call_time[row]), index)
        heard[session] = max(heard.get(session, sent), sent)
        if "name" in value:
            process = int(operations.process[row])
            znodes.append(_Znode(value["name"], session, int(value["czxid"]), index, process))
        elif f == "look":
            looks.append(_look(operations, row, value))
    return _Case(znodes, sorted(looks, key=lambda look: look.zxid), ends, last, heard)


def _end(operations: Operations, row: int, f: str) -> _End:
    value = operations.value[row]
    return _End(
        session=value["session"],
        index=int(operations.ret_index[row]),
        call=int(operations.call[row]),
        ret=int(operations.ret[row]),
        confirmed=bool(value.get("confirmed")),
        asked=f != "crash",
    )


def _look(operations: Operations, row: int, value: Mapping[str, Any]) -> _Look:
    return _Look(
        names=frozenset(value["names"]),
        zxid=int(value["zxid"]),
        index=int(operations.ret_index[row]),
        call=int(operations.call[row]),
        ret=int(operations.ret[row]),
        ret_time=int(operations.ret_time[row]),
    )


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


def _too_soon(case: _Case, operations: Operations, options: Options) -> Iterable[Anomaly]:
    """Gone though the leader had heard of its session, which nobody ended, within its timeout.

    Between the main phase and the final one all clients are closed.
    """
    timeout_s = options.get("session_timeout_s")
    if timeout_s is None:
        return
    end_of_main = int(options.get("final_index", PENDING))
    patience_ns = int(timeout_s * _SURELY_ALIVE * _NS_PER_S)
    for znode in case.znodes:
        sent_ns, answer = case.last_heard[znode.session]
        gone = next((look for look in case.looks if _is_gone(znode, look)), None)
        if gone is None or gone.index >= end_of_main or gone.ret_time >= sent_ns + patience_ns:
            continue
        end = case.ends.get(znode.session)
        if (end is not None and end.asked and end.call <= gone.ret) or _gave_up(operations, znode, gone):
            continue
        text = (
            f"{_text(znode)} was gone at op {gone.index}, less than the session timeout of"
            f" {timeout_s:g} s after the leader was asked for what it answered at op {answer}"
        )
        yield _anomaly("ephemeral-gone-early", text, znode.index, answer, gone.index)


def _is_gone(znode: _Znode, look: _Look) -> bool:
    return look.zxid >= znode.czxid and znode.name not in look.names


def _gave_up(operations: Operations, znode: _Znode, gone: _Look) -> bool:
    """Whether the process may have been replaced by then, and its session closed."""
    info = (operations.process == znode.process) & (operations.outcome == INFO)
    return bool((info & (operations.call <= gone.ret)).any())


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
