"""Producer, consumer and admin against our own broker in this process, over real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from impl.queue.client.consumer import Consumer
from impl.queue.client.errors import (
    Closed,
    CommitRefused,
    DidNotHappen,
    Fenced,
    MayHaveHappened,
    NoOffset,
    Refused,
)
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.partitioners import RoundRobin, partition_of
from impl.queue.client.positions import OffsetAndMetadata
from impl.queue.protocol.decode import Record
from impl.queue.protocol.errors import Code
from tests.impl.queue.brokers import in_process
from tests.impl.queue.client.clients import admin, at, consumer, producer
from tests.support.ports import free_port

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
Scenario = Callable[[int], Awaitable[None]]


def with_broker(directory: Path, scenario: Scenario, **settings: object) -> None:
    async def run() -> None:
        port = free_port()
        async with in_process(directory, port, **settings):
            await scenario(port)

    asyncio.run(asyncio.wait_for(run(), 40))


async def read(reader: Consumer, count: int) -> list[Record]:
    found: list[Record] = []
    while len(found) < count:
        found += await reader.poll(timeout_s=1.0)
    return found


async def fill(port: int, count: int, **options: object) -> None:
    async with producer(at(port), **options) as writer:
        for number in range(count):
            await writer.send("t", b"%d" % number, partition=number % 2)


# --- producing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_what_is_sent_is_placed_and_read_in_order_by_others_too(
    tmp_path: Path, compression: str
) -> None:
    async def scenario(port: int) -> None:
        async with producer(at(port), compression=compression, batch_bytes=2000) as writer:
            sent = [await writer.send("t", b"%d" % n, partition=0) for n in range(500)]
            assert [(await each).offset for each in sent] == list(range(500))
        reader = AIOKafkaConsumer(
            "t", bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest"
        )
        await reader.start()
        assert [(await reader.getone()).value for _ in range(500)] == [b"%d" % n for n in range(500)]
        await reader.stop()

    with_broker(tmp_path, scenario)


@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_every_level_of_acks_delivers(tmp_path: Path, acks: int | str) -> None:
    async def scenario(port: int) -> None:
        async with producer(at(port), acks=acks) as writer:
            placed = await writer.send_and_wait("t", b"v", partition=1, headers=[(b"a", None)])
            assert placed.offset == (-1 if acks == 0 else 0)
        async with consumer(at(port)) as reader:
            reader.assign([T1])
            (record,) = await read(reader, 1)
            assert (record.key, record.value, record.headers) == (None, b"v", ((b"a", None),))
            assert record.timestamp_ms == placed.timestamp_ms

    with_broker(tmp_path, scenario)


def test_keys_go_where_java_would_put_them_and_partitioners_can_be_replaced(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        async with producer(at(port), key_serializer=str.encode) as writer:
            for key in ("a", "b", "c", "d"):
                placed = await writer.send_and_wait("t", b"v", key=key)
                assert placed.partition == partition_of(key.encode(), 2)
        async with producer(at(port), partitioner=RoundRobin()) as writer:
            placed = [await writer.send_and_wait("t", b"v", key=b"same") for _ in range(4)]
            assert [each.partition for each in placed] == [0, 1, 0, 1]
        async with producer(at(port), partitioner=lambda topic, key, partitions: 1) as writer:
            assert (await writer.send_and_wait("t", b"v", key=b"a")).partition == 1
            with pytest.raises(DidNotHappen, match="has 2 partitions, and no 9"):
                await writer.send("t", b"v", partition=9)

    with_broker(tmp_path, scenario)


def test_a_full_buffer_makes_send_wait_and_is_never_exceeded(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        async with producer(at(port), buffer_bytes=20_000, batch_bytes=5_000) as writer:

            async def one(number: int) -> int:
                delivery = await writer.send("t", bytes(1000), partition=0)
                assert writer.buffered_bytes <= 20_000
                return (await delivery).offset

            assert sorted(await asyncio.gather(*map(one, range(300)))) == list(range(300))
            with pytest.raises(DidNotHappen, match="buffer_bytes"):
                await writer.send("t", bytes(30_000))
            assert writer.buffered_bytes == 0

    with_broker(tmp_path, scenario)


def test_records_that_are_too_large_did_not_happen(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        async with producer(at(port), max_request_bytes=3_000, batch_bytes=2_500) as writer:
            with pytest.raises(DidNotHappen, match="max_request_bytes"):
                await writer.send("t", bytes(4_000))
            with pytest.raises(Refused) as refused:
                await writer.send_and_wait("t", bytes(2_000), partition=0)
            assert refused.value.code is Code.message_too_large
            assert (await writer.send_and_wait("t", b"small", partition=0)).offset == 0

    with_broker(tmp_path, scenario, message_max_bytes=1_000)


def test_flush_does_not_linger_and_close_sends_what_is_left(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        writer = producer(at(port), linger_s=60.0, delivery_timeout_s=100.0)
        await writer.start()
        first = await writer.send("t", b"1", partition=0)
        assert not first.done()
        await writer.flush()
        assert first.result().offset == 0
        last = await writer.send("t", b"2", partition=0)
        await writer.close()
        assert (await last).offset == 1
        with pytest.raises(Closed):
            await writer.send("t", b"3", partition=0)

    with_broker(tmp_path, scenario)


def test_closing_without_a_flush_fails_what_was_never_sent(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        writer = producer(at(port), linger_s=60.0, delivery_timeout_s=100.0)
        await writer.start()
        delivery = await writer.send("t", b"1", partition=0)
        await writer.close(flush=False)
        with pytest.raises(DidNotHappen):
            await delivery

    with_broker(tmp_path, scenario)


def test_without_a_broker_nothing_happened(tmp_path: Path) -> None:
    async def run() -> None:
        writer = producer(at(free_port()))
        with pytest.raises(DidNotHappen, match="no broker"):
            await writer.start(within_s=0.3)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_when_the_broker_goes_what_was_not_sent_did_not_happen(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        async with in_process(tmp_path, port):
            writer = producer(at(port), delivery_timeout_s=0.5, request_timeout_s=0.5)
            await writer.start()
            await writer.send_and_wait("t", b"0", partition=0)
        delivery = await writer.send("t", b"1", partition=0)
        with pytest.raises(DidNotHappen):
            await delivery
        await writer.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_producer_goes_on_over_a_restart_of_the_broker(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        async with in_process(tmp_path, port):
            writer = producer(at(port))
            await writer.start()
            first = [await writer.send("t", b"%d" % n, partition=0) for n in range(100)]
            await writer.flush()
        between = [await writer.send("t", b"%d" % n, partition=0) for n in range(100, 200)]
        async with in_process(tmp_path, port):
            placed = [(await each).offset for each in (*first, *between)]
            assert placed == list(range(200))
            await writer.close()

    asyncio.run(asyncio.wait_for(run(), 40))


def test_settings_that_do_not_go_together_are_refused_at_once() -> None:
    for wrong in (
        {"acks": 2},
        {"compression": "lzma"},
        {"idempotent": True, "acks": 1},
        {"idempotent": True, "max_in_flight": 6},
        {"batch_bytes": 0},
        {"delivery_timeout_s": 1.0, "request_timeout_s": 2.0},
    ):
        with pytest.raises(ValueError, match=re.escape(next(iter(wrong)))):
            producer(at(1), **wrong)
    for wrong in (
        {"auto_offset_reset": "middle"},
        {"isolation": "read_committed"},
        {"auto_commit": True},
        {"group_id": "g", "assignors": ["best"]},
        {"heartbeat_s": 9.0, "session_timeout_s": 9.0},
    ):
        with pytest.raises(ValueError, match=next(iter(reversed(wrong)))[:8]):
            consumer(at(1), **wrong)
    with pytest.raises(ValueError, match="names no broker"):
        producer([])


# --- consuming ----------------------------------------------------------------------------------------


def test_a_consumer_seeks_pauses_and_knows_its_position(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        async with consumer(at(port)) as reader:
            reader.assign([T0, T1])
            assert len(await read(reader, 100)) == 100
            assert await reader.position(T0) == 50
            reader.seek(T0, 48)
            assert [each.offset for each in await read(reader, 2)] == [48, 49]
            reader.seek_to_beginning(T0)
            reader.pause(T0)
            assert await reader.poll(timeout_s=0.3) == []
            assert reader.paused() == (T0,)
            reader.resume(T0)
            assert [each.offset for each in await read(reader, 50)] == list(range(50))
            reader.seek_to_end(T0)
            assert await reader.position(T0) == 50
            assert await reader.end_offsets(T0, T1) == {T0: 50, T1: 50}
            assert await reader.beginning_offsets(T0) == {T0: 0}
            assert (await reader.offsets_for_times({T0: 0, T1: 1 << 50})) == {T0: 0, T1: None}
            with pytest.raises(ValueError, match="less than 0"):
                reader.seek(T0, -1)

    with_broker(tmp_path, scenario)


def test_async_for_hands_out_each_record_once_and_in_order(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 400, batch_bytes=200)
        async with consumer(at(port), value_deserializer=int) as reader:
            reader.assign([T0, T1])
            found: dict[int, list[int]] = {0: [], 1: []}
            async for record in reader:
                found[record.partition].append(record.value)
                assert await reader.position(TopicPartition("t", record.partition)) == record.offset + 1
                if sum(map(len, found.values())) == 400:
                    break
            assert found == {0: list(range(0, 400, 2)), 1: list(range(1, 400, 2))}

    with_broker(tmp_path, scenario)


def test_a_group_goes_on_from_its_commit_and_groups_do_not_know_each_other(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        async with consumer(at(port), group_id="g", auto_commit=False) as reader:
            reader.subscribe(["t"])
            assert len(await read(reader, 100)) == 100
            await reader.commit({T0: OffsetAndMetadata(20, "note"), T1: 30})
            assert await reader.committed(T0, T1) == {T0: (20, "note", -1), T1: (30, "", -1)}
        async with consumer(at(port), group_id="g", auto_commit=False) as reader:
            reader.subscribe(["t"])
            found = await read(reader, 50)
            assert sorted(each.offset for each in found) == sorted([*range(20, 50), *range(30, 50)])
        async with consumer(at(port), group_id="other") as reader:
            reader.subscribe(["t"])
            assert len(await read(reader, 100)) == 100
            assert await reader.committed(TopicPartition("t", 0)) == {T0: None}

    with_broker(tmp_path, scenario)


def test_with_auto_commit_what_was_handed_out_is_not_read_again(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        for wanted in (60, 40):
            async with consumer(at(port), group_id="g") as reader:
                reader.subscribe(["t"])
                got = 0
                async for _ in reader:
                    got += 1
                    if got == wanted:
                        break
        async with consumer(at(port), group_id="g") as reader:
            reader.subscribe(["t"])
            assert await reader.poll(timeout_s=0.5) == []

    with_broker(tmp_path, scenario)


def test_asynchronous_commits_arrive_in_order(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        async with consumer(at(port), group_id="g", auto_commit=False) as reader:
            reader.assign([T0])
            told: list[Exception | None] = []
            for offset in range(1, 30):
                reader.commit_soon({T0: offset}, told.append)
            await reader.commit({T0: 30})
            assert told == [None] * 29
            assert await reader.committed(T0) == {T0: (30, "", -1)}

    with_broker(tmp_path, scenario)


def test_without_an_offset_to_begin_with_the_poll_says_so(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 4)
        async with consumer(at(port), group_id="g", auto_offset_reset="none") as reader:
            reader.assign([T0])
            with pytest.raises(NoOffset):
                await reader.poll(timeout_s=5)
            reader.seek(T0, 77)
            with pytest.raises(NoOffset) as missing:
                await reader.poll(timeout_s=5)
            assert missing.value.code is Code.offset_out_of_range
            reader.seek(T0, 1)
            assert [each.offset for each in await reader.poll(timeout_s=5)] == [1]
        async with consumer(at(port), auto_offset_reset="earliest") as reader:
            reader.assign([T0])
            reader.seek(T0, 77)
            assert (await reader.one()).offset == 0

    with_broker(tmp_path, scenario)


# --- groups -------------------------------------------------------------------------------------------


class Notes:
    """A listener that remembers, and can look at its consumer."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[TopicPartition, ...]]] = []

    def revoked(self, partitions: object) -> None:
        self.told.append(("revoked", tuple(partitions)))  # type: ignore[arg-type]

    async def assigned(self, partitions: object) -> None:
        self.told.append(("assigned", tuple(partitions)))  # type: ignore[arg-type]

    def lost(self, partitions: object) -> None:
        self.told.append(("lost", tuple(partitions)))  # type: ignore[arg-type]


