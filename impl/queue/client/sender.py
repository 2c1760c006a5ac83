"""Sends what is complete or has waited long enough, to whoever leads; hands out what came of it.

Nothing here waits: ``wake`` has the sender look at what there is to do, in the event loop's next turn.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from impl.coordination.client.backoff import Backoff
from impl.queue.client.batch import Batch, Identity
from impl.queue.client.cluster import Cluster
from impl.queue.client.connection import Connection, Disconnected
from impl.queue.client.errors import DidNotHappen, moved, not_appended, passes
from impl.queue.client.lane import Lane
from impl.queue.client.metadata import NO_LEADER, TopicPartition
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.producing import BatchBytes, produce

_log = logging.getLogger(__name__)
_TOO_LARGE = (Code.message_too_large, Code.record_list_too_large)
_SEQUENCE_LOST = (Code.unknown_producer_id, Code.invalid_producer_epoch)
_OVERHEAD_BYTES = 100
_TRANSACTION_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How to send. ``acks`` is 0, 1 or -1 for all; ``retries`` None for as long as there is time."""

    acks: int
    idempotent: bool
    codec: str
    linger_s: float
    batch_bytes: int
    max_request_bytes: int
    max_in_flight: int
    request_timeout_s: float
    delivery_timeout_s: float
    retries: int | None
    backoff_s: tuple[float, float]


class _Flight(NamedTuple):
    """What one request carries, and over which connection."""

    connection: Connection
    carried: dict[TopicPartition, tuple[Lane, Batch]]


