import asyncio
from pathlib import Path

import pytest

from impl.ids.config import EPOCH_MS, Config
from impl.ids.errors import Refused
from impl.ids.snowflake import PER_MS, TIMESTAMP_END, decode
from impl.ids.snowflake_node import SnowflakeNode, open_snowflake
from impl.ids.watermark import Watermark
from tests.impl.hosts import NOON_MS, StillHost

CONFIG = Config(kind="snowflake", node_id=3, reserve_ms=500, max_clock_wait_ms=20)


async def node(host: StillHost) -> SnowflakeNode:
    return await open_snowflake(host, CONFIG)


def moving(host: StillHost) -> StillHost:
    """The same host, whose clock goes on by 0.4 ms each time somebody looks at it."""
    host.per_reading_ns = 400_000
    return host


def test_more_than_a_millisecond_holds_is_taken_from_several(tmp_path: Path) -> None:
    async def take() -> list[int]:
        return await (await node(moving(StillHost(tmp_path)))).take(3 * PER_MS)

    ids = asyncio.run(take())
    assert len(set(ids)) == 3 * PER_MS
    assert len({decode(one).timestamp_ms for one in ids}) == 3


def test_a_small_step_back_is_waited_out(tmp_path: Path) -> None:
    async def take() -> tuple[int, int]:
        host = StillHost(tmp_path)
        ids = await node(host)
        [before] = await ids.take(1)
        host.now_ms -= 3
        moving(host)
        [after] = await ids.take(1)
        return before, after

    before, after = asyncio.run(take())
    assert before < after


def test_a_large_step_back_is_refused_until_the_clock_has_caught_up(tmp_path: Path) -> None:
    async def take() -> list[int]:
        host = StillHost(tmp_path)
        ids = await node(host)
        before = await ids.take(2)
        host.now_ms -= 1000
        with pytest.raises(Refused, match=r"1000\.000 ms before") as refused:
            await ids.take(1)
        assert refused.value.code == "clock-moved-back"
        host.now_ms += 1000
        return before + await ids.take(1)

    ids = asyncio.run(take())
    assert ids == sorted(set(ids))


def test_a_clock_that_stands_still_does_not_hold_a_request_for_ever(tmp_path: Path) -> None:
    async def take() -> str:
        host = StillHost(tmp_path)
        ids = await node(host)
        await ids.take(1)
        host.now_ms -= 15
        with pytest.raises(Refused) as refused:
            await ids.take(1)
        return refused.value.code

    assert asyncio.run(take()) == "clock-moved-back"


def test_a_restart_with_the_clock_set_back_repeats_nothing(tmp_path: Path) -> None:
    async def take() -> tuple[int, str, int]:
        host = StillHost(tmp_path)
        [before] = await (await node(host)).take(1)
        host.now_ms -= 60_000
        reborn = await node(host)
        with pytest.raises(Refused) as refused:
            await reborn.take(1)
        host.now_ms = NOON_MS + CONFIG.reserve_ms
        [after] = await reborn.take(1)
        return before, refused.value.code, after

    before, code, after = asyncio.run(take())
    assert code == "clock-moved-back"
    assert before < after


def test_no_id_leaves_before_its_timestamp_is_reserved_on_disk(tmp_path: Path) -> None:
    host = StillHost(tmp_path)
    [one] = asyncio.run(_take_one(host))
    mark = asyncio.run(_mark(host))
    assert decode(one).timestamp_ms < mark


async def _take_one(host: StillHost) -> list[int]:
    return await (await node(host)).take(1)


async def _mark(host: StillHost) -> int:
    return (await Watermark.open(host.disk, "snowflake.mark")).durable


@pytest.mark.parametrize(
    ("now_ms", "code"),
    [(EPOCH_MS - 1, "clock-before-epoch"), (EPOCH_MS + TIMESTAMP_END, "timestamp-exhausted")],
)
def test_a_time_that_does_not_fit_is_refused(tmp_path: Path, now_ms: int, code: str) -> None:
    host = StillHost(tmp_path)
    host.now_ms = now_ms
    with pytest.raises(Refused) as refused:
        asyncio.run(_take_one(host))
    assert refused.value.code == code
