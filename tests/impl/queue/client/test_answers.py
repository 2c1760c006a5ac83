"""What the clients make of answers that only a script can be relied on to give."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest

from impl.queue.client.errors import DidNotHappen, MayHaveHappened, Refused, Truncated
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol import batches, records
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.client.clients import at, consumer, producer
from tests.impl.queue.client.scripted import OK, Answer, Script, broker

T0 = TopicPartition("t", 0)


def play(answers: Mapping[int, Answer], scenario: Callable[[Script], Awaitable[None]]) -> None:
    async def run() -> None:
        async with broker(answers) as script:
            await scenario(script)

    asyncio.run(asyncio.wait_for(run(), 30))


# --- producing ----------------------------------------------------------------------------------------


def produced(codes: Iterator[Code | None]) -> Answer:
    """One answer after the other; None closes the connection, and after the last all is well."""

    def answer(body: Any) -> Mapping[str, Any] | None:
        code = next(codes, Code.none)
        if code is None:
            return None
        part = {"index": 0, "error_code": code, "base_offset": 40 if code is Code.none else -1}
        return {"responses": [{"name": "t", "partition_responses": [{**part, "record_errors": ()}]}]}

    return answer


@pytest.mark.parametrize(
    ("code", "acks", "kind"),
    [
        (Code.not_enough_replicas, "all", DidNotHappen),
        (Code.not_enough_replicas_after_append, "all", MayHaveHappened),
        (Code.not_leader_or_follower, "all", MayHaveHappened),
        (Code.not_leader_or_follower, 1, DidNotHappen),
        (Code.request_timed_out, "all", MayHaveHappened),
        (Code.message_too_large, "all", Refused),
        (Code.unknown_server_error, "all", MayHaveHappened),
        (Code.kafka_storage_error, "all", MayHaveHappened),
        (None, "all", MayHaveHappened),
    ],
)
def test_each_answer_says_what_it_proves(code: Code | None, acks: object, kind: type) -> None:
    async def scenario(script: Script) -> None:
        async with producer(at(script.port), acks=acks, idempotent=False, retries=0) as writer:
            delivery = await writer.send("t", b"v")
            with pytest.raises(kind) as failed:
                await delivery
            assert type(failed.value) in (kind, Refused)

    play({ApiKey.PRODUCE: produced(iter([code]))}, scenario)


@pytest.mark.parametrize(
    "first", [Code.not_enough_replicas, Code.not_leader_or_follower, Code.request_timed_out, None]
)
def test_what_passes_is_tried_again_with_the_same_number(first: Code | None) -> None:
    async def scenario(script: Script) -> None:
        async with producer(at(script.port)) as writer:
            assert (await writer.send_and_wait("t", b"v")).offset == 40
        tries = [batches.header(each) for each in map(sent, script.requests(ApiKey.PRODUCE))]
        assert len(tries) == 2
        assert len({(each.producer_id, each.producer_epoch, each.base_sequence) for each in tries}) == 1

    play({ApiKey.PRODUCE: produced(iter([first]))}, scenario)


def test_once_uncertain_a_later_refusal_does_not_make_it_certain() -> None:
    async def scenario(script: Script) -> None:
        async with producer(at(script.port)) as writer:
            delivery = await writer.send("t", b"v")
            with pytest.raises(MayHaveHappened):
                await delivery

    play({ApiKey.PRODUCE: produced(iter([None, Code.message_too_large]))}, scenario)


def test_a_broker_that_forgot_the_producer_gets_the_batch_in_a_new_epoch() -> None:
    async def scenario(script: Script) -> None:
        async with producer(at(script.port)) as writer:
            await writer.send_and_wait("t", b"1")
            await writer.send_and_wait("t", b"2")
        tries = [batches.header(each) for each in map(sent, script.requests(ApiKey.PRODUCE))]
        numbers = [(each.producer_epoch, each.base_sequence) for each in tries]
        assert numbers == [(0, 0), (0, 1), (1, 0)]

    play({ApiKey.PRODUCE: produced(iter([Code.none, Code.unknown_producer_id]))}, scenario)


def test_a_batch_that_is_known_already_is_placed() -> None:
    async def scenario(script: Script) -> None:
        async with producer(at(script.port)) as writer:
            assert (await writer.send_and_wait("t", b"v")).offset == -1

    play({ApiKey.PRODUCE: produced(iter([Code.duplicate_sequence_number]))}, scenario)


def sent(body: Any) -> bytes:
    return bytes(body.topic_data[0].partition_data[0].records)


# --- a log that was truncated -------------------------------------------------------------------------


class Log:
    """A partition that another leader takes over, whose log diverges at ``diverged_at``."""

    def __init__(self, diverged_at: int) -> None:
        self.diverged_at = diverged_at
        self.epoch = 3
        self.value = b"old"

    def fetch(self, body: Any) -> Mapping[str, Any]:
        asked = body.topics[0].partitions[0]
        code = Code.none
        if asked.current_leader_epoch not in (-1, self.epoch):
            code = Code.fenced_leader_epoch
        data = b""
        if code is Code.none and asked.fetch_offset < 10:
            made = [(None, self.value)] * (10 - asked.fetch_offset)
            data = records.batch(made, timestamp_ms=1, base_offset=asked.fetch_offset)
            data = batches.placed(data, asked.fetch_offset, self.epoch)
        part = {
            "partition_index": 0,
            "error_code": code,
            "high_watermark": 10,
            "aborted_transactions": None,
            "records": data,
        }
        return {"responses": [{"topic": "t", "partitions": [part]}], **OK}

    def epoch_end(self, body: Any) -> Mapping[str, Any]:
        asked = body.topics[0].partitions[0]
        end = {"partition": 0, "leader_epoch": asked.leader_epoch, "end_offset": self.diverged_at, **OK}
        return {"topics": [{"topic": "t", "partitions": [end]}]}

    def offsets(self, body: Any) -> Mapping[str, Any]:
        part = {"partition_index": 0, "timestamp": -1, "offset": 0, "leader_epoch": self.epoch, **OK}
        return {"topics": [{"name": "t", "partitions": [part]}]}

    def answers(self) -> dict[int, Answer]:
        return {
            ApiKey.FETCH: self.fetch,
            ApiKey.LIST_OFFSETS: self.offsets,
            ApiKey.OFFSET_FOR_LEADER_EPOCH: self.epoch_end,
        }


def take_over(script: Script, log: Log) -> None:
    script.leader_epoch = log.epoch = 5
    log.value = b"new"


def test_after_a_truncation_reading_goes_on_where_the_logs_diverge_and_somebody_is_told() -> None:
    log, told = Log(diverged_at=6), []

    async def scenario(script: Script) -> None:
        script.leader_epoch = log.epoch
        settings = {"on_truncation": lambda *what: told.append(what), "fetch_max_wait_s": 0.01}
        async with consumer(at(script.port), **settings) as reader:
            reader.assign([T0])
            assert len(await reader.poll(timeout_s=5)) == 10
            take_over(script, log)
            found = await reader.poll(timeout_s=10)
            assert [(each.offset, each.value) for each in found] == [(n, b"new") for n in range(6, 10)]
            assert told == [(T0, 10, 6)]

    play(log.answers(), scenario)


def test_without_a_reset_a_truncation_is_an_error_that_says_from_where() -> None:
    log = Log(diverged_at=6)

    async def scenario(script: Script) -> None:
        script.leader_epoch = log.epoch
        settings = {"auto_offset_reset": "none", "fetch_max_wait_s": 0.01}
        async with consumer(at(script.port), **settings) as reader:
            reader.assign([T0])
            reader.seek(T0, 0)
            assert len(await reader.poll(timeout_s=5)) == 10
            take_over(script, log)
            with pytest.raises(Truncated) as truncated:
                await reader.poll(timeout_s=10)
            assert (truncated.value.position, truncated.value.diverged_at) == (10, 6)

    play(log.answers(), scenario)


def test_a_new_leader_that_has_it_all_is_read_on_from() -> None:
    log = Log(diverged_at=10)

    async def scenario(script: Script) -> None:
        script.leader_epoch = log.epoch
        async with consumer(at(script.port), fetch_max_wait_s=0.01) as reader:
            reader.assign([T0])
            assert len(await reader.poll(timeout_s=5, max_records=4)) == 4
            take_over(script, log)
            values = [each.value for each in await reader.poll(timeout_s=5)]
            while not script.requests(ApiKey.OFFSET_FOR_LEADER_EPOCH):
                values += [each.value for each in await reader.poll(timeout_s=0.1)]
            (asked,) = script.requests(ApiKey.OFFSET_FOR_LEADER_EPOCH)
            assert asked.topics[0].partitions[0].leader_epoch == 3
            assert len(values) == 6

    play(log.answers(), scenario)
