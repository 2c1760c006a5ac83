"""What servers send each other, each layout declared once.

Election: ``Notification`` and its ``Receipt``. Then, between a leader and a learner (a follower or an
observer), in this order: discovery (``LearnerInfo``, ``LeaderInfo``, ``EpochAck``), synchronisation (one
of ``Diff``, ``Truncate``, ``SnapshotChunk``..., then proposals, ``NewLeader``, ``NewLeaderAck``), and
broadcast (``UpToDate``, ``Proposal``, ``Ack``, ``Commit``). The rest is for the sake of clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from impl.coordination.protocol.jute import Bool, Buffer, Byte, Codec, Int, Long, Text, Vector
from impl.coordination.requests import Request


class Notification(NamedTuple):
    """Whom ``sender`` votes for in its ``round``; ``state`` is one of ``zab.election.State``."""

    sender: Long
    state: Byte
    round: Long
    leader: Long
    zxid: Long
    epoch: Long


class Receipt(NamedTuple):
    """The notification has arrived."""

    round: Long


class LearnerInfo(NamedTuple):
    """Zab's CEPOCH: the epoch that the learner has promised last."""

    sender: Long
    accepted_epoch: Long
    observer: Bool


class LeaderInfo(NamedTuple):
    """Zab's NEWEPOCH."""

    epoch: Long


class EpochAck(NamedTuple):
    """Zab's ACK-E. ``counts`` is false if the epoch was promised before; ``ends`` are the last zxids of
    the epochs in the learner's log, by which the leader finds where the two histories part."""

    counts: Bool
    current_epoch: Long
    last_zxid: Long
    ends: Vector[Long]


class Diff(NamedTuple):
    """The learner lacks only what follows."""


class Truncate(NamedTuple):
    """The learner has to forget what it has after ``zxid``, then take what follows."""

    zxid: Long


class SnapshotChunk(NamedTuple):
    """A piece of a snapshot, see ``storage.snapshot``; it takes the place of all the learner has."""

    chunk: Buffer


class NewLeader(NamedTuple):
    """All of the leader's history was sent."""

    epoch: Long


class NewLeaderAck(NamedTuple):
    """It is durable up to ``zxid``, and so is the learner's current epoch."""

    epoch: Long
    zxid: Long


class UpToDate(NamedTuple):
    """The learner may serve clients."""


class Proposal(NamedTuple):
    """A transaction to log; ``server`` has the client that waits for it, under ``tag``."""

    server: Long
    tag: Long
    txn: Buffer


class Ack(NamedTuple):
    """Everything up to ``zxid`` is durable at the sender."""

    zxid: Long


class Commit(NamedTuple):
    """Everything up to ``zxid`` is committed."""

    zxid: Long


class Ping(NamedTuple):
    """Is the learner still with this leader? The answer repeats ``number``."""

    number: Long


class Pong(NamedTuple):
    """Yes; and ``sessions`` were heard of since the last one."""

    number: Long
    sessions: Vector[Long]


class Sync(NamedTuple):
    """Tell ``session`` when all that is proposed by now is applied."""

    tag: Long
    session: Long


class Synced(NamedTuple):
    """It is; and the sender was the leader when it was asked."""

    tag: Long


class Revalidate(NamedTuple):
    """A client has come to the sender with this session."""

    tag: Long
    session: Long
    password: Buffer


class Revalidated(NamedTuple):
    """``timeout_ms`` is 0 if there is no such session."""

    tag: Long
    session: Long
    timeout_ms: Int


class Moved(NamedTuple):
    """The session's client has gone to another server."""

    session: Long


class Hello(NamedTuple):
    """The first frame of each connection between servers."""

    protocol: Text
    sender: Long


PROTOCOL = "windtunnel-zab-1"
_TYPES: tuple[type[Any], ...] = (
    Hello,
    Notification,
    Receipt,
    LearnerInfo,
    LeaderInfo,
    EpochAck,
    Diff,
    Truncate,
    SnapshotChunk,
    NewLeader,
    NewLeaderAck,
    UpToDate,
    Proposal,
    Ack,
    Commit,
    Ping,
    Pong,
    Request,
    Sync,
    Synced,
    Revalidate,
    Revalidated,
    Moved,
)
CODECS: tuple[Codec[Any], ...] = tuple(map(Codec, _TYPES))
KINDS: Mapping[type[Any], int] = MappingProxyType({kind: place for place, kind in enumerate(_TYPES)})
Message: TypeAlias = Any
"""One of the records above."""
