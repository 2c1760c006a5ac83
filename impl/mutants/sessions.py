"""Sessions that may act where they must not, or whose ephemerals live too long or too short."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from impl.coordination import txns
from impl.coordination.config import Config
from impl.coordination.parts import Parts
from impl.coordination.prepare import Preparer
from impl.coordination.protocol.errors import Code
from impl.coordination.replica import Replica
from impl.coordination.server import serve
from impl.coordination.sessions import SessionTracker
from impl.coordination.zab.leader import Leader
from impl.coordination.zab.roles import Service
from impl.mutants.mutant import COORDINATION, Mutant


class AnyOwner(SessionTracker):
    """Whichever server a request comes through, it is the session's."""

    def check(self, session: int, owner: int) -> Code:
        code = super().check(session, owner)
        return Code.OK if code == Code.SESSION_MOVED else code


class ForgetsCreates(Preparer):
    """Ends a session with the ephemerals that are there, not with those that are on their way."""

    def _close_session(self, session: int, zxid: int) -> txns.CloseSession:
        there = self._tree.ephemerals.get(session, {})
        gone = super()._close_session(session, zxid).paths
        return txns.CloseSession(tuple(path for path in gone if path in there))


class ByTheWallClock(SessionTracker):
    """Counts timeouts in the time of day."""

    def __init__(self, tick_s: float, wall_ms: Callable[[], int]) -> None:
        super().__init__(tick_s)
        self._wall_ms = wall_ms

    def touch(self, session: int, now_s: float) -> None:
        super().touch(session, self._wall_ms() / 1000)

    def expired(self, now_s: float) -> list[int]:
        return super().expired(self._wall_ms() / 1000)


class WallClockLeader(Leader):
    """Lets sessions expire by its wall clock."""

    def __init__(
        self,
        config: Config,
        replica: Replica,
        service: Service,
        parts: Parts,
        wall_ms: Callable[[], int],
    ) -> None:
        super().__init__(config, replica, service, parts, wall_ms)
        self._tracker = ByTheWallClock(config.tick_s, wall_ms)


MUTANTS = (
    Mutant(
        name="session-move-unchecked",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(tracker=AnyOwner)),
        failure="ZOOKEEPER-417: a write that a slow server still had arrives after the client has gone "
        "to another one and written there",
        workload="session",
        caught_by="sessions",
        seeds=10,
        faults=("slow", "lose", "pause", "partition"),
    ),
    Mutant(
        name="ephemeral-outlives-session",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(preparer=ForgetsCreates)),
        failure="ZOOKEEPER-1208: a create and the end of its session cross each other, and the "
        "ephemeral stays when the session is long gone",
        workload="ephemeral",
        caught_by="ephemerals",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="ephemeral-goes-early",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(leader=WallClockLeader)),
        failure="ZOOKEEPER-1366: sessions were timed by the wall clock, so that setting the clock forth "
        "expired them all",
        workload="ephemeral",
        caught_by="ephemerals",
        seeds=10,
        faults=("clock-bump", "clock-strobe", "clock-drift"),
        on_real_clusters=True,
    ),
)