async def until(members: list[Consumer], wanted: list[int]) -> None:
    """Poll all members until they have as many partitions as wanted, in some order."""
    while sorted(len(each.assignment()) for each in members) != wanted:
        await asyncio.gather(*(each.poll(timeout_s=0.05) for each in members))


async def forever(*members: Consumer) -> None:
    while True:
        for each in members:
            await each.poll(timeout_s=0.05)


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "sticky", "cooperative-sticky"])
def test_members_share_partitions_and_take_over_from_one_that_leaves(
    tmp_path: Path, assignor: str
) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        settings = {"group_id": "g", "assignors": [assignor], "auto_commit_interval_s": 0.05}
        first, second = consumer(at(port), **settings), consumer(at(port), **settings)
        notes = Notes()
        await first.start()
        first.subscribe(["t"], notes)
        await until([first], [2])
        await second.start()
        second.subscribe(["t"])
        await until([first, second], [1, 1])
        assert not set(first.assignment()) & set(second.assignment())
        await second.close()
        await until([first], [2])
        kinds = [kind for kind, partitions in notes.told if partitions]
        assert kinds == ["assigned", "revoked", "assigned", "revoked", "assigned"] or (
            assignor == "cooperative-sticky" and kinds == ["assigned", "revoked", "assigned"]
        )
        await first.close()

    with_broker(tmp_path, scenario)


