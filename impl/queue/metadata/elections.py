"""Who leads a partition, and who is in sync: what the controller makes of brokers that come and go.

Only a member of the ISR has all that was acknowledged. A member is one incarnation of a broker: who
has restarted may have lost the end of its log and must catch up before it is a member again (KIP-903),
unless no member is left at all. A partition whose ISR is gone waits for one of it, or, if its topic
would rather lose messages than wait, takes any replica that is there (an unclean election).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from impl.queue.metadata.image import NO_LEADER, PartitionState
from impl.queue.protocol.errors import ApiError, Code


def first_state(replicas: tuple[int, ...], live: Mapping[int, int]) -> PartitionState:
    """Of a new partition: those of its replicas that live, by id and epoch, are in sync."""
    isr = tuple(each for each in replicas if each in live)
    return PartitionState(
        leader=isr[0] if isr else NO_LEADER,
        leader_epoch=0,
        replicas=replicas,
        isr=isr or replicas,
        isr_epochs=tuple(live[each] for each in isr) if isr else (0,) * len(replicas),
    )


def settled(
    state: PartitionState,
    live: Mapping[int, int],
    *,
    unclean: bool = False,
    leaving: Collection[int] = (),
) -> PartitionState:
    """``state`` as it has to be now that ``live`` are the brokers (epochs by id).

    Brokers that are ``leaving`` are not made leader if there is another. The leader epoch grows with
    every change of the leader, a restart of the same broker included.
    """
    members = dict(zip(state.isr, state.isr_epochs, strict=True))
    staying = [each for each in state.isr if live.get(each) == members[each]]
    if staying:
        return _led(state, {each: members[each] for each in staying}, _choice(state, staying, leaving))
    back = [each for each in state.replicas if each in members and each in live]
    if not back and unclean:
        back = [each for each in state.replicas if each in live]
    if not back:
        return _led(state, members, NO_LEADER)
    return _led(state, {back[0]: live[back[0]]}, back[0])


def _choice(state: PartitionState, isr: Collection[int], leaving: Collection[int]) -> int:
    """The leader if it may stay, else the first replica in sync, the preferred one before others."""
    able = [each for each in state.replicas if each in isr and each not in leaving]
    if state.leader in able or (state.leader in isr and not able):
        return state.leader
    return able[0] if able else next(each for each in state.replicas if each in isr)


def _led(state: PartitionState, members: Mapping[int, int], leader: int) -> PartitionState:
    before = dict(zip(state.isr, state.isr_epochs, strict=True))
    if before == members and leader == state.leader:
        return state
    restarted = leader in before and before[leader] != members.get(leader)
    return replace(
        state,
        leader=leader,
        leader_epoch=state.leader_epoch + (leader != state.leader or restarted),
        isr=tuple(each for each in state.replicas if each in members),
        isr_epochs=tuple(members[each] for each in state.replicas if each in members),
    )


def check_change(
    state: PartitionState,
    asker: tuple[int, int],
    seen: tuple[int, int],
    members: Mapping[int, int],
    live: Mapping[int, int],
) -> None:
    """Raises ApiError unless ``asker``, a broker and its epoch, may have the ISR set to ``members``.

    It must live, lead, and go by the state as it is: ``seen`` are the leader epoch and the version that
    it knows (KIP-497). So must those it names live, in the epochs in which they fetched (KIP-903).
    """
    broker, epoch = asker
    leader_epoch, version = seen
    if live.get(broker) != epoch:
        raise ApiError(Code.stale_broker_epoch)
    if state.leader != broker or state.leader_epoch != leader_epoch:
        raise ApiError(Code.fenced_leader_epoch)
    if state.version != version:
        raise ApiError(Code.invalid_update_version)
    allowed = state.replicas if broker in members else state.isr
    if not members or not set(members) <= set(allowed):
        raise ApiError(Code.invalid_request)
    before = dict(zip(state.isr, state.isr_epochs, strict=True))
    if any(each not in (before.get(member), live.get(member)) for member, each in members.items()):
        raise ApiError(Code.ineligible_replica)


def preferred(state: PartitionState, leaving: Collection[int] = ()) -> PartitionState:
    """``state`` led by its first replica, if that is in sync."""
    first = state.replicas[0]
    if state.leader in (first, NO_LEADER) or first not in state.isr or first in leaving:
        return state
    return replace(state, leader=first, leader_epoch=state.leader_epoch + 1)


def given_up(state: PartitionState, members: Mapping[int, int]) -> PartitionState:
    """``state`` after its leader has said that it can't go on, and that ``members`` are in sync."""
    isr = tuple(each for each in state.replicas if each in members)
    return replace(
        state,
        leader=isr[0],
        leader_epoch=state.leader_epoch + 1,
        isr=isr,
        isr_epochs=tuple(members[each] for each in isr),
    )
