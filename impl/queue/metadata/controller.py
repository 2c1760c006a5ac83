"""The controller: the one broker that changes who leads what, while it holds its office.

It keeps all of the cluster's state in memory, and changes it only in znodes, each change a transaction
that holds if the controller epoch is still its own and every znode has the version that it knows.
Whatever else happens ends its term: the next controller reads everything again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from impl.coordination.client.client import Client
from impl.queue.metadata import elections, moves, znodes
from impl.queue.metadata.assignment import check_replicas
from impl.queue.metadata.image import Broker, Image, PartitionKey, PartitionState, Topic
from impl.queue.metadata.images import Images, epoch_of
from impl.queue.metadata.loading import Loaded
from impl.queue.metadata.wire import Change
from impl.queue.metadata.znodes import TopicNode
from impl.queue.protocol.errors import ApiError, Code

_AT_ONCE = 100
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the controller decides by; see ``elections``. ``version_of`` is what a change is set over."""

    first_state: Callable[..., PartitionState] = elections.first_state
    settled: Callable[..., PartitionState] = elections.settled
    preferred: Callable[..., PartitionState] = elections.preferred
    check_change: Callable[..., None] = elections.check_change
    version_of: Callable[[PartitionState], int] = lambda state: state.version


class Controller:
    """One term. ``images`` are what brokers are told. All methods that change something may raise what
    the client raises, and then the term is over.

    ``unclean(settings)`` says whether a topic with these settings of its own is led by whoever is there.
    """

    def __init__(
        self,
        client: Client,
        loaded: Loaded,
        unclean: Callable[[Mapping[str, str]], bool],
        rules: Rules,
    ) -> None:
        self.images = Images(loaded.image)
        self.over: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._client = client
        self._epoch_version = loaded.epoch_version
        self._nodes: dict[str, TopicNode] = dict(loaded.topics)
        self._unclean = unclean
        self._rules = rules
        self._leaving: dict[int, int] = {}
        self._changing = asyncio.Lock()

    @property
    def image(self) -> Image:
        """The cluster as it is in the znodes."""
        return self.images.newest

    # --- brokers come and go ------------------------------------------------------------------

    async def take_up(self) -> None:
        """Finish what the last controller left unfinished, then settle everything."""
        async with self._changing:
            for node in list(self._nodes.values()):
                if node.deleting:
                    await self._remove(node)
                else:
                    await self._place(node)
            await self._settle()

    async def brokers_are(self, brokers: Mapping[int, Broker]) -> None:
        """These brokers live now."""
        async with self._changing:
            if dict(brokers) == dict(self.image.brokers):
                return
            for id in [id for id, epoch in self._leaving.items() if epoch_of(brokers, id) != epoch]:
                del self._leaving[id]
            image = replace(self.image, brokers=MappingProxyType(dict(brokers)))
            self.images.show(image, Change(brokers=True))
            await self._settle()

    async def prefer(self) -> None:
        """Give partitions back to their preferred leaders, where those are in sync."""
        async with self._changing:
            await self._rework(lambda state, settings: self._rules.preferred(state, self._leaving))

    async def prefer_in(self, name: str, partitions: Collection[int]) -> None:
        """The same for some of a topic's, as somebody asks for it. Raises UNKNOWN_TOPIC_OR_PARTITION."""
        async with self._changing:
            self._node(name)
            states = dict(enumerate(self.image.topics[name].partitions))
            after = {
                PartitionKey(name, number): self._rules.preferred(state, self._leaving)
                for number, state in states.items()
                if number in partitions and state.version >= 0
            }
            changed = {key: each for key, each in after.items() if each is not states[key.partition]}
            await self._write(changed)

    async def leave(self, broker: int, epoch: int) -> None:
        """``broker`` is about to stop: others lead what it led, where others are in sync."""
        async with self._changing:
            self._check_broker(broker, epoch)
            self._leaving[broker] = epoch
            await self._settle()

    async def _settle(self) -> None:
        live = self._live()

        def settled(state: PartitionState, settings: Mapping[str, str]) -> PartitionState:
            unclean = self._unclean(settings)
            return self._rules.settled(state, live, unclean=unclean, leaving=self._leaving)

        await self._rework(settled)
        for name in [each.name for each in self._nodes.values() if each.moves]:
            await self._finish_moves(name)

    async def _rework(self, rule: Callable[[PartitionState, Mapping[str, str]], PartitionState]) -> None:
        changed = {}
        for key, state, settings in self._partitions():
            after = rule(state, settings)
            if after is not state:
                changed[key] = after
        await self._write(changed)

    def _partitions(self) -> Iterable[tuple[PartitionKey, PartitionState, Mapping[str, str]]]:
        for topic in self.image.topics.values():
            for number, state in enumerate(topic.partitions):
                if state.version >= 0:
                    yield PartitionKey(topic.name, number), state, topic.settings

    # --- in-sync sets -------------------------------------------------------------------------

    async def change_isr(
        self,
        broker: int,
        epoch: int,
        key: PartitionKey,
        seen: tuple[int, int],
        members: Mapping[int, int],
    ) -> None:
        """A leader says who is in sync, with the epochs in which they fetched.

        ``seen`` are the leader epoch and the version that it goes by. A leader whose disk has failed
        leaves itself out, and another leads. Raises ApiError.
        """
        async with self._changing:
            state = self.image.partition(key)
            if state is None:
                raise ApiError(Code.unknown_topic_or_partition)
            self._rules.check_change(state, (broker, epoch), seen, members, self._live())
            if broker not in members:
                await self._write({key: elections.given_up(state, members)})
            else:
                isr = tuple(each for each in state.replicas if each in members)
                epochs = tuple(members[each] for each in isr)
                await self._write({key: replace(state, isr=isr, isr_epochs=epochs)})
            await self._finish_moves(key.topic)

    def _live(self) -> dict[int, int]:
        return {id: broker.epoch for id, broker in self.image.brokers.items()}

    def _check_broker(self, broker: int, epoch: int) -> None:
        if epoch_of(self.image.brokers, broker) != epoch:
            raise ApiError(Code.stale_broker_epoch)

    # --- topics -------------------------------------------------------------------------------

    async def create_topic(
        self, name: str, id: UUID, assignment: Any, settings: Mapping[str, str]
    ) -> None:
        """Raises ApiError TOPIC_ALREADY_EXISTS."""
        async with self._changing:
            if name in self._nodes:
                raise ApiError(Code.topic_already_exists, f"Topic '{name}' already exists.")
            node = TopicNode(name=name, id=id, assignment=_tuples(assignment), settings=dict(settings))
            await self._client.create(znodes.topic_path(name), znodes.encode_topic(node))
            await self._place(node)

    async def delete_topic(self, name: str) -> None:
        """Raises ApiError UNKNOWN_TOPIC_OR_PARTITION."""
        async with self._changing:
            node = await self._put(replace(self._node(name), deleting=True))
            await self._remove(node)

    async def add_partitions(self, name: str, assignment: Any, has: int) -> None:
        """Append partitions to the ``has`` that there are."""
        async with self._changing:
            node = self._node(name)
            if len(node.assignment) != has:
                raise ApiError(Code.invalid_partitions, f"{name!r} was enlarged meanwhile")
            enlarged = replace(node, assignment=node.assignment + _tuples(assignment))
            await self._place(await self._put(enlarged))

    async def change_settings(self, name: str, settings: Mapping[str, str | None]) -> None:
        """Set, or with None unset, settings of a topic."""
        async with self._changing:
            node = self._node(name)
            merged = {**node.settings, **settings}
            kept = {key: value for key, value in merged.items() if value is not None}
            node = await self._put(replace(node, settings=kept))
            topic = replace(self.image.topics[name], settings=MappingProxyType(kept))
            self._show_topic(topic)
            await self._settle()

    async def move(self, name: str, targets: Mapping[int, Sequence[int] | None]) -> None:
        """Have these partitions' replicas moved; None calls a move off. See ``moves.begun``.

        Returns when that is under way. Raises ApiError, and then nothing has begun.
        """
        async with self._changing:
            node, live = self._node(name), self._live()
            steps: dict[int, moves.Step] = {}
            for number, target in targets.items():
                state = self.image.partition(PartitionKey(name, number))
                if state is None or state.version < 0:
                    raise ApiError(Code.unknown_topic_or_partition)
                if target is not None:
                    check_replicas(target, live)
                steps[number] = moves.begun(state, node.moves.get(number), target, self._leaving)
            await self._step(node, steps)
            await self._finish_moves(name)

    async def _finish_moves(self, name: str) -> None:
        """End the moves of a topic that have come to where they were to go."""
        node, topic = self._nodes.get(name), self.image.topics.get(name)
        if node is None or topic is None or node.deleting:
            return
        steps: dict[int, moves.Step] = {}
        for number, move in node.moves.items():
            state = topic.partitions[number]
            after = moves.done(state, move, self._leaving) if state.version >= 0 else None
            if after is not None:
                steps[number] = after, None
        await self._step(node, steps)

    async def _step(self, node: TopicNode, steps: Mapping[int, moves.Step]) -> None:
        """Write where partitions' replicas are and are to be: the topic's znode and theirs at once."""
        for some in _chunks(steps.items()):
            topic = self.image.topics[node.name]
            assignment, under_way = list(node.assignment), dict(node.moves)
            partitions = list(topic.partitions)
            for number, (state, move) in some:
                assignment[number], partitions[number] = state.replicas, state
                under_way.pop(number, None)
                if move is not None:
                    under_way[number] = move
            frozen = MappingProxyType(under_way)
            node = replace(node, assignment=tuple(assignment), moves=frozen)
            path, data = znodes.topic_path(node.name), znodes.encode_topic(node)
            transaction = self._guarded().set(path, data, version=node.version)
            for number, (state, _) in some:
                key = PartitionKey(node.name, number)
                data = znodes.encode_state(state)
                transaction.set(znodes.state_path(key), data, version=self._rules.version_of(state))
            _, changed, *written = await transaction.commit()
            node = self._nodes[node.name] = replace(node, version=changed.stat.version)
            for (number, (state, _)), each in zip(some, written, strict=True):
                partitions[number] = replace(state, version=each.stat.version)
            self._show_topic(replace(topic, partitions=tuple(partitions), moves=frozen))

    def _node(self, name: str) -> TopicNode:
        node = self._nodes.get(name)
        if node is None or node.deleting:
            raise ApiError(Code.unknown_topic_or_partition, f"there is no topic {name!r}")
        return node

    async def _put(self, node: TopicNode) -> TopicNode:
        path, data = znodes.topic_path(node.name), znodes.encode_topic(node)
        transaction = self._guarded().set(path, data, version=node.version)
        *_, changed = await transaction.commit()
        node = self._nodes[node.name] = replace(node, version=changed.stat.version)
        return node

    async def _place(self, node: TopicNode) -> None:
        """Give a first state to the partitions of a topic that have none, and show the topic."""
        self._nodes[node.name] = node
        known = self.image.topics.get(node.name)
        has = dict(enumerate(known.partitions if known else ()))
        live = self._live()
        missing = {
            number: self._rules.first_state(replicas, live)
            for number, replicas in enumerate(node.assignment)
            if number not in has or has[number].version < 0
        }
        for some in _chunks(missing.items()):
            transaction = self._guarded()
            for number, state in some:
                path = znodes.state_path(PartitionKey(node.name, number))
                transaction.create(path, znodes.encode_state(state))
            await transaction.commit()
        states = tuple({**has, **missing}[number] for number in range(len(node.assignment)))
        if missing or known is None:
            settings = MappingProxyType(dict(node.settings))
            self._show_topic(
                Topic(name=node.name, id=node.id, partitions=states, settings=settings, moves=node.moves)
            )

    async def _remove(self, node: TopicNode) -> None:
        """First nobody sees it any more, then its znodes go."""
        topics = {name: topic for name, topic in self.image.topics.items() if name != node.name}
        image = replace(self.image, topics=MappingProxyType(topics))
        self.images.show(image, Change(topics=(node.name,)))
        names = (await self._client.children(znodes.topic_path(node.name))).names
        for some in _chunks(sorted(names)):
            transaction = self._guarded()
            for name in some:
                transaction.delete(f"{znodes.topic_path(node.name)}/{name}")
            await transaction.commit()
        await self._guarded().delete(znodes.topic_path(node.name)).commit()
        del self._nodes[node.name]

    # --- writing and showing ------------------------------------------------------------------

    def _guarded(self) -> Any:
        """A transaction that holds only while nobody else has become controller."""
        return self._client.transaction().check(znodes.CONTROLLER_EPOCH, version=self._epoch_version)

    async def _write(self, states: Mapping[PartitionKey, PartitionState]) -> None:
        for some in _chunks(states.items()):
            transaction = self._guarded()
            for key, state in some:
                data = znodes.encode_state(state)
                transaction.set(znodes.state_path(key), data, version=self._rules.version_of(state))
            _, *changed = await transaction.commit()
            written = {
                key: replace(state, version=each.stat.version)
                for (key, state), each in zip(some, changed, strict=True)
            }
            self.images.show(self.image.with_states(written), Change(partitions=tuple(written)))

    def _show_topic(self, topic: Topic) -> None:
        topics = MappingProxyType({**self.image.topics, topic.name: topic})
        self.images.show(replace(self.image, topics=topics), Change(topics=(topic.name,)))

    async def term(self, work: Awaitable[_T]) -> _T:
        """Do ``work`` to its end, also when nobody waits any more; what it raises, but ApiError, is
        the end of the term."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._judge)
        try:
            return await asyncio.shield(task)
        except ApiError:
            raise
        except Exception as error:
            raise ApiError(Code.not_controller) from error

    def _judge(self, task: asyncio.Future[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ApiError):
            self.end(error)

    def end(self, error: BaseException) -> None:
        """The term is over."""
        if not self.over.done():
            _log.info("controller epoch %d ends: %s", self.image.controller_epoch, error)
            self.over.set_result(error)


def _tuples(assignment: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(replicas) for replicas in assignment)


def _chunks(items: Iterable[_T]) -> Iterable[list[_T]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
