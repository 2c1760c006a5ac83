"""Where a consumer begins in a partition: where its group has committed, or else as it was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from impl.queue.client.coordinator import Coordinator
from impl.queue.client.errors import DidNotHappen, NoOffset
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.positions import OffsetAndMetadata, Position


class Locating:
    """Gives an offset, or a time to look it up by, to those of ``positions`` that have neither.

    ``coordinator`` is None without a group. ``reset_to`` is the time to begin by where nothing is
    committed; None makes that an error of the position. ``done`` is called when it is over.
    """

    def __init__(
        self,
        positions: Mapping[TopicPartition, Position],
        coordinator: Coordinator | None,
        *,
        reset_to: int | None,
        within_s: float,
        done: Callable[[], None],
    ) -> None:
        self._positions = positions
        self._coordinator = coordinator
        self._reset_to = reset_to
        self._within_s = within_s
        self._done = done
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look up what is unknown, in the background, unless that is under way."""
        unknown = [
            each
            for each in self._positions.values()
            if each.offset is None and each.reset_to is None and each.error is None
        ]
        if unknown and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._look_up(unknown))

    async def stop(self) -> None:
        """Look nothing up any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_up(self, unknown: Sequence[Position]) -> None:
        committed: Mapping[TopicPartition, OffsetAndMetadata] = {}
        stamps = {each.partition: each.stamp for each in unknown}
        if self._coordinator is not None:
            try:
                committed = await self._coordinator.fetch(list(stamps), within_s=self._within_s)
            except DidNotHappen as error:
                for position in unknown:
                    position.error = error
                self._done()
                return
        for position in unknown:
            if position.stamp == stamps[position.partition] and position.reset_to is None:
                self._begin_at(position, committed.get(position.partition))
        self._done()

    def _begin_at(self, position: Position, commit: OffsetAndMetadata | None) -> None:
        if commit is not None:
            position.seek(commit.offset, commit.leader_epoch)
        elif self._reset_to is not None:
            position.reset(self._reset_to)
        else:
            where = "{}-{}".format(*position.partition)
            position.error = NoOffset(f"{where}: nothing is committed, auto_offset_reset is none")
