"""The outgoing half of a connection: segments, acknowledgements, retransmission, the window."""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING

from cluster.sim.world import NS_PER_S

if TYPE_CHECKING:
    from cluster.sim.network import Link
    from cluster.sim.tcp.connection import Connection
    from cluster.sim.traffic import Packet

SEGMENT_BYTES = 65536
WINDOW_BYTES = 262_144
RTO_NS = NS_PER_S // 5
USER_TIMEOUT_NS = 27 * NS_PER_S
# One segment in sixteen is chopped in two: programs must not rely on a read per write.
_CHOP = 1 / 16

Segment = tuple[int, bytes, bool]
"""Offset of its first byte, its bytes, and whether it is the FIN, which counts as one byte."""


class Sender:
    """What one end of a connection still has to get across.

    ``backlog_bytes`` is what the window did not allow yet; ``blocked`` is true while there is any;
    ``fin_sent`` is true once the FIN is on its way.
    """

    __slots__ = (
        "_acked",
        "_acks",
        "_backlog",
        "_connection",
        "_last_arrival_ns",
        "_link",
        "_progress_ns",
        "_rto_ns",
        "_sent",
        "_timer_armed",
        "_unacked",
        "_world",
        "backlog_bytes",
        "blocked",
        "fin_sent",
    )

    def __init__(self, connection: Connection, link: Link) -> None:
        self._connection = connection
        self._world = connection.world
        self._link = link
        self._sent = 0
        self._acked = 0
        self._unacked: deque[Segment] = deque()
        self._acks: deque[tuple[int, int]] = deque()  # (arrives at, bytes acknowledged)
        self._backlog: deque[bytes] = deque()
        self._rto_ns = RTO_NS
        self._timer_armed = False
        self._progress_ns = self._world.now_ns
        self._last_arrival_ns = 0
        self.backlog_bytes = 0
        self.blocked = False
        self.fin_sent = False

    def send(self, data: bytes) -> None:
        """Take ``data``; it leaves at once as far as the window allows."""
        if self._acks:
            self.take_acks()
        if self._backlog or self._sent - self._acked >= WINDOW_BYTES:
            self._enqueue(data)
        elif len(data) <= SEGMENT_BYTES:
            self._send_segment(data)
        else:
            self._enqueue(data)
            self.pump()

    def send_fin(self) -> None:
        """Nothing follows any more; only with an empty backlog."""
        assert not self._backlog
        if not self.fin_sent:
            self.fin_sent = True
            self._transmit((self._sent, b"", True))
            self._sent += 1

    def drop_backlog(self) -> None:
        """Give up what has not left yet."""
        self._backlog.clear()
        self.backlog_bytes = 0
        self.blocked = False

    def forget(self) -> None:
        """Nothing is sent again."""
        self._unacked.clear()

    def all_acknowledged(self) -> bool:
        """Whether everything that was sent has arrived, as far as this end knows."""
        self.take_acks()
        return not self._unacked

    def pump(self) -> None:
        """Send what the window allows."""
        self.take_acks()
        while self._backlog and self._sent - self._acked < self._window():
            data = self._backlog.popleft()
            if len(data) > SEGMENT_BYTES:
                self._backlog.appendleft(data[SEGMENT_BYTES:])
                data = data[:SEGMENT_BYTES]
            self.backlog_bytes -= len(data)
            self._send_segment(data)
        self.blocked = bool(self._backlog)

    def acknowledged(self, arrival_ns: int, received: int) -> None:
        """The peer acknowledges ``received`` bytes; this end knows at ``arrival_ns``.

        Nothing happens then unless somebody waits for it, so that most need no event of their own.
        """
        acks = self._acks
        if acks and arrival_ns < acks[-1][0]:
            arrival_ns = acks[-1][0]
        acks.append((arrival_ns, received))
        if self.blocked or self.fin_sent:
            self._world.post(arrival_ns, self._connection.on_ack)

    def take_acks(self) -> None:
        """Take the acknowledgements that have arrived by now."""
        acks, now_ns = self._acks, self._world.now_ns
        acked = self._acked
        while acks and acks[0][0] <= now_ns:
            acked = max(acked, acks.popleft()[1])
        if acked == self._acked:
            return
        self._acked = acked
        self._progress_ns = now_ns
        self._rto_ns = RTO_NS
        unacked = self._unacked
        while unacked and unacked[0][0] + len(unacked[0][1]) + unacked[0][2] <= acked:
            unacked.popleft()

    def _enqueue(self, data: bytes) -> None:
        self._backlog.append(data)
        self.backlog_bytes += len(data)
        if not self.blocked:
            self.blocked = True
            for arrival_ns, _ in self._acks:  # sent when nobody waited for them
                self._world.post(arrival_ns, self._connection.on_ack)

    def _window(self) -> int:
        peer = self._connection.peer
        return WINDOW_BYTES - (peer.undelivered_bytes if peer is not None else 0)

    def _send_segment(self, data: bytes) -> None:
        size, draw = len(data), self._connection.machine.draw
        if size > 1 and draw() < _CHOP:
            at = 1 + int(draw() * (size - 1))
            self._transmit((self._sent, data[:at], False))
            self._transmit((self._sent + at, data[at:], False))
        else:
            self._transmit((self._sent, data, False))
        self._sent += size

    def _transmit(self, segment: Segment) -> None:
        if not self._unacked:
            self._progress_ns = self._world.now_ns
        self._unacked.append(segment)
        self._launch(segment)
        if not self._timer_armed:
            self._timer_armed = True
            self._world.post(self._world.now_ns + self._rto_ns, self._on_timer)

    def _launch(self, segment: Segment) -> None:
        link, peer = self._link, self._connection.peer
        if peer is None or link.drops():
            self._show(segment, None)
            return
        arrival_ns = self._world.now_ns + link.latency_ns()
        if arrival_ns <= self._last_arrival_ns:
            arrival_ns = self._last_arrival_ns + 1
        self._last_arrival_ns = arrival_ns
        if (packet := self._show(segment, arrival_ns)) is None:
            self._world.post(arrival_ns, peer.on_segment, segment)
        else:
            self._world.post(arrival_ns, peer.on_watched, (segment, packet))

    def _show(self, segment: Segment, arrival_ns: int | None) -> Packet | None:
        """Tell the observer, if there is one, of a segment with bytes."""
        observe, data = self._world.observe, segment[1]
        if observe is None or not data:
            return None
        flight_ns = None if arrival_ns is None else arrival_ns - self._world.now_ns
        packet = self._connection.packet(data, flight_ns)
        observe(packet)
        return packet

    def _on_timer(self, _: object) -> None:
        self._timer_armed = False
        if self._connection.dead:
            return
        self.take_acks()
        if not self._unacked:
            return
        now_ns = self._world.now_ns
        if now_ns - self._progress_ns >= USER_TIMEOUT_NS:
            self._connection.give_up(OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
            return
        due_ns = self._progress_ns + self._rto_ns
        if due_ns <= now_ns:
            due_ns = self._retransmit(now_ns)
        self._timer_armed = True
        self._world.post(max(due_ns, now_ns + 1), self._on_timer)

    def _retransmit(self, now_ns: int) -> int:
        """Go back N: send again all that is not acknowledged; when to look again."""
        self._connection.feed_timer()
        for segment in list(self._unacked):
            self._launch(segment)
        self._rto_ns *= 2
        return min(now_ns + self._rto_ns, self._progress_ns + USER_TIMEOUT_NS)