class Sender:
    """See the module. ``closed(partition)`` is called whenever a batch is complete."""

    def __init__(
        self,
        cluster: Cluster,
        sending: Sending,
        *,
        random: random.Random,
        closed: Callable[[TopicPartition], None],
    ) -> None:
        self.hurry = 0
        self._cluster = cluster
        self._sending = sending
        self._random = random
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._ready: dict[Lane, None] = {}
        self._ripening: deque[tuple[float, Lane, Batch]] = deque()
        self._expiring: deque[tuple[Lane, Batch]] = deque()
        self._in_flight: dict[Connection, int] = {}
        self._identity: Identity | None = None
        self._identifying: asyncio.Task[None] | None = None
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        cluster.listen(self.wake)

    # --- what the producer tells --------------------------------------------------------------

    def opened(self, lane: Lane, batch: Batch) -> None:
        """``batch`` is begun: it goes out when it has waited, and is given up after too long."""
        self._expiring.append((lane, batch))
        linger_s = self._sending.linger_s
        if linger_s <= 0 or self.hurry:
            batch.ripe = True
            self._ready[lane] = None
            self.wake()
            return
        self._ripening.append((batch.created_s + linger_s, lane, batch))
        if self._timer is None:
            self._set_timer(batch.created_s + linger_s)

    def full(self, lane: Lane) -> None:
        """Nothing more fits into the open batch."""
        self._close_open(lane)
        self._ready[lane] = None
        self.wake()

    def ripen(self) -> None:
        """Everything that is open goes out now."""
        for _, lane, batch in self._ripening:
            batch.ripe = True
            self._ready[lane] = None
        self._ripening.clear()
        self.wake()

    def unfinished(self) -> list[Batch]:
        """The batches whose outcome isn't known."""
        return [batch for _, batch in self._expiring if not batch.done]

    def stop(self, reason: str) -> None:
        """Give up whatever is still there."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._identifying is not None:
            self._identifying.cancel()
        for batch in self.unfinished():
            batch.fail(reason)

    def wake(self) -> None:
        """Look at what there is to do, soon."""
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            self._loop.call_soon(self._work)

    # --- working ------------------------------------------------------------------------------

    def _work(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        now_s = self._loop.time()
        self._expire(now_s)
        while self._ripening and self._ripening[0][0] <= now_s:
            _, lane, batch = self._ripening.popleft()
            batch.ripe = True
            if lane.open is batch:
                self._ready[lane] = None
        by_leader: dict[int, list[Lane]] = {}
        for lane in list(self._ready):
            self._sort(lane, now_s, by_leader)
        for node, lanes in by_leader.items():
            self._send_to(node, lanes)
        self._set_timer(self._next_s(now_s))

    def _expire(self, now_s: float) -> None:
        timeout_s = self._sending.delivery_timeout_s
        while self._expiring:
            lane, batch = self._expiring[0]
            if not batch.done:
                if batch.created_s + timeout_s > now_s:
                    return
                self._give_up(lane, batch, f"not delivered within {timeout_s:g} s")
            self._expiring.popleft()

    def _give_up(self, lane: Lane, batch: Batch, reason: str) -> None:
        """``batch`` has failed; if it is under way its answer still counts for the sequence."""
        if lane.open is batch:
            lane.open = None
        for piece in batch.pieces():
            if piece in lane.flying:
                piece.uncertain = True
            else:
                lane.dropped(piece)
            piece.fail(reason)

    def _sort(self, lane: Lane, now_s: float, by_leader: dict[int, list[Lane]]) -> None:
        """Put a lane that can be served to its leader's; forget one that has nothing to send."""
        if not lane.waiting and (lane.open is None or not lane.open.ripe):
            del self._ready[lane]
            return
        if lane.not_before_s > now_s or not self._identified(lane):
            return
        leadership = self._cluster.metadata.leadership(lane.partition)
        if leadership is None or leadership.leader == NO_LEADER:
            self._cluster.stale()
            return
        by_leader.setdefault(leadership.leader, []).append(lane)

    def _send_to(self, node: int, lanes: list[Lane]) -> None:
        connection = self._cluster.link(node)
        if connection is None:
            return
        while (
            lanes
            and connection.open
            and connection.writable
            and self._in_flight.get(connection, 0) < self._sending.max_in_flight
        ):
            lanes = self._send(connection, lanes)

    def _send(self, connection: Connection, lanes: list[Lane]) -> list[Lane]:
        """One request with a batch of each lane that has one; the lanes that have more."""
        left, size, more = self._sending.max_request_bytes, 0, []
        carried: dict[TopicPartition, tuple[Lane, Batch]] = {}
        for lane in lanes:
            if not lane.waiting and lane.open is not None and lane.open.ripe:
                self._close_open(lane)
            if not lane.may_send(connection):
                continue
            size = lane.waiting[0].size + _OVERHEAD_BYTES
            if carried and size > left:
                more.append(lane)
                continue
            left -= size
            carried[lane.partition] = lane, lane.take(connection)
            del self._ready[lane]  # to the end of the line
            self._ready[lane] = None
            if lane.waiting:
                more.append(lane)
        if carried:
            self._fly(_Flight(connection, carried))
        return more

    def _close_open(self, lane: Lane) -> None:
        batch, lane.open = lane.open, None
        assert batch is not None
        batch.close(self._sending.codec)
        lane.waiting.append(batch)
        self._closed(lane.partition)

    def _fly(self, flight: _Flight) -> None:
        sending, connection = self._sending, flight.connection
        topics: dict[str, list[BatchBytes]] = {}
        for (topic, _), (_, batch) in flight.carried.items():
            topics.setdefault(topic, []).append(batch.wire())
        timeout_ms = round(sending.request_timeout_s * 1000)
        version = connection.versions.get(ApiKey.PRODUCE, 3)
        body = produce(version, sending.acks, timeout_ms, topics)
        answered = sending.acks != 0
        future = connection.ask_body(
            ApiKey.PRODUCE, body, timeout_s=sending.request_timeout_s, answered=answered
        )
        self._in_flight[connection] = self._in_flight.get(connection, 0) + 1
        future.add_done_callback(partial(self._answered, flight))

    # --- answers ------------------------------------------------------------------------------

    def _answered(self, flight: _Flight, future: asyncio.Future[Any]) -> None:
        connection = flight.connection
        self._in_flight[connection] -= 1
        if not self._in_flight[connection]:
            del self._in_flight[connection]
        if self._stopped:
            return
        try:
            self._settle(flight.carried, future.result())
        except Disconnected as error:
            for lane, batch in flight.carried.values():
                batch.uncertain = batch.uncertain or error.sent
                self._again(lane, batch, str(error), None)
        self.wake()

    def _settle(self, carried: dict[TopicPartition, tuple[Lane, Batch]], body: Any) -> None:
        if body is None:
            for lane, batch in carried.values():
                lane.landed(batch)
                batch.place(-1)
            return
        for topic in body.responses:
            for each in topic.partition_responses:
                found = carried.pop(TopicPartition(topic.name, each.index), None)
                if found is not None:
                    self._result(*found, each)
        for lane, batch in carried.values():
            batch.uncertain = True
            self._again(lane, batch, "the broker's answer leaves it out", None)

    def _result(self, lane: Lane, batch: Batch, answer: Any) -> None:
        code = answer.error_code
        if code is Code.none or code is Code.duplicate_sequence_number:
            lane.landed(batch)
            time = getattr(answer, "log_append_time", None)
            batch.place(answer.base_offset, -1 if time is None else round(time.timestamp() * 1000))
            return
        batch.uncertain = batch.uncertain or not not_appended(code, self._sending.acks)
        reason = f"the broker answers {code.name}"
        if message := getattr(answer, "error_message", None):
            reason += f" ({message})"
        if moved(code):
            self._cluster.stale()
        if code is Code.out_of_order_sequence_number and not lane.leads(batch):
            self._again(lane, batch, reason, None)
        elif code in (Code.out_of_order_sequence_number, *_SEQUENCE_LOST) and batch.sequence is not None:
            self._again(lane, batch, reason, None)
            lane.renumber()
        elif passes(code):
            self._again(lane, batch, reason, code)
        elif code in _TOO_LARGE and batch.count > 1 and not batch.uncertain and not batch.done:
            _log.info("%s-%d: %s; sent in two", *lane.partition, reason)
            lane.split(batch)
            self._ready[lane] = None
        else:
            lane.dropped(batch)
            batch.fail(reason, code)

    def _again(self, lane: Lane, batch: Batch, reason: str, code: Code | None) -> None:
        """Send it again after a while, if anybody still wants it and it may be tried so often."""
        retries = self._sending.retries
        if batch.done or (retries is not None and batch.attempts > retries):
            lane.dropped(batch)
            batch.fail(reason, code)
            return
        _log.info("%s-%d: %s; sent again", *lane.partition, reason)
        first_s, last_s = self._sending.backoff_s
        lane.failures += 1
        limit_s = min(last_s, first_s * 2 ** min(lane.failures - 1, 30))
        lane.returned(batch, self._loop.time() + self._random.uniform(0.0, limit_s))
        self._ready[lane] = None

    # --- identity -----------------------------------------------------------------------------

    def _identified(self, lane: Lane) -> bool:
        """Whether its batches can be numbered, if they are to be."""
        if not self._sending.idempotent or lane.identity is not None:
            return True
        if self._identity is not None and self._identity.producer_id != lane.spent:
            lane.identity = self._identity
            return True
        if self._identifying is None:
            self._identifying = self._loop.create_task(self._identify())
        return False

    async def _identify(self) -> None:
        """Get a producer id, from whichever broker can be asked."""
        first_s, last_s = self._sending.backoff_s
        backoff = Backoff(self._random, free=0, base_s=first_s, cap_s=last_s)
        values = {"transactional_id": None, "transaction_timeout": _TRANSACTION_TIMEOUT_MS}
        while True:
            try:
                body = await self._cluster.ask(None, ApiKey.INIT_PRODUCER_ID, values, changes=False)
            except DidNotHappen as error:
                if error.code is Code.unsupported_version:
                    self._refuse(str(error), error.code)
                    return
            else:
                if body.error_code is Code.none:
                    self._identity = Identity(body.producer_id, body.producer_epoch)
                    break
                if not passes(body.error_code):
                    self._refuse(f"no producer id: {body.error_code.name}", body.error_code)
                    return
            await asyncio.sleep(backoff.next_s())
        self._identifying = None
        self.wake()

    def _refuse(self, reason: str, code: Code) -> None:
        """No batch can ever be sent."""
        self._identifying = None
        for lane, batch in list(self._expiring):
            if not batch.done:
                if lane.open is batch:
                    lane.open = None
                for piece in batch.pieces():
                    lane.dropped(piece)
                    piece.fail(reason, code)

    # --- the clock ----------------------------------------------------------------------------

    def _next_s(self, now_s: float) -> float | None:
        times = [self._ripening[0][0]] if self._ripening else []
        if self._expiring:
            times.append(self._expiring[0][1].created_s + self._sending.delivery_timeout_s)
        times += [lane.not_before_s for lane in self._ready if lane.not_before_s > now_s]
        return min(times, default=None)

    def _set_timer(self, at_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at_s is not None:
            self._timer = self._loop.call_at(at_s, self._work)
