"""What a leader knows of its followers, and who of them it holds to be in sync.

The set that counts for the high watermark is the largest that may be in force: what the state says, and
what was proposed to the controller and not answered yet, as it may have been carried out already
(KIP-497).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from impl.queue.metadata.image import PartitionState


@dataclass(slots=True)
class Progress:
    """Of one follower: all before ``end`` is stored there; when it last had all that there was."""

    end: int
    epoch: int
    caught_up_s: float
    fetched_s: float
    leader_end: int


class Followers:
    """See the module; ``me`` is the leader."""

    def __init__(self, me: int) -> None:
        self.proposed: Mapping[int, int] | None = None
        self._me = me
        self._state: PartitionState | None = None
        self._progress: dict[int, Progress] = {}
        self._since_s = 0.0

    def follow(self, state: PartitionState) -> None:
        """The state is this now; with a new leader epoch all that was known is forgotten."""
        before = self._state
        self._state = state
        if before is None or before.leader_epoch != state.leader_epoch:
            self._progress.clear()
            self._since_s = asyncio.get_running_loop().time()
        if before is None or before.version != state.version:
            self.proposed = None

    def note(self, follower: int, epoch: int, end: int, leader_end: int) -> None:
        """``follower``, in its broker ``epoch``, asks for what comes at ``end``."""
        now_s = asyncio.get_running_loop().time()
        known = self._progress.get(follower)
        if known is None or epoch > known.epoch:
            known = self._progress[follower] = Progress(end, epoch, self._since_s, now_s, leader_end)
        elif epoch < known.epoch:
            return
        if end >= leader_end:
            known.caught_up_s = now_s
        elif end >= known.leader_end:
            known.caught_up_s = max(known.caught_up_s, known.fetched_s)
        known.end, known.fetched_s, known.leader_end = end, now_s, leader_end

    @property
    def ends(self) -> Mapping[int, int]:
        """How far each has come."""
        return {each: known.end for each, known in self._progress.items()}

    def in_force(self) -> list[int]:
        """The followers that the high watermark waits for."""
        members = dict.fromkeys(self._state.isr if self._state else ())
        members |= dict.fromkeys(self.proposed or ())
        return [each for each in members if each != self._me]

    def members(self) -> dict[int, int]:
        """The in-sync set of the state, with broker epochs."""
        if self._state is None:
            return {}
        return dict(zip(self._state.isr, self._state.isr_epochs, strict=False))

    def others(self) -> dict[int, int] | None:
        """The set without the leader; None if there is nobody else, or something is proposed already."""
        others = {each: epoch for each, epoch in self.members().items() if each != self._me}
        return others if others and self.proposed is None else None

    def with_joined(self, follower: int) -> dict[int, int] | None:
        """The set with ``follower`` in it; None if it is in it, or something is proposed already."""
        state, known = self._state, self._progress.get(follower)
        if state is None or known is None or self.proposed is not None:
            return None
        if follower in state.isr or follower not in state.replicas:
            return None
        return {**self.members(), follower: known.epoch}

    def without_laggards(self, longest_s: float, leader_end: int) -> dict[int, int] | None:
        """The set without those that have not had all for ``longest_s``; None if nobody lags."""
        if self._state is None or self.proposed is not None:
            return None
        now_s, kept = asyncio.get_running_loop().time(), self.members()
        for each in self.in_force():
            known = self._progress.get(each)
            since_s = known.caught_up_s if known is not None else self._since_s
            if (known is None or known.end < leader_end) and now_s - since_s > longest_s:
                kept.pop(each, None)
        return kept if len(kept) < len(self._state.isr) else None
