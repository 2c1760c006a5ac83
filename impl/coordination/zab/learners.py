"""What a leader knows of one learner, and how it brings it up to its own history."""

from __future__ import annotations

from impl.coordination.replica import Replica
from impl.coordination.storage import snapshot
from impl.coordination.zab.link import Link
from impl.coordination.zab.messages import (
    Diff,
    EpochAck,
    Message,
    NewLeader,
    Proposal,
    SnapshotChunk,
    Truncate,
)
from impl.coordination.zab.synchronise import Past, Plan, Way


class Learner:
    """A connected learner. What is sent while it is given the history waits until that is done.

    ``active`` is true once it may serve clients; ``pong`` is the last ping that it answered.
    """

    def __init__(self, server: int, link: Link) -> None:
        self.server = server
        self.link = link
        self.active = False
        self.new_leader = False
        self.pong = 0
        self._held: list[Message] | None = []

    def send(self, message: Message) -> None:
        """Send ``message``, after the history."""
        if self._held is None:
            self.link.send(message)
        else:
            self._held.append(message)

    async def synchronise(self, replica: Replica, epoch: int, plan: Plan) -> None:
        """Send the history, then NEWLEADER; from the first step on nothing proposed is missed."""
        link, log = self.link, replica.store.log
        frozen = replica.tree.freeze() if plan.way is Way.SNAP else None
        missing = list(log.after(frozen.zxid if frozen else plan.zxid))
        if frozen is not None:
            for chunk in snapshot.chunks(frozen):
                link.send(SnapshotChunk(chunk))
                await link.drain()
        else:
            link.send(Diff() if plan.way is Way.DIFF else Truncate(plan.zxid))
        for logged in missing:
            link.send(Proposal(0, 0, logged.data))
        link.send(NewLeader(epoch))
        held, self._held = self._held, None
        for message in held or ():
            link.send(message)


def past_of_learner(ack: EpochAck) -> Past:
    """What a learner says of its history."""
    return Past(0, ack.last_zxid, ack.ends)


def past_of(replica: Replica) -> Past:
    """The leader's own history."""
    log = replica.store.log
    return Past(log.base, log.last, log.ends)
