"""Replicas that move from one broker to another: what the controller does, step by step (KIP-455).

A partition that moves has the replicas it is to have and those it had. Once all that it is to have are
in sync, the others go. A move that is called off goes back to the replicas of before at once: they never
left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from impl.queue.metadata.image import NO_LEADER, Move, PartitionState
from impl.queue.protocol.errors import ApiError, Code

Step = tuple[PartitionState, Move | None]
"""A partition after a step, and the move that it is still in."""


def begun(
    state: PartitionState,
    move: Move | None,
    target: Sequence[int] | None,
    leaving: Collection[int] = (),
) -> Step:
    """Have ``target`` as the replicas, preferred leader first; None calls off the ``move`` under way.

    Raises ApiError NO_REASSIGNMENT_IN_PROGRESS, or INVALID_REPLICA_ASSIGNMENT when nobody in sync would
    be left.
    """
    if target is None and move is None:
        raise ApiError(Code.no_reassignment_in_progress)
    origin = move.origin if move is not None else state.replicas
    if target is None or tuple(target) == origin:
        return _kept(state, origin, leaving), None
    wanted = tuple(target)
    both = wanted + tuple(each for each in origin if each not in wanted)
    return _kept(state, both, leaving), Move(target=wanted, origin=origin)


def done(state: PartitionState, move: Move, leaving: Collection[int] = ()) -> PartitionState | None:
    """``state`` with the target's replicas alone, if all of those are in sync; None if not yet."""
    if not set(move.target) <= set(state.isr):
        return None
    return _kept(state, move.target, leaving)


def _kept(state: PartitionState, replicas: tuple[int, ...], leaving: Collection[int]) -> PartitionState:
    """``state`` with these replicas; who is no more one of them neither leads nor is in sync."""
    members = dict(zip(state.isr, state.isr_epochs, strict=True))
    isr = tuple(each for each in replicas if each in members)
    if not isr:
        message = f"none of the replicas {list(replicas)} is in sync"
        raise ApiError(Code.invalid_replica_assignment, message)
    leader = state.leader
    if leader not in (NO_LEADER, *isr):
        leader = next((each for each in isr if each not in leaving), isr[0])
    return replace(
        state,
        replicas=replicas,
        isr=isr,
        isr_epochs=tuple(members[each] for each in isr),
        leader=leader,
        leader_epoch=state.leader_epoch + (leader != state.leader),
    )
