import asyncio
from pathlib import Path

from impl.ids.autoincrement import open_autoincrement
from impl.ids.config import Config
from impl.ids.watermark import Watermark
from tests.impl.hosts import StillHost

CONFIG = Config(kind="autoincrement", offset=2, step=5, reserve=10)


async def taken(host: StillHost, *counts: int) -> list[int]:
    generator = await open_autoincrement(host, CONFIG)
    return [one for count in counts for one in await generator.take(count)]


def test_ids_begin_at_the_offset_and_go_on_by_the_step(tmp_path: Path) -> None:
    assert asyncio.run(taken(StillHost(tmp_path), 1, 3)) == [2, 7, 12, 17]


def test_a_restart_skips_what_was_reserved_and_repeats_nothing(tmp_path: Path) -> None:
    host = StillHost(tmp_path)
    before, after = asyncio.run(taken(host, 3)), asyncio.run(taken(host, 1))
    assert before == [2, 7, 12]
    assert after == [2 + 13 * 5]


def test_ids_are_reserved_on_disk_in_batches(tmp_path: Path) -> None:
    asyncio.run(taken(StillHost(tmp_path), *[1] * 22))
    assert (tmp_path / "autoincrement.mark").stat().st_size == 2 * 16


def test_requests_at_the_same_time_get_different_ids(tmp_path: Path) -> None:
    async def crowd() -> list[int]:
        generator = await open_autoincrement(StillHost(tmp_path), CONFIG)
        answers = await asyncio.gather(*(generator.take(3) for _ in range(50)))
        return [one for answer in answers for one in answer]

    assert sorted(asyncio.run(crowd())) == [2 + 5 * n for n in range(150)]


def test_no_id_leaves_before_it_is_reserved(tmp_path: Path) -> None:
    async def check() -> None:
        host = StillHost(tmp_path)
        generator = await open_autoincrement(host, CONFIG)
        for _ in range(30):
            [one] = await generator.take(1)
            mark = (await Watermark.open(host.disk, "autoincrement.mark")).durable
            assert (one - CONFIG.offset) // CONFIG.step < mark

    asyncio.run(check())
