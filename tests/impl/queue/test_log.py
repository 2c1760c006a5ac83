"""The log against a list of batches: append, read, truncate, crash, recover."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.machine import DirectoryDisk
from impl.queue.log import compaction, retention, times
from impl.queue.log.log import PartitionLog
from impl.queue.log.recovery import open_log
from impl.queue.log.settings import LogSettings
from impl.queue.protocol import batches, records
from impl.queue.protocol.errors import ApiError, Code

SMALL = LogSettings(segment_bytes=400, index_interval_bytes=100, segment_ms=1 << 60)
FAST = settings(max_examples=60, deadline=None, derandomize=True)
FAR = 1 << 60


def now_ms() -> int:
    return 1_000_000


def batch(count: int = 1, *, size: int = 10, time_ms: int = 5, key: bytes | None = None) -> bytes:
    return records.batch([(key, bytes(size))] * count, timestamp_ms=time_ms)


def append(log: PartitionLog, data: bytes, epoch: int = 0) -> int:
    return log.append(data, batches.check(data), epoch)


async def opened(directory: Path | str, options: LogSettings = SMALL) -> PartitionLog:
    return await open_log(DirectoryDisk(Path(directory)), "t-0", options, now_ms)


def contents(log: PartitionLog) -> list[tuple[int, int]]:
    """(offset, epoch) of every record, read in small fetches."""
    found, offset = [], log.start_offset
    while data := log.read(offset, 150, FAR):
        for at, each in batches.walk(data):
            assert batches.intact(data, each, at)
            found += [(n, each.leader_epoch) for n in range(each.base_offset, each.next_offset)]
        offset = found[-1][0] + 1
    return found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 5), st.integers(1, 300)),
        st.tuples(st.just("truncate"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("advance"), st.integers(0, 60), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
        st.tuples(st.just("summarise"), st.just(0), st.just(0)),
        st.tuples(st.just("epoch"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@FAST
@given(STEPS)
def test_a_log_is_a_list_of_batches(steps) -> None:
    async def run(directory: str) -> None:
        log, model, epoch, start = await opened(directory), [], 0, 0
        for what, n, size in steps:
            end = model[-1][-1] + 1 if model else log.end_offset
            if what == "append":
                assert append(log, batch(n, size=size), epoch) == end
                model.append((epoch, *range(end, end + n)))
            elif what == "truncate" and n >= start:
                await log.truncate(n)
                model = [each for each in model if each[-1] < n]
                start = min(start, log.end_offset)
            elif what == "advance" and n <= end:
                log.advance_start(n)
                await log.drop_unread()
                start = max(start, n)
            elif what == "reopen":
                log.close()
                log = await opened(directory)
                log.advance_start(start)
            elif what == "summarise":
                await log.summarise()
            elif what == "epoch":
                epoch += 1
            wanted = [(o, e) for e, *offsets in model for o in offsets if offsets[-1] >= start]
            assert contents(log) == wanted
            assert log.end_offset == (model[-1][-1] + 1 if model else log.end_offset)
            for entry in log.epochs.entries:
                assert log.epochs.at(entry.start_offset) == entry.epoch
        log.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(directory))


def test_whatever_byte_a_file_ends_at_the_whole_batches_before_it_are_recovered(tmp_path: Path) -> None:
    async def run() -> None:
        log = await opened(tmp_path, LogSettings())
        ends = []
        for _ in range(3):
            append(log, batch(2))
            ends.append(log.size)
        log.close()
        path = tmp_path / "t-0" / f"{0:020d}.log"
        data = path.read_bytes()
        for size in range(len(data), -1, -1):
            path.write_bytes(data[:size])
            log = await opened(tmp_path, LogSettings())
            assert log.end_offset == 2 * sum(end <= size for end in ends)
            assert path.stat().st_size == max([0, *(end for end in ends if end <= size)])
            log.close()

    asyncio.run(run())


@FAST
@given(st.data())
def test_a_flipped_bit_ends_the_log_before_its_batch(data) -> None:
    async def run(directory: str) -> None:
        log = await opened(directory, LogSettings())
        for _ in range(4):
            append(log, batch(1))
        size = log.size // 4
        log.close()
        path = Path(directory) / "t-0" / f"{0:020d}.log"
        raw = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        log = await opened(directory, LogSettings())
        harmless = 12 <= at % size < 16  # the leader epoch lies outside the CRC
        base = at % size < 8
        assert log.end_offset == 4 if harmless else log.end_offset >= at // size or base
        assert log.end_offset in (4, at // size) or base
        log.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(directory))


def test_a_large_first_batch_is_given_whole(tmp_path: Path) -> None:
    async def run() -> None:
        log = await opened(tmp_path, LogSettings())
        append(log, batch(1, size=50_000))
        append(log, batch(1))
        assert len(log.read(0, 1, FAR)) > 50_000
        assert batches.header(log.read(1, 1, FAR)).base_offset == 1
        assert log.read(0, FAR, 0) == b""
        assert log.read(2, FAR, FAR) == b""
        with pytest.raises(ApiError) as refused:
            log.read(3, 1, FAR)
        assert refused.value.code is Code.offset_out_of_range

    asyncio.run(run())


@FAST
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 300)), min_size=1), st.integers(1, 400))
def test_where_there_is_no_room_for_the_next_batch_nothing_behind_it_is_given(some, most: int) -> None:
    async def run(directory: str) -> None:
        log = await opened(directory)
        for count, size in some:
            append(log, batch(count, size=size))
        for offset in range(log.end_offset):
            whole = log.read(offset, 1, FAR)  # the first of an answer: in any case
            given_ = log.read(offset, most, FAR, first=False)
            assert bool(given_) == (len(whole) <= most)
            assert not given_ or batches.header(given_) == batches.header(whole)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(directory))


def test_producers_and_epochs_survive_a_restart_with_and_without_summaries(tmp_path: Path) -> None:
    async def run() -> None:
        for summarised in (False, True):
            directory = tmp_path / str(summarised)
            log = await opened(directory)
            for sequence in range(12):
                data = records.rebuilt(
                    [records.Record(0, 5, None, bytes(100))],
                    base_offset=0,
                    last_offset=0,
                    like=batches.header(batch())._replace(
                        producer_id=7, producer_epoch=0, base_sequence=sequence
                    ),
                )
                append(log, data, epoch=sequence // 4)
            if summarised:
                await log.summarise()
                assert len(list((directory / "t-0").glob("*.index"))) == len(log.segments) - 1 > 1
            before = log.facts()
            log.close()
            log = await opened(directory)
            assert log.facts() == before
            await log.truncate(6)
            assert log.epochs.latest == 1
            assert log.producers.duplicate(batches.header(data)._replace(base_sequence=5))
            log.close()

    asyncio.run(run())


def test_offsets_are_found_by_time(tmp_path: Path) -> None:
    async def run() -> None:
        log = await opened(tmp_path)
        for time_ms in range(10, 100, 10):
            append(log, batch(1, size=80, time_ms=time_ms))
        assert times.first_after(log, 45, FAR) == (50, 4, 0)
        assert times.first_after(log, 0, FAR) == (10, 0, 0)
        assert times.first_after(log, 91, FAR) is None
        assert times.first_after(log, 90, 8) is None
        assert times.latest(log, FAR) == (90, 8, 0)

    asyncio.run(run())


def test_retention_by_size_and_by_age_takes_whole_segments_below_the_high_watermark(tmp_path: Path):
    async def run() -> None:
        by_size = LogSettings(segment_bytes=400, retention_bytes=500, retention_ms=-1, segment_ms=FAR)
        log = await opened(tmp_path / "size", by_size)
        for _ in range(30):
            append(log, batch(1, size=100))
        await retention.enforce(log, 4)
        assert log.start_offset == log.segments[0].base_offset <= 4
        await retention.enforce(log, 30)
        assert 500 <= log.size < 900
        assert log.end_offset == 30
        by_age = LogSettings(segment_bytes=400, retention_ms=1000, segment_ms=FAR)
        log = await opened(tmp_path / "age", by_age)
        append(log, batch(1, time_ms=now_ms() - 2000))
        await retention.enforce(log, 1)
        assert (log.start_offset, log.end_offset) == (1, 1)

    asyncio.run(run())


@FAST
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=60))
def test_compaction_keeps_the_newest_value_of_each_key(writes) -> None:
    async def run(directory: str) -> None:
        options = LogSettings(
            segment_bytes=300, compact=True, delete=False, delete_retention_ms=0, segment_ms=FAR
        )
        log = await opened(directory, options)
        newest: dict[bytes, bytes | None] = {}
        for number, (key, gone) in enumerate(writes):
            value = None if gone else b"%d" % number
            append(log, records.batch([(b"%d" % key, value)], timestamp_ms=number))
            newest[b"%d" % key] = value
        log.roll()
        await compaction.compact(log, log.end_offset)
        assert values(log) == {key: value for key, value in newest.items() if value is not None}
        end = log.end_offset
        log.close()
        log = await opened(directory, options)
        assert log.end_offset == end
        assert values(log) == {key: value for key, value in newest.items() if value is not None}
        log.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(directory))


def values(log: PartitionLog) -> dict[bytes | None, bytes | None]:
    found = [
        record
        for segment in log.segments
        for data in segment.batches()
        for record in records.read(data)
        if record.value is not None
    ]
    assert len({record.key for record in found}) == len(found)
    return {record.key: record.value for record in found}


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=20), bad=st.integers(0, 30))
@FAST
def test_a_copy_has_the_batches_of_its_original_up_to_the_first_bad_one(
    sizes: list[int], bad: int
) -> None:
    async def run(directory: str) -> None:
        original = await opened(f"{directory}/a")
        for epoch, size in enumerate(sizes):
            append(original, batch(size=size), epoch // 3)
        data = b"".join(each for segment in original.segments for each in segment.batches())
        starts = [at for at, _ in batches.walk(data)]
        copy = await opened(f"{directory}/b")
        if bad < len(starts):
            broken = bytearray(data)
            broken[starts[bad] + 30] ^= 1
            with pytest.raises(ApiError) as refused:
                copy.append_copy(bytes(broken))
            assert refused.value.code is Code.corrupt_message
            assert contents(copy) == contents(original)[:bad]
            data = data[starts[bad] :]
        copy.append_copy(data)
        assert contents(copy) == contents(original)
        assert copy.epochs.entries == original.epochs.entries
        assert all(each.size <= SMALL.segment_bytes or each.size < 400 for each in copy.segments)

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(directory))
