"""What a consumer commits: when it is asked to, now and then, and before partitions are given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from impl.queue.client.coordinator import Coordinator
from impl.queue.client.errors import Closed, DidNotHappen, MayHaveHappened
from impl.queue.client.group import Group
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.positions import OffsetAndMetadata, Position
from impl.queue.client.turns import Turn, Turns
from impl.queue.protocol.membership import NO_GENERATION

_log = logging.getLogger(__name__)
_NOT_IN_A_GROUP = ("", NO_GENERATION, None)
Offsets = Mapping[TopicPartition, "OffsetAndMetadata | int"]


class Commits:
    """Commits of one consumer, one at a time in the order of the calls.

    ``positions`` are the consumer's, ``group()`` what it is a member of, ``coordinator()`` who takes
    commits; it raises what a commit is to raise when there is none. ``every_s`` is None unless what
    polls handed out is committed automatically; ``within_s`` is how long that may take.
    """

    def __init__(
        self,
        positions: Mapping[TopicPartition, Position],
        *,
        group: Callable[[], Group | None],
        coordinator: Callable[[], Coordinator],
        every_s: float | None,
        within_s: float,
        request_timeout_s: float,
    ) -> None:
        self._positions = positions
        self._group = group
        self._coordinator = coordinator
        self._every_s = every_s
        self._within_s = within_s
        self._request_timeout_s = request_timeout_s
        self._turns = Turns()
        self._under_way: dict[asyncio.Task[None], None] = {}
        self._next_s = 0.0

    def start(self) -> None:
        """Count from now on what is due automatically."""
        if self._every_s is not None:
            self._next_s = asyncio.get_running_loop().time() + self._every_s

    async def close(self) -> None:
        """Give up what is under way in the background."""
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def due(self) -> bool:
        """Whether it is time for an automatic commit."""
        return self._every_s is not None and asyncio.get_running_loop().time() >= self._next_s

    async def at_once(self, offsets: Offsets | None, *, within_s: float) -> None:
        """Commit ``offsets``, or else all that was handed out; return when it is done."""
        await self._commit(self._wanted(offsets), self._turns.take(), within_s=within_s)

    def soon(
        self, offsets: Offsets | None, callback: Callable[[Exception | None], None] | None = None
    ) -> None:
        """The same in the background, and tried once; ``callback`` gets the error, or None."""
        wanted, turn = self._wanted(offsets), self._turns.take()
        task = asyncio.get_running_loop().create_task(
            self._commit(wanted, turn, within_s=self._within_s, tries=1)
        )
        self._under_way[task] = None

        def done(task: asyncio.Task[None]) -> None:
            del self._under_way[task]
            turn.give_up()  # it may have been cancelled before it began
            error = Closed("the consumer was closed") if task.cancelled() else task.exception()
            if error is not None:
                _log.info("committing: %s", error)
            if callback is not None and (error is None or isinstance(error, Exception)):
                callback(error)

        task.add_done_callback(done)

    def in_passing(self) -> None:
        """Commit what earlier polls handed out, now and then."""
        if self._every_s is None or not self.due:
            return
        self._next_s = asyncio.get_running_loop().time() + self._every_s
        if self._positions:
            self.soon(None)

    async def before_giving_up(self, partitions: Iterable[TopicPartition]) -> None:
        """Commit these, if that is automatic; as well as it can be done."""
        if self._every_s is None:
            return
        offsets = self._wanted(None)
        wanted = {each: offsets[each] for each in partitions if each in offsets}
        try:
            await self._commit(wanted, self._turns.take(), within_s=self._request_timeout_s)
        except (DidNotHappen, MayHaveHappened) as error:
            _log.warning("committing before partitions are given up: %s", error)

    def _wanted(self, offsets: Offsets | None) -> dict[TopicPartition, OffsetAndMetadata]:
        if offsets is None:
            known = ((each.partition, each.committable()) for each in self._positions.values())
            return {partition: commit for partition, commit in known if commit is not None}
        return {
            TopicPartition(*partition): OffsetAndMetadata(each) if isinstance(each, int) else each
            for partition, each in offsets.items()
        }

    async def _commit(
        self,
        offsets: dict[TopicPartition, OffsetAndMetadata],
        turn: Turn,
        *,
        within_s: float,
        tries: int | None = None,
    ) -> None:
        async with turn.held():
            if not offsets:
                return
            group = self._group()
            member = group.member if group is not None else _NOT_IN_A_GROUP
            try:
                await self._coordinator().commit(offsets, member, within_s=within_s, tries=tries)
            except (DidNotHappen, MayHaveHappened) as error:
                if group is not None and member[1] == group.generation:
                    group.out(error.code)
                raise
