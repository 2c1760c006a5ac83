"""What brokers tell of partitions in an image that is not settled yet; what ends a controller's term."""

from __future__ import annotations

import asyncio
import random
from types import MappingProxyType

import pytest

from impl.coordination.client.client import Client
from impl.queue.metadata.controller import Controller, Rules
from impl.queue.metadata.image import Image, PartitionState
from impl.queue.metadata.loading import Loaded
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.serving.cluster import partition_values

STATE = PartitionState(leader=2, leader_epoch=7, replicas=(2, 3, 1), isr=(2, 3), isr_epochs=(5, 6))


def test_a_leader_that_lives_is_named() -> None:
    told = partition_values(0, STATE, {1, 2, 3})
    assert (told["leader_id"], told["error_code"]) == (2, Code.none)
    assert told["offline_replicas"] == ()


def test_one_that_died_and_is_not_replaced_yet_is_not_as_nobody_could_reach_it() -> None:
    told = partition_values(0, STATE, {1, 3})
    assert (told["leader_id"], told["error_code"]) == (-1, Code.leader_not_available)
    assert (told["leader_epoch"], told["offline_replicas"]) == (7, (2,))


def controller() -> Controller:
    loaded = Loaded(image=Image(cluster_id="c"), topics=MappingProxyType({}), epoch_version=0)
    client = Client((("127.0.0.1", 1),), session_timeout_s=1, random=random.Random(1))
    return Controller(client, loaded, lambda settings: False, Rules())


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("error", "ends"), [(OSError("gone"), True), (ApiError(Code.none), False)])
def test_work_that_goes_wrong_ends_the_term_also_when_nobody_waits_for_it(
    waits: bool, error: Exception, ends: bool
) -> None:
    async def main() -> tuple[bool, list[object]]:
        unheard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: unheard.append(about))
        term, begun, go_on = controller(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            await go_on.wait()
            raise error

        asked = asyncio.create_task(term.term(work()))
        await begun.wait()
        if not waits:
            asked.cancel()
        go_on.set()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(0)
        del asked
        return term.over.done(), unheard

    assert asyncio.run(main()) == (ends, [])
