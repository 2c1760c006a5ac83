"""Fast leader election: all agree on the server with the newest history.

Each server votes for the best candidate that it knows of, first for itself; the best is the one with
the highest (epoch, zxid, server id). Who sees a quorum with its own vote has found the leader. See
Medeiros, "ZooKeeper's atomic broadcast protocol: theory and practice", 2012, section 4.1. Election is
about liveness only: a leader still has to win over a quorum in ``zab.leader``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from enum import IntEnum
from typing import NamedTuple

from impl.coordination.zab.messages import Notification

FINALIZE_S = 0.05
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0


class State(IntEnum):
    """What a server is busy with."""

    LOOKING = 0
    FOLLOWING = 1
    LEADING = 2
    OBSERVING = 3


class Vote(NamedTuple):
    """For ``leader``, whose history ends at ``zxid`` in ``epoch``."""

    epoch: int
    zxid: int
    leader: int


NOBODY = Vote(-1, -1, -1)


def has_quorum(supporters: Collection[int], voters: Collection[int]) -> bool:
    """Whether ``supporters`` contain more than half of ``voters``."""
    return 2 * sum(1 for voter in voters if voter in supporters) > len(voters)


class Ballot:
    """One server's view of one election: whom it votes for, and who agrees. No time, no network.

    ``mine`` is the vote for the server itself, or ``NOBODY`` if it only observes.
    """

    def __init__(self, me: int, mine: Vote, round: int, voters: Collection[int]) -> None:
        self.vote = mine
        self.round = round
        self._me = me
        self._mine = mine
        self._voters = voters
        self._votes: dict[int, Vote] = {}
        self._settled: dict[int, Notification] = {}

    def take(self, heard: Notification) -> bool:
        """Count a notification; whether the vote or the round changed, so that all must be told."""
        if heard.sender not in self._voters or heard.leader not in self._voters:
            return False
        vote = Vote(heard.epoch, heard.zxid, heard.leader)
        if heard.state == State.LOOKING:
            self._settled.pop(heard.sender, None)
            return self._take_vote(heard, vote)
        self._settled[heard.sender] = heard
        if heard.round == self.round:
            self._votes[heard.sender] = vote
        return False

    def _take_vote(self, heard: Notification, vote: Vote) -> bool:
        if heard.round < self.round:
            return False
        changed = False
        if heard.round > self.round:
            self.round = heard.round
            self._votes.clear()
            self.vote = max(vote, self._mine)
            changed = True
        elif vote > self.vote:
            self.vote = vote
            changed = True
        self._votes[heard.sender] = vote
        return changed

    def winner(self) -> tuple[Vote, bool] | None:
        """The vote that a quorum agrees on, and whether no better one can come any more."""
        supporters = [server for server, vote in self._votes.items() if vote == self.vote]
        if self._mine != NOBODY:
            supporters.append(self._me)
        if self.vote != NOBODY and has_quorum(supporters, self._voters):
            return self.vote, len(set(supporters)) >= len(self._voters)
        return self._elsewhere()

    def _elsewhere(self) -> tuple[Vote, bool] | None:
        """A leader that is in office already: it says so itself, and a quorum follows it."""
        for heard in self._settled.values():
            if heard.state != State.LEADING or heard.leader != heard.sender or heard.sender == self._me:
                continue
            followers = [each for each, it in self._settled.items() if it.leader == heard.leader]
            if has_quorum(followers, self._voters):
                self.round = heard.round
                return Vote(heard.epoch, heard.zxid, heard.leader), True
        return None


class Election:
    """Elects again and again, for one server; ``send(server, notification)`` is its network."""

    def __init__(
        self, me: int, voters: Collection[int], send: Callable[[int, Notification], None]
    ) -> None:
        self.state = State.LOOKING
        self.vote = NOBODY
        self._round = 0
        self._me = me
        self._voters = voters
        self._send = send
        self._inbox: asyncio.Queue[Notification] = asyncio.Queue()
        self._against: dict[int, None] = {}
        self._contradicted = asyncio.Event()

    def receive(self, heard: Notification) -> None:
        """A notification has arrived: count it, or tell a server that is looking what it missed."""
        if self.state == State.LOOKING:
            self._inbox.put_nowait(heard)
        else:
            self._compare(heard)
        if heard.state != State.LOOKING:
            return
        if self.state != State.LOOKING or heard.round < self._round:
            self._send(heard.sender, self._notification())

    async def look(self, mine: Vote) -> Vote:
        """Find a leader; ``mine`` is the vote for oneself, ``NOBODY`` for an observer."""
        self.state = State.LOOKING
        while not self._inbox.empty():
            self._inbox.get_nowait()
        ballot = Ballot(self._me, mine, self._round + 1, self._voters)
        self._tell(ballot)
        winner = await self._poll(ballot)
        self.vote, self._round = winner, ballot.round
        return winner

    def settle(self, state: State) -> None:
        """The server is busy with ``state`` from now on, under the leader that was found."""
        self.state = state
        self._against.clear()
        self._contradicted.clear()
        while not self._inbox.empty():
            self._compare(self._inbox.get_nowait())

    async def contradicted(self) -> None:
        """Return once the leader that was found cannot win over a quorum by what others say.

        Two servers may find one leader a moment before a better candidate is heard of by only one of
        them. The other would wait for it until ``syncLimit`` or ``initLimit`` ends.
        """
        await self._contradicted.wait()

    def _compare(self, heard: Notification) -> None:
        """Whom a voter is for, in this election or a later one: the last that it said counts."""
        if heard.sender not in self._voters or heard.round < self._round:
            return
        if heard.leader == self.vote.leader:
            self._against.pop(heard.sender, None)
        else:
            self._against[heard.sender] = None
        others = [voter for voter in self._voters if voter not in self._against]
        if self.vote.leader in self._against or not has_quorum(others, self._voters):
            self._contradicted.set()

    async def _poll(self, ballot: Ballot) -> Vote:
        wait_s = FIRST_WAIT_S
        while True:
            winner = ballot.winner()
            if winner is not None and winner[1]:
                return winner[0]
            heard = await self._next(wait_s if winner is None else FINALIZE_S)
            if heard is not None:
                if ballot.take(heard):
                    self._tell(ballot)
            elif winner is not None:
                return winner[0]
            else:
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                self._tell(ballot)

    async def _next(self, wait_s: float) -> Notification | None:
        try:
            async with asyncio.timeout(wait_s):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _tell(self, ballot: Ballot) -> None:
        self.vote, self._round = ballot.vote, ballot.round
        for server in self._voters:
            if server != self._me:
                self._send(server, self._notification())

    def _notification(self) -> Notification:
        epoch, zxid, leader = self.vote
        return Notification(self._me, self.state, self._round, leader, zxid, epoch)


Quorum = Callable[[Mapping[int, int], Collection[int]], int]


def reached(acks: Mapping[int, int], voters: Collection[int]) -> int:
    """The highest number, of a zxid or a ping, that a quorum of ``voters`` has acknowledged.

    ``acks`` has the last that each server has.
    """
    numbers = sorted((acks.get(voter, 0) for voter in voters), reverse=True)
    return numbers[len(numbers) // 2]
