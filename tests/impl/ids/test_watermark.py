import asyncio
import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.ids.watermark import Watermark, largest, record
from impl.machine import DirectoryDisk

FILE = "a.mark"


async def raised(disk: DirectoryDisk, *marks: int) -> Watermark:
    watermark = await Watermark.open(disk, FILE)
    for mark in marks:
        await watermark.raise_to(mark)
    return watermark


async def recovered(disk: DirectoryDisk) -> int:
    return (await Watermark.open(disk, FILE)).durable


def test_a_new_one_is_at_0(tmp_path: Path) -> None:
    assert asyncio.run(recovered(DirectoryDisk(tmp_path))) == 0


def test_what_it_was_raised_to_is_recovered(tmp_path: Path) -> None:
    disk = DirectoryDisk(tmp_path)
    asyncio.run(raised(disk, 5, 2**50, 7))
    assert asyncio.run(recovered(disk)) == 2**50


@given(torn=st.integers(0, 16), last=st.integers(6, 2**63))
@settings(derandomize=True, max_examples=40)
def test_a_torn_record_leaves_those_before_it(tmp_path_factory, torn: int, last: int) -> None:
    directory = tmp_path_factory.mktemp("disk")
    (directory / FILE).write_bytes(record(5) + record(last)[:torn])
    disk = DirectoryDisk(directory)
    assert asyncio.run(recovered(disk)) == (last if torn == 16 else 5)
    asyncio.run(raised(disk, last + 1))
    assert asyncio.run(recovered(disk)) == last + 1


def test_a_record_whose_page_was_lost_hides_none_behind_it() -> None:
    assert largest(record(3) + bytes(16) + record(9)) == 9
    assert largest(bytes(32)) == 0


def test_it_is_compacted_and_keeps_its_number(tmp_path: Path) -> None:
    disk = DirectoryDisk(tmp_path)
    (tmp_path / FILE).write_bytes(record(1) * 4096)
    asyncio.run(raised(disk, 2, 3))
    assert (tmp_path / FILE).stat().st_size == 32
    assert asyncio.run(recovered(disk)) == 3


def test_callers_at_the_same_time_share_fsyncs(tmp_path: Path) -> None:
    async def crowd() -> int:
        watermark = await Watermark.open(DirectoryDisk(tmp_path), FILE)
        await asyncio.gather(*(watermark.raise_to(mark) for mark in range(1, 101)))
        assert watermark.durable == 100
        return (tmp_path / FILE).stat().st_size // 16

    assert asyncio.run(crowd()) <= 2


class FullDisk(DirectoryDisk):
    """Takes five bytes of the next append and then says that it is full, once."""

    full = False

    def open(self, path: str):
        file = super().open(path)
        append = file.append

        def maybe(data: bytes) -> None:
            append(data[:5] if self.full else data)
            if self.full:
                self.full = False
                raise OSError(errno.ENOSPC, "No space left on device")

        file.append = maybe
        return file


def test_a_full_disk_is_an_error_and_harms_nothing(tmp_path: Path) -> None:
    async def fill() -> tuple[int, int]:
        disk = FullDisk(tmp_path)
        watermark = await raised(disk, 5)
        disk.full = True
        with pytest.raises(OSError, match="No space"):
            await watermark.raise_to(6)
        durable = watermark.durable
        await watermark.raise_to(7)
        return durable, await recovered(disk)

    assert asyncio.run(fill()) == (5, 7)
