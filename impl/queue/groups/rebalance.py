"""Rebalances and sessions: what moves a group from one generation to the next, and its timers.

A group prepares until everybody has come back or the rebalance time-out is over, then has a new
generation, and completes once the leader has given the assignment (Kafka's GroupCoordinator).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from impl.queue.config import Config
from impl.queue.groups.group import Group, Member, State
from impl.queue.protocol.errors import Code


def join_refused(code: Code, member_id: str = "") -> dict[str, Any]:
    """The answer to a JoinGroup that is refused."""
    return {
        "error_code": code,
        "generation_id": -1,
        "protocol_type": None,
        "protocol_name": "",
        "leader": "",
        "member_id": member_id,
        "members": (),
    }


def sync_refused(code: Code) -> dict[str, Any]:
    """The answer to a SyncGroup that is refused."""
    return {"error_code": code, "assignment": b""}


def answer_join(member: Member, answer: dict[str, Any]) -> None:
    """Answer the JoinGroup that ``member`` has under way, if it has one."""
    if member.joining is not None:
        if not member.joining.done():
            member.joining.set_result(answer)
        member.joining = None


def answer_sync(member: Member, answer: dict[str, Any]) -> None:
    """Answer the SyncGroup that ``member`` has under way, if it has one."""
    if member.syncing is not None:
        if not member.syncing.done():
            member.syncing.set_result(answer)
        member.syncing = None


class Rebalancer:
    """Runs rebalances; ``emptied`` is called when a generation has no member."""

    def __init__(self, config: Config, emptied: Callable[[Group], None]) -> None:
        self._config = config
        self._emptied = emptied
        self._loop = asyncio.get_running_loop()

    # --- rebalances ---------------------------------------------------------------------------

    def prepare(self, group: Group) -> None:
        """Everybody has to join again."""
        if group.state is State.PREPARING:
            self.maybe_complete(group)
            return
        for member in group.members.values():
            answer_sync(member, sync_refused(Code.rebalance_in_progress))
        first, group.state = group.state is State.EMPTY, State.PREPARING
        self._stop(group)
        if first:
            self._wait_for_more(group, group.rebalance_ms)
        else:
            group.timer = self._later(group.rebalance_ms, self._complete, group)
            self.maybe_complete(group)

    def _wait_for_more(self, group: Group, left_ms: int) -> None:
        """A new group waits a little, and longer while members come in (KIP-134)."""
        group.gathering, group.newcomers = True, False
        delay_ms = min(self._config.initial_rebalance_delay_ms, left_ms)
        group.timer = self._later(delay_ms, self._waited, group, left_ms - delay_ms)

    def _waited(self, group: Group, left_ms: int) -> None:
        if group.newcomers and left_ms > 0:
            self._wait_for_more(group, left_ms)
        else:
            self._stop(group)
            self.maybe_complete(group)
            if group.state is State.PREPARING:
                group.timer = self._later(group.rebalance_ms, self._complete, group)

    def maybe_complete(self, group: Group) -> None:
        """Complete if nobody is missing, and a new group has waited long enough."""
        if group.state is State.PREPARING and group.all_joined and not group.gathering:
            self._complete(group)

    def _complete(self, group: Group) -> None:
        self._stop(group)
        for member in [each for each in group.members.values() if each.joining is None]:
            if member.instance_id is None:
                self.drop(group, member)
        group.generation = group.generation % 0x7FFFFFFF + 1
        if not group.members:
            group.state, group.protocol = State.EMPTY, None
            self._emptied(group)
            return
        if group.members[group.leader or ""].joining is None:
            group.leader = next(
                (each.id for each in group.members.values() if each.joining is not None), group.leader
            )
        group.state, group.protocol = State.COMPLETING, group.vote()
        for member in list(group.members.values()):
            answer_join(member, group.joined(member))
            self.touch(group, member)
        group.timer = self._later(group.rebalance_ms, self._assignment_overdue, group)

    def _assignment_overdue(self, group: Group) -> None:
        """Members that did not ask for their assignment in time are out."""
        group.timer = None
        if group.state is State.COMPLETING:
            for member in [each for each in group.members.values() if each.syncing is None]:
                self.drop(group, member)
            self.prepare(group)

    def stable(self, group: Group) -> None:
        """The assignment is known: tell everybody."""
        self._stop(group)
        group.state = State.STABLE
        for member in group.members.values():
            answer_sync(member, group.synced(member))
            self.touch(group, member)

    # --- members ------------------------------------------------------------------------------

    def drop(self, group: Group, member: Member) -> None:
        """``member`` is out, and what it asked is refused."""
        group.remove(member)
        if member.timer is not None:
            member.timer.cancel()
        answer_join(member, join_refused(Code.unknown_member_id, member.id))
        answer_sync(member, sync_refused(Code.unknown_member_id))

    def left(self, group: Group, member: Member) -> None:
        """``member`` is out, and the others share what it had."""
        self.drop(group, member)
        if group.state in (State.STABLE, State.COMPLETING, State.PREPARING):
            self.prepare(group)

    def touch(self, group: Group, member: Member) -> None:
        """``member`` is alive: its session begins anew."""
        member.deadline_s = self._loop.time() + member.session_ms / 1000
        if member.timer is None:
            member.timer = self._loop.call_at(member.deadline_s, self._session, group, member)

    def _session(self, group: Group, member: Member) -> None:
        """The session is over, unless something was heard meanwhile."""
        member.timer = None
        if group.members.get(member.id) is not member:
            return
        if member.waits:
            self.touch(group, member)
        elif member.deadline_s > self._loop.time():
            member.timer = self._loop.call_at(member.deadline_s, self._session, group, member)
        else:
            self.left(group, member)

    def expect(self, group: Group, id: str, session_ms: int) -> None:
        """``id`` was given out; it has to join within a session."""
        group.pending[id] = self._later(session_ms, self._never_joined, group, id)

    def _never_joined(self, group: Group, id: str) -> None:
        group.pending.pop(id, None)
        self.maybe_complete(group)

    def dismiss(self, group: Group, code: Code) -> None:
        """This broker doesn't coordinate ``group`` any more: stop everything, tell everybody."""
        self._stop(group)
        group.state = State.DEAD
        for handle in group.pending.values():
            handle.cancel()
        for member in group.members.values():
            if member.timer is not None:
                member.timer.cancel()
            answer_join(member, join_refused(code, member.id))
            answer_sync(member, sync_refused(code))

    def _stop(self, group: Group) -> None:
        group.gathering = False
        if group.timer is not None:
            group.timer.cancel()
            group.timer = None

    def _later(self, delay_ms: int, call: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_ms / 1000, call, *arguments)
