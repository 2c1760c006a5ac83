"""The pieces a server is put together from. A known-bad variant is one of them replaced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from impl.coordination import txns
from impl.coordination.config import Config
from impl.coordination.prepare import Preparer
from impl.coordination.replica import Replica
from impl.coordination.sessions import SessionTracker
from impl.coordination.storage import store
from impl.coordination.storage.store import Store
from impl.coordination.watches import Watches
from impl.coordination.zab import election, synchronise
from impl.coordination.zab.follower import Follower
from impl.coordination.zab.leader import Leader
from impl.coordination.zab.synchronise import Past, Plan
from impl.host import Disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What can be replaced: each a function or class with the signature of the right one.

    ``recover`` gives the store, with epochs, log and snapshots, ``replica`` what applies its log to the
    tree. ``has_quorum`` says whether a leader may go on, ``committed`` what is committed by the
    acknowledged zxids, ``confirmed`` which ping a quorum has answered; ``next_zxid`` counts.
    ``plan`` is how learners are synchronised; ``preparer`` makes transactions, ``tracker`` ends
    sessions, ``watches`` fires.
    """

    recover: Callable[[Disk, Config], Awaitable[Store]] = store.open_store
    replica: Callable[..., Replica] = Replica
    preparer: Callable[..., Preparer] = Preparer
    tracker: Callable[[float], SessionTracker] = SessionTracker
    watches: Callable[[], Watches] = Watches
    has_quorum: Callable[[Collection[int], Collection[int]], bool] = election.has_quorum
    committed: Callable[[Mapping[int, int], Collection[int]], int] = election.reached
    confirmed: Callable[[Mapping[int, int], Collection[int]], int] = election.reached
    next_zxid: Callable[[int, int], int | None] = txns.next_zxid
    plan: Callable[[Past, Past], Plan] = synchronise.plan
    leader: Callable[..., Leader] = Leader
    follower: Callable[..., Follower] = Follower


PARTS = Parts()
