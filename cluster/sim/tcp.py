"""TCP as programs see it: a byte stream that survives loss by retransmission, until it gives up.

After RFC 9293 and RFC 6298, with what a test needs and no more: segments with go-back-N and a timer
that doubles (no SACK, no fast retransmit), cumulative acknowledgements that can get lost on their own,
a fixed window, SYN retries after 1, 3 and 7 s, half-close, RST. The kernel of a paused process goes on
acknowledging; a killed process resets its peers; a machine without power says nothing.

What an application can tell apart is tested row by row in ``tests/cluster/sim/test_tcp.py``.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.sim.sockets import SimSocket
from cluster.sim.world import NS_PER_S

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop
    from cluster.sim.machine import Machine
    from cluster.sim.network import Link

SEGMENT_BYTES = 65536
WINDOW_BYTES = 262_144
WRITE_LIMIT_BYTES = 65536
RTO_NS = NS_PER_S // 5
USER_TIMEOUT_NS = 27 * NS_PER_S
SYN_RETRIES_NS = (1 * NS_PER_S, 3 * NS_PER_S, 7 * NS_PER_S)
CONNECT_TIMEOUT_NS = 15 * NS_PER_S
# One segment in sixteen is chopped in two: programs must not rely on a read per write.
_CHOP = 1 / 16

_SYN, _SYN_ACK, _DATA, _FIN, _RST, _ACK, _TIMER = 2, 3, 4, 5, 6, 7, 8


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Connection(asyncio.Transport):
    """One end of a connection: the kernel's state and the transport that a protocol writes to."""

    def __init__(self, loop: NodeLoop, port: int, peer_machine: Machine, peer_port: int) -> None:
        super().__init__()
        machine = loop.machine
        network = machine.network
        network.connections_made += 1
        self._loop = loop
        self._world = loop.world
        self._machine = machine
        self._peer_machine = peer_machine
        self._out: Link = network.link(machine.name, peer_machine.name)
        self._digest_code = network.connections_made << 4
        self._context = contextvars.copy_context()
        self._protocol: Any = None
        self._buffered_protocol = False
        self.peer: Connection | None = None
        self.dead = False  # the kernel has forgotten it: what arrives is answered with RST
        self._addresses = ((machine.address, port), (peer_machine.address, peer_port))
        # Sending: _sent and _acked count bytes; _unacked holds (offset, data, fin) in order.
        self._sent = 0
        self._acked = 0
        self._unacked: deque[tuple[int, bytes, bool]] = deque()
        self._acks: deque[tuple[int, int]] = deque()  # (arrives at, bytes acknowledged)
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._blocked = False
        self._writing_paused = False
        self._high_bytes = WRITE_LIMIT_BYTES
        self._low_bytes = WRITE_LIMIT_BYTES // 4
        self._rto_ns = RTO_NS
        self._timer_armed = False
        self._progress_ns = self._world.now_ns
        self._last_arrival_ns = 0
        self._eof_wanted = False
        self._fin_sent = False
        # Receiving.
        self._received = 0
        self._undelivered = 0  # bytes that the kernel holds for the process
        self._reading = True
        self._held: deque[bytes | None] = deque()  # None stands for end of file
        self._closing = False
        self._lost = False
        machine.connections[self] = None

    # --- the transport ------------------------------------------------------------------------

    def attach(self, protocol: Any) -> None:
        """Give the connection its protocol; what arrived before is delivered after this."""
        self._protocol = protocol
        self._buffered_protocol = isinstance(protocol, asyncio.BufferedProtocol)
        protocol.connection_made(self)
        if self._held and self._reading:
            self._loop.call_soon(self._release)

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol
        self._buffered_protocol = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> Any:
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._addresses[1]
        if name == "sockname":
            return self._addresses[0]
        if name == "socket":
            sock = SimSocket()
            sock.addresses = self._addresses
            return sock
        return default

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof_wanted:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return
        if self._acks:
            self._take_acks()
        if self._backlog or self._sent - self._acked >= WINDOW_BYTES:
            self._enqueue(bytes(data))
        elif len(data) <= SEGMENT_BYTES:
            self._send_segment(bytes(data))
        else:
            self._enqueue(bytes(data))
            self._pump()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._eof_wanted and not self._closing:
            self._eof_wanted = True
            self._pump()

    def get_write_buffer_size(self) -> int:
        return self._backlog_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_bytes, self._high_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = WRITE_LIMIT_BYTES if low is None else 4 * low
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high_bytes, self._low_bytes = high, low

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if self._closing or self._reading:
            return
        self._reading = True
        if self._held:
            self._loop.call_soon(self._release)

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._pump()

    def abort(self) -> None:
        if self._lost:
            return
        self._closing = True
        self._backlog.clear()
        self._backlog_bytes = 0
        self._pump()

    def _lose(self, error: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = True
        protocol, self._protocol = self._protocol, None
        self._held.clear()
        if protocol is not None:
            protocol.connection_lost(error)

    # --- sending ------------------------------------------------------------------------------

    def _enqueue(self, data: bytes) -> None:
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        if not self._blocked:
            self._blocked = True
            for arrival_ns, _ in self._acks:  # sent when nobody waited for them
                self._world.post(arrival_ns, self._on_ack)
        if self._backlog_bytes > self._high_bytes and not self._writing_paused:
            self._writing_paused = True
            if self._protocol is not None:
                self._protocol.pause_writing()

    def _pump(self, _: object = None) -> None:
        """Send what the window allows; then the FIN, once it is wanted and nothing is left."""
        self._take_acks()
        while self._backlog and self._sent - self._acked < self._window():
            data = self._backlog.popleft()
            if len(data) > SEGMENT_BYTES:
                self._backlog.appendleft(data[SEGMENT_BYTES:])
                data = data[:SEGMENT_BYTES]
            self._backlog_bytes -= len(data)
            self._send_segment(data)
        self._blocked = bool(self._backlog)
        if self._blocked:
            return
        if (self._eof_wanted or self._closing) and not self._fin_sent:
            self._fin_sent = True
            self._transmit(self._sent, b"", True)
            self._sent += 1
        if self._closing and not self._lost:
            self._loop.call_soon(self._lose, None)

    def _window(self) -> int:
        peer = self.peer
        return WINDOW_BYTES - (peer._undelivered if peer is not None else 0)

    def _send_segment(self, data: bytes) -> None:
        size = len(data)
        if size > 1 and self._machine.draw() < _CHOP:
            at = 1 + int(self._machine.draw() * (size - 1))
            self._transmit(self._sent, data[:at], False)
            self._transmit(self._sent + at, data[at:], False)
        else:
            self._transmit(self._sent, data, False)
        self._sent += size

    def _transmit(self, offset: int, data: bytes, fin: bool) -> None:
        if not self._unacked:
            self._progress_ns = self._world.now_ns
        self._unacked.append((offset, data, fin))
        self._launch((offset, data, fin))
        if not self._timer_armed:
            self._timer_armed = True
            self._world.post(self._world.now_ns + self._rto_ns, self._on_timer)

    def _launch(self, segment: tuple[int, bytes, bool]) -> None:
        link = self._out
        peer = self.peer
        if peer is None or link.drops():
            return
        now_ns = self._world.now_ns
        arrival_ns = now_ns + link.latency_ns()
        if arrival_ns <= self._last_arrival_ns:
            arrival_ns = self._last_arrival_ns + 1
        self._last_arrival_ns = arrival_ns
        self._world.post(arrival_ns, peer._arrive, segment)

    def _take_acks(self) -> None:
        """Take the acknowledgements that have arrived by now; they need no event of their own."""
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

    def _on_timer(self, _: object) -> None:
        self._timer_armed = False
        if self.dead:
            return
        self._take_acks()
        if not self._unacked:
            return
        now_ns = self._world.now_ns
        if now_ns - self._progress_ns >= USER_TIMEOUT_NS:
            self._give_up(_error(errno.ETIMEDOUT))
            return
        due_ns = self._progress_ns + self._rto_ns
        if due_ns <= now_ns:
            self._world.feed(self._digest_code | _TIMER)
            for segment in list(self._unacked):
                self._launch(segment)
            self._rto_ns *= 2
            due_ns = min(now_ns + self._rto_ns, self._progress_ns + USER_TIMEOUT_NS)
        self._timer_armed = True
        self._world.post(max(due_ns, now_ns + 1), self._on_timer)

    def _give_up(self, error: OSError) -> None:
        self.forget()
        self._notify(self._die, error)

    def _die(self, error: OSError) -> None:
        self._closing = True
        self._backlog.clear()
        self._lose(error)

    def forget(self) -> None:
        """The kernel drops the connection: what still arrives for it is answered with RST."""
        self.dead = True
        self._unacked.clear()
        self._machine.connections.pop(self, None)

    # --- receiving ----------------------------------------------------------------------------

    def _arrive(self, segment: tuple[int, bytes, bool]) -> None:
        peer = self.peer
        assert peer is not None
        if peer._out.cut:
            peer._out.dropped += 1
            return
        if self.dead:
            self._refuse()
            return
        offset, data, fin = segment
        world = self._world
        if offset == self._received:
            world.feed(self._digest_code | (_FIN if fin else _DATA), data)
            if world.observe is not None:
                self._observe("fin" if fin else "data", data)
            if fin:
                self._received += 1
                self._acknowledge(peer)
                self._notify(self._deliver_eof)
                return
            if self._lost:
                self._refuse()
                return
            size = len(data)
            self._received += size
            self._undelivered += size
            self._acknowledge(peer)
            self._loop.deliver(self._deliver, (data,), self._context)
        else:
            self._acknowledge(peer)

    def _observe(self, what: str, data: bytes = b"") -> None:
        assert self._world.observe is not None
        detail = {"from": self._peer_machine.name, "to": self._machine.name, "data": data}
        self._world.observe(what, detail)

    def _acknowledge(self, peer: Connection) -> None:
        link = self._out
        if link.drops():
            return
        arrival_ns = self._world.now_ns + link.latency_ns()
        acks = peer._acks
        if acks and arrival_ns < acks[-1][0]:
            arrival_ns = acks[-1][0]
        acks.append((arrival_ns, self._received))
        if peer._blocked or peer._closing:
            self._world.post(arrival_ns, peer._on_ack)

    def _on_ack(self, _: object) -> None:
        if self.dead:
            return
        self._world.feed(self._digest_code | _ACK)
        if self._blocked:
            self._notify(self._unblock)
        else:
            self._take_acks()
        if self._lost and self._fin_sent and not self._unacked and self._peer_finished():
            self.forget()

    def _peer_finished(self) -> bool:
        return self.peer is not None and self.peer._fin_sent

    def _unblock(self) -> None:
        self._pump()
        if self._writing_paused and self._backlog_bytes <= self._low_bytes:
            self._writing_paused = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    def _notify(self, callback: Callable[..., None], *args: Any) -> None:
        self._loop.deliver(callback, args, self._context)

    def _deliver(self, data: bytes) -> None:
        if not self._reading or self._protocol is None or self._held:
            if not self._lost:
                self._held.append(data)
            return
        self._undelivered -= len(data)
        if self._buffered_protocol:
            self._fill_buffers(data)
        else:
            self._protocol.data_received(data)

    def _fill_buffers(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            buffer = self._protocol.get_buffer(len(view))
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            self._protocol.buffer_updated(size)
            view = view[size:]

    def _deliver_eof(self) -> None:
        if not self._reading or self._protocol is None or self._held:
            if not self._lost:
                self._held.append(None)
            return
        if not self._protocol.eof_received():
            self.close()

    def _release(self) -> None:
        """Deliver what was held while nobody read, and tell the peer that there is room again."""
        held, self._held = self._held, deque()
        for position, item in enumerate(held):
            if not self._reading or self._protocol is None:
                self._held.extend(list(held)[position:])
                return
            if item is None:
                self._deliver_eof()
            else:
                self._deliver(item)
        peer = self.peer
        if peer is not None and peer._blocked:
            self._acknowledge(peer)

    # --- reset --------------------------------------------------------------------------------

    def _refuse(self) -> None:
        """Answer with RST, if the machine has power: nobody here knows of this connection."""
        peer = self.peer
        if peer is None or not self._machine.powered or self._out.drops():
            return
        self._world.post(self._world.now_ns + self._out.latency_ns(), peer._on_reset)

    def reset_by_kill(self) -> None:
        """The process is gone: its kernel resets the peer."""
        self.forget()
        self._refuse()

    def _on_reset(self, _: object) -> None:
        if self.dead:
            return
        if self.peer is not None and self.peer._out.cut:
            self.peer._out.dropped += 1
            return
        self._world.feed(self._digest_code | _RST)
        if self._world.observe is not None:
            self._observe("rst")
        self._give_up(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))


class Listener(asyncio.AbstractServer):
    """A listening port of a machine, and the server object that ``create_server`` returns."""

    def __init__(self, loop: NodeLoop, factory: Callable[[], asyncio.BaseProtocol], port: int) -> None:
        self._loop = loop
        self._factory = factory
        self._machine = loop.machine
        self.port = port
        self._serving = False
        self._closed = loop.create_future()
        self._context = contextvars.copy_context()

    @property
    def sockets(self) -> tuple[SimSocket, ...]:
        if not self._serving:
            return ()
        sock = SimSocket()
        sock.addresses = ((self._machine.address, self.port), ("0.0.0.0", 0))
        return (sock,)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def serve(self) -> None:
        """Open the port."""
        self._serving = True
        self._machine.listeners[self.port] = self

    def is_serving(self) -> bool:
        return self._serving

    def close(self) -> None:
        if self._serving:
            self._serving = False
            self._machine.listeners.pop(self.port, None)
        if not self._closed.done():
            self._closed.set_result(None)

    def close_clients(self) -> None:
        """Connections outlive their listener here, as with ``asyncio.Server`` before 3.13."""

    def abort_clients(self) -> None:
        """See ``close_clients``."""

    async def start_serving(self) -> None:
        self.serve()

    async def serve_forever(self) -> None:
        self.serve()
        try:
            await self._loop.create_future()
        finally:
            self.close()

    async def wait_closed(self) -> None:
        await self._closed

    def accept(self, connection: Connection) -> None:
        """A connection is established: the process learns of it as soon as it runs."""
        self._loop.deliver(self._accepted, (connection,), self._context)

    def _accepted(self, connection: Connection) -> None:
        if self._serving and not connection.dead:
            connection.attach(self._factory())
        elif not connection.dead:
            connection.reset_by_kill()


class _Handshake:
    """SYN, SYN-ACK, ACK between a connecting process and a listening port."""

    def __init__(self, loop: NodeLoop, target: Machine, port: int) -> None:
        self._loop = loop
        self._world = loop.world
        self._source = loop.machine
        self._target = target
        self._port = port
        network = loop.machine.network
        self._there = network.link(loop.machine.name, target.name)
        self._back = network.link(target.name, loop.machine.name)
        self.client = Connection(loop, loop.machine.ephemeral_port(), target, port)
        self._server: Connection | None = None
        self.established: asyncio.Future[Connection] = loop.create_future()

    def send_syn(self, _: object = None) -> None:
        if self.client.peer is not None or self.client.dead or self.established.done():
            return
        if not self._there.drops():
            self._world.post(self._world.now_ns + self._there.latency_ns(), self._on_syn)

    def _on_syn(self, _: object) -> None:
        if self._there.cut:
            self._there.dropped += 1
            return
        if not self._target.powered:
            return
        self._world.feed(self.client._digest_code | _SYN)
        server = self._server
        if server is None:
            listener = self._target.listeners.get(self._port)
            if listener is None:
                self._answer(self._on_refused)
                return
            source_port = self.client._addresses[0][1]
            server = Connection(listener._loop, self._port, self._source, source_port)
            server.peer = self.client
            self._server = server
            self._listener = listener
            self._accepted = False
        if server.dead:
            self._answer(self._on_refused)
        else:
            self._answer(self._on_syn_ack)

    def _answer(self, action: Callable[[Any], None]) -> None:
        if not self._back.drops():
            self._world.post(self._world.now_ns + self._back.latency_ns(), action)

    def _on_refused(self, _: object) -> None:
        if self._back.cut:
            self._back.dropped += 1
        elif not self.client.dead and self.client.peer is None:
            message = os.strerror(errno.ECONNREFUSED)
            self._fail(ConnectionRefusedError(errno.ECONNREFUSED, message))

    def time_out(self, _: object) -> None:
        if not self.client.dead and self.client.peer is None:
            self._fail(_error(errno.ETIMEDOUT))

    def _fail(self, error: OSError) -> None:
        self._world.feed(self.client._digest_code | _RST)
        self.client.forget()
        self._loop.deliver(self._settle, (error,), self.client._context)

    def _settle(self, outcome: OSError | Connection) -> None:
        if self.established.done():  # the caller was cancelled meanwhile
            return
        if isinstance(outcome, OSError):
            self.established.set_exception(outcome)
        else:
            self.established.set_result(outcome)

    def _on_syn_ack(self, _: object) -> None:
        if self._back.cut:
            self._back.dropped += 1
            return
        client = self.client
        if client.dead:
            assert self._server is not None
            client.peer = self._server
            client._refuse()
            return
        if client.peer is None:
            client.peer = self._server
            client._progress_ns = self._world.now_ns
            self._world.feed(client._digest_code | _SYN_ACK)
            self._loop.deliver(self._settle, (client,), client._context)
        # The last step of the handshake is not lost on its own: the first data would repair it.
        if not self._accepted:
            self._accepted = True
            self._world.post(self._world.now_ns + self._there.latency_ns(), self._on_established)

    def _on_established(self, _: object) -> None:
        server = self._server
        if server is not None and not server.dead:
            self._listener.accept(server)


async def handshake(loop: NodeLoop, target: Machine, port: int) -> Connection:
    """Connect ``loop``'s process to a port of ``target``.

    Raises ConnectionRefusedError when nothing listens there, OSError (ETIMEDOUT) when nobody answers.
    """
    attempt = _Handshake(loop, target, port)
    attempt.send_syn()
    for delay_ns in SYN_RETRIES_NS:
        loop.world.post(loop.world.now_ns + delay_ns, attempt.send_syn)
    loop.world.post(loop.world.now_ns + CONNECT_TIMEOUT_NS, attempt.time_out)
    try:
        return await attempt.established
    except asyncio.CancelledError:
        if attempt.client.peer is not None:
            attempt.client.reset_by_kill()
        else:
            attempt.client.forget()
        raise
