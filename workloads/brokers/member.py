"""A client that is a member of a consumer group, or a consumer alone that keeps its offsets in one.

Whatever the library tells of rebalances becomes a step of the next operation that succeeds, in the
order in which it happened: what was assigned or revoked, what was committed there, and where polling
is therefore to begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from history.op import Op
from workloads.brokers.both import started
from workloads.brokers.common import by_key, key_of, now_ns, place_of, polled
from workloads.brokers.seam import (
    CommitRefused,
    CommitUnknown,
    Consumer,
    Maker,
    Partition,
    Polled,
    Settings,
)
from workloads.workload import ClientContext

_POLL_S = 0.5
_COMMIT_S = 3.0
_CLOSE_S = 1.0


class Membership:
    """One process's consumer, and what it knows of its partitions.

    ``alone``: it is assigned these partitions and subscribes to nothing.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        maker: Maker,
        settings: Settings,
        alone: Sequence[Partition] = (),
    ) -> None:
        self._context, self._maker, self._settings = context, maker, settings
        self._alone = alone
        self._consumer: Consumer | None = None
        self._steps: list[list[Any]] = []
        self._owned: set[Partition] = set()
        self._next: dict[Partition, int] = {}
        self._count = 0
        self._taking_up = False
        self._polled: tuple[asyncio.Future[list[list[Any]]], Polled] | None = None

    async def poll(self, op: Op) -> Op:
        """Become a member if it is none; ``ok`` with the rebalances and messages that came.

        A library that rebalances in the background may hand out what it read of partitions that are
        still being taken up. That comes after where polling begins, in the history as in ``commit``.
        """
        try:
            found = await (await self._joined()).poll(_POLL_S)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=str(error))
        if not self._taking_up:
            return op.completed("ok", value=self._moved_on(found))
        waiting = asyncio.get_running_loop().create_future()
        self._polled = waiting, found
        return op.completed("ok", value=await waiting)

    def _moved_on(self, found: Polled) -> list[list[Any]]:
        """What a poll that found this has to tell."""
        for partition, records in found.items():
            if records:
                self._next[partition] = records[-1][0] + 1
        return [*self._told(), polled(found)]

    async def commit(self, op: Op) -> Op:
        """Commit what has been polled of the partitions that are owned; ``fail`` if there are none."""
        offsets = {each: self._next[each] for each in sorted(self._owned) if each in self._next}
        if self._consumer is None or not offsets:
            return op.completed("fail", error="nothing to commit")
        about = {**self._about(), "from_ns": now_ns()}
        try:
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(offsets)
        except CommitRefused as error:
            return op.completed("fail", error=str(error))
        except (CommitUnknown, TimeoutError) as error:
            step = ["commit", by_key(offsets), {**about, "type": "info", "until_ns": now_ns()}]
            return op.completed("fail", value=[step], error=f"perhaps: {error}")
        step = ["commit", by_key(offsets), {**about, "until_ns": now_ns()}]
        return op.completed("ok", value=[*self._told(), step])

    async def end(self, op: Op, *, leave: bool) -> Op:
        """Stop the consumer; without ``leave`` its group has to find out by itself."""
        if self._consumer is None:
            return op.completed("fail", error="it is no member")
        consumer, self._consumer = self._consumer, None
        gone = ["revoked", list(map(key_of, sorted(self._owned))), self._about_of(consumer)]
        self._owned, self._next = set(), {}
        value = [*self._told(), gone]
        await _closed(consumer, leave=leave)
        return op.completed("ok", value=value)

    async def close(self) -> None:
        """As a crash."""
        if self._consumer is not None:
            await _closed(self._consumer, leave=False)

    async def _joined(self) -> Consumer:
        if self._consumer is None:
            self._count += 1
            place = place_of(self._context, f"member-{self._count}")
            consumer: Consumer = await started(self._maker.consumer(place, self._settings))
            self._consumer = consumer
            if self._alone:
                await self._resume(consumer)
            else:
                await consumer.subscribe(self._assigned, self._revoked)
        return self._consumer

    async def _resume(self, consumer: Consumer) -> None:
        try:
            positions = await self._committed(consumer, self._alone)
            await consumer.assign(positions)
        except BaseException:
            self._consumer = None
            await _closed(consumer, leave=False)
            raise
        self._owned = set(self._alone)

    async def _assigned(self, partitions: Sequence[Partition]) -> None:
        assert self._consumer is not None
        about = self._about()
        self._owned |= set(partitions)
        self._steps.append(["assigned", list(map(key_of, partitions)), about])
        for partition in partitions:
            self._next.pop(partition, None)
        self._taking_up = True
        try:
            await self._committed(self._consumer, partitions)
        except (OSError, TimeoutError):
            pass  # where polling begins is then nobody's business
        finally:
            self._taking_up = False
            if self._polled is not None:
                (waiting, found), self._polled = self._polled, None
                if not waiting.done():
                    waiting.set_result(self._moved_on(found))

    async def _revoked(self, partitions: Sequence[Partition]) -> None:
        if self._consumer is None:
            return
        self._owned -= set(partitions)
        self._steps.append(["revoked", list(map(key_of, partitions)), self._about()])

    async def _committed(
        self, consumer: Consumer, partitions: Sequence[Partition]
    ) -> Mapping[Partition, int]:
        """What is committed, and therefore where polling begins; both become steps."""
        from_ns = now_ns()
        found = await consumer.committed(partitions)
        positions = {partition: found[partition] or 0 for partition in partitions}
        about = {"group": self._settings.group, "from_ns": from_ns, "until_ns": now_ns()}
        self._steps.append(["committed", by_key(found), about])
        self._steps.append(["position", by_key(positions)])
        self._next |= positions
        return positions

    def _about(self) -> dict[str, Any]:
        assert self._consumer is not None
        return self._about_of(self._consumer)

    def _about_of(self, consumer: Consumer) -> dict[str, Any]:
        member = consumer.member()
        return {
            "group": self._settings.group,
            "member": member.id,
            "generation": member.generation,
            "at_ns": now_ns(),
        }

    def _told(self) -> list[list[Any]]:
        steps, self._steps = self._steps, []
        return steps


async def _closed(consumer: Consumer, *, leave: bool) -> None:
    """Within a second, or never mind."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await consumer.close(leave=leave)
    except (OSError, TimeoutError):
        pass