def test_cooperative_members_keep_reading_what_stays_theirs(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 2)
        settings = {"group_id": "g", "assignors": ["cooperative-sticky"]}
        notes = Notes()
        async with consumer(at(port), **settings) as first, consumer(at(port), **settings) as second:
            first.subscribe(["t"], notes)
            await until([first], [2])
            second.subscribe(["t"])
            await until([first, second], [1, 1])
            given_up = [set(parts) for kind, parts in notes.told if kind == "revoked" and parts]
            assert given_up == [set(second.assignment())]

    with_broker(tmp_path, scenario)


def test_a_member_that_was_thrown_out_is_told_and_its_commit_refused(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        settings = {
            "group_id": "g",
            "auto_commit": False,
            "max_poll_interval_s": 2.0,
            "session_timeout_s": 6.0,
        }
        notes = Notes()
        async with consumer(at(port), **settings) as slow, consumer(at(port), **settings) as quick:
            slow.subscribe(["t"], notes)
            await read(slow, 100)
            assert len(slow.assignment()) == 2
            quick.subscribe(["t"])
            while len(quick.assignment()) != 2:  # slow does not poll meanwhile
                await quick.poll(timeout_s=0.05)
            with pytest.raises(CommitRefused):
                await slow.commit()
            await slow.poll(timeout_s=0.1)
            assert [kind for kind, _ in notes.told][:2] == ["assigned", "lost"]
            await until([slow, quick], [1, 1])

    with_broker(tmp_path, scenario)


def test_a_static_member_comes_back_to_what_it_had_without_a_rebalance(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        settings = {"group_id": "g", "session_timeout_s": 5.0}
        other = consumer(at(port), group_instance_id="b", **settings)
        await other.start()
        first = consumer(at(port), group_instance_id="a", **settings)
        await first.start()
        for each in (first, other):
            each.subscribe(["t"])
        await until([first, other], [1, 1])
        had, generation = first.assignment(), other.generation
        await first.close()
        async with consumer(at(port), group_instance_id="a", **settings) as again:
            again.subscribe(["t"])
            await until([again, other], [1, 1])
            assert again.assignment() == had
            assert other.generation == generation
            async with consumer(at(port), group_instance_id="a", **settings) as double:
                double.subscribe(["t"])
                with pytest.raises(Fenced):
                    await forever(double, again)
        await other.close()

    with_broker(tmp_path, scenario)


def test_a_pattern_reads_the_topics_that_match_and_those_that_come(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        async with (
            producer(at(port)) as writer,
            consumer(at(port), group_id="g", metadata_max_age_s=0.2) as reader,
        ):
            for topic in ("logs-a", "other", "all-logs-a"):
                await writer.send_and_wait(topic, topic.encode())
            reader.subscribe(pattern="logs-.*")
            assert [each.value for each in await read(reader, 1)] == [b"logs-a"]
            await writer.send_and_wait("logs-b", b"new")
            assert [each.value for each in await read(reader, 1)] == [b"new"]
            assert {each.topic for each in reader.assignment()} == {"logs-a", "logs-b"}
            reader.subscribe(["other"])
            assert [each.value for each in await read(reader, 1)] == [b"other"]
            with pytest.raises(ValueError, match="topics or a pattern"):
                reader.subscribe(["other"], pattern="x")

    with_broker(tmp_path, scenario)


def test_members_of_ours_and_aiokafkas_share_a_group(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        await fill(port, 100)
        theirs = AIOKafkaConsumer(
            "t", bootstrap_servers=f"127.0.0.1:{port}", group_id="g", heartbeat_interval_ms=100
        )
        async with consumer(at(port), group_id="g", assignors=["roundrobin"]) as ours:
            ours.subscribe(["t"])
            await until([ours], [2])
            await theirs.start()
            while len(ours.assignment()) != 1 or len(theirs.assignment()) != 1:
                await ours.poll(timeout_s=0.05)
            assert not set(ours.assignment()) & {TopicPartition(*each) for each in theirs.assignment()}
            await theirs.stop()
            await until([ours], [2])

    with_broker(tmp_path, scenario)


def test_new_partitions_are_dealt_out(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        settings = {"group_id": "g", "metadata_max_age_s": 0.2}
        async with admin(at(port)) as boss, consumer(at(port), **settings) as reader:
            await boss.create_topic("t", partitions=1)
            reader.subscribe(["t"])
            await until([reader], [1])
            await boss.create_partitions("t", 3)
            await until([reader], [3])

    with_broker(tmp_path, scenario)


# --- administration -----------------------------------------------------------------------------------


def test_topics_and_groups_are_made_described_and_deleted(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        async with admin(at(port)) as boss:
            await boss.create_topic("t", partitions=3, settings={"retention.ms": "5000"})
            with pytest.raises(Refused) as refused:
                await boss.create_topic("t")
            assert refused.value.code is Code.topic_already_exists
            described = await boss.describe()
            assert described.brokers == {1: ("127.0.0.1", port)}
            assert {n: each.leader for n, each in described.topics["t"].items()} == {0: 1, 1: 1, 2: 1}
            await fill(port, 10)
            await boss.delete_records({T0: 2})
            async with consumer(at(port), group_id="g") as reader:
                reader.subscribe(["t"])
                assert len(await read(reader, 8)) == 8
                found = await boss.describe_group("g")
                assert (found.state, [each.id for each in found.members]) == (
                    "Stable",
                    [reader.member_id],
                )
            assert (await boss.committed("g", T0))[T0].offset == 5
            await boss.delete_group("g")
            assert await boss.committed("g", T0) == {}
            await boss.delete_topic("t")
            assert "t" not in (await boss.describe()).topics

    with_broker(tmp_path, scenario)


def test_the_two_kinds_of_errors_are_not_each_other() -> None:
    assert not issubclass(MayHaveHappened, DidNotHappen)
    assert issubclass(CommitRefused, Refused)
    assert issubclass(Refused, DidNotHappen)
