"""One end of a connection: the transport that a protocol writes to, and what the kernel keeps for it."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.sim.clock import true_wall_ns
from cluster.sim.sockets import SimSocket
from cluster.sim.tcp.sending import Segment, Sender
from cluster.sim.traffic import Packet

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop
    from cluster.sim.machine import Machine

WRITE_LIMIT_BYTES = 65536

# What happened, as the digest names it; the number of the connection is shifted above.
SYN, SYN_ACK, DATA, FIN, RST, ACK, TIMER = 2, 3, 4, 5, 6, 7, 8


class Connection(asyncio.Transport):
    """One end of a connection.

    ``peer`` is the other end, None until the handshake is done; ``dead`` means that this machine's
    kernel has forgotten it: what arrives is answered with RST. ``undelivered_bytes`` is what has
    arrived and the process has not taken.
    """

    def __init__(self, loop: NodeLoop, port: int, peer_machine: Machine, peer_port: int) -> None:
        super().__init__()
        machine = loop.machine
        network = machine.network
        network.connections_made += 1
        self.world = loop.world
        self.machine = machine
        self.context = contextvars.copy_context()
        self.peer: Connection | None = None
        self.dead = False
        self.undelivered_bytes = 0
        self.addresses = ((machine.address, port), (peer_machine.address, peer_port))
        self._loop = loop
        self._peer_machine = peer_machine
        self._digest_code = network.connections_made << 4
        self._out = network.link(machine.name, peer_machine.name)
        self._sender = Sender(self, self._out)
        self._protocol: Any = None
        self._buffered_protocol = False
        self._writing_paused = False
        self._high_bytes = WRITE_LIMIT_BYTES
        self._low_bytes = WRITE_LIMIT_BYTES // 4
        self._received = 0
        self._reading = True
        self._held: deque[bytes | None] = deque()  # not yet delivered; None stands for end of file
        self._eof_wanted = False
        self._closing = False
        self._lost = False
        machine.connections[self] = None

    # --- the transport ------------------------------------------------------------------------

    def attach(self, protocol: Any) -> None:
        """Give the connection its protocol; what arrived before is delivered after this."""
        self.set_protocol(protocol)
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
            return self.addresses[1]
        if name == "sockname":
            return self.addresses[0]
        if name == "socket":
            sock = SimSocket()
            sock.addresses = self.addresses
            return sock
        return default

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._eof_wanted:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return
        sender = self._sender
        sender.send(bytes(data))
        if sender.blocked and sender.backlog_bytes > self._high_bytes and not self._writing_paused:
            self._writing_paused = True
            if self._protocol is not None:
                self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._eof_wanted and not self._closing:
            self._eof_wanted = True
            self._flush()

    def get_write_buffer_size(self) -> int:
        return self._sender.backlog_bytes

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
        if not self._closing:
            self._closing = True
            self._flush()

    def abort(self) -> None:
        if not self._lost:
            self._closing = True
            self._sender.drop_backlog()
            self._flush()

    def _flush(self) -> None:
        """Send what can be sent; after the last of it the FIN, if nothing is to follow."""
        self._sender.pump()
        if self._sender.blocked:
            return
        if self._eof_wanted or self._closing:
            self._sender.send_fin()
        if self._closing and not self._lost:
            self._loop.call_soon(self._lose, None)

    def _lose(self, error: OSError | None) -> None:
        if self._lost:
            return
        self._lost = True
        protocol, self._protocol = self._protocol, None
        self._held.clear()
        if protocol is not None:
            protocol.connection_lost(error)

    # --- what the network brings --------------------------------------------------------------

    def on_segment(self, segment: Segment) -> None:
        """A segment arrives, unless its link has been cut meanwhile."""
        peer = self.peer
        assert peer is not None
        if peer._cut():
            return
        if self.dead:
            self.refuse()
            return
        offset, data, fin = segment
        if offset != self._received:
            self._acknowledge(peer)
            return
        self.feed(FIN if fin else DATA, data)
        if fin:
            self._received += 1
            self._acknowledge(peer)
            self._notify(self._deliver_eof)
        elif self._lost:
            self.refuse()
        else:
            self._received += len(data)
            self.undelivered_bytes += len(data)
            self._acknowledge(peer)
            self._loop.deliver(self._deliver, (data,), self.context)

    def on_watched(self, watched: tuple[Segment, Packet]) -> None:
        """As ``on_segment``, for a packet that somebody watches."""
        segment, packet = watched
        if self.peer is not None and self.peer._out.cut:
            packet.arrived_ns = None
        self.on_segment(segment)

    def packet(self, data: bytes, flight_ns: int | None) -> Packet:
        """What an observer is told when ``data`` is sent, to arrive after ``flight_ns``, or dropped."""
        (_, port), (_, peer_port) = self.addresses
        sent_ns = true_wall_ns(self.world)
        return Packet(
            source=self.machine.name,
            destination=self._peer_machine.name,
            port=min(port, peer_port),
            to_server=peer_port < port,
            sent_ns=sent_ns,
            arrived_ns=None if flight_ns is None else sent_ns + flight_ns,
            data=data,
        )

    def on_ack(self, _: object) -> None:
        """An acknowledgement that somebody waits for has arrived."""
        if self.dead:
            return
        self.feed(ACK)
        if self._sender.blocked:
            self._notify(self._unblock)
        elif self._lost and self._finished():
            self.forget()

    def _finished(self) -> bool:
        """Whether both ends have sent their FIN and all of this end's has arrived."""
        peer = self.peer
        return peer is not None and peer._sender.fin_sent and self._sender.all_acknowledged()

    def on_reset(self, _: object) -> None:
        """An RST arrives."""
        peer = self.peer
        if self.dead or peer is None or peer._cut():
            return
        self.feed(RST)
        self.give_up(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))

    def give_up(self, error: OSError) -> None:
        """The connection is broken: the kernel forgets it and the process is told."""
        self.forget()
        self._notify(self._die, error)

    def forget(self) -> None:
        """The kernel drops the connection: what still arrives for it is answered with RST."""
        self.dead = True
        self._sender.forget()
        self.machine.connections.pop(self, None)

    def refuse(self) -> None:
        """Answer with RST, if the machine has power: nobody here knows of this connection."""
        peer = self.peer
        if peer is not None and self.machine.powered and not self._out.drops():
            self.world.post(self.world.now_ns + self._out.latency_ns(), peer.on_reset)

    def reset_by_kill(self) -> None:
        """The process is gone: its kernel resets the peer."""
        self.forget()
        self.refuse()

    def feed(self, what: int, payload: bytes = b"") -> None:
        """Have an event of this connection count in the digest."""
        self.world.feed(self._digest_code | what, payload)

    def feed_timer(self) -> None:
        """Have a retransmission count in the digest."""
        self.feed(TIMER)

    def _cut(self) -> bool:
        """Whether what this end sent is lost because the link was cut while it was on its way."""
        if self._out.cut:
            self._out.dropped += 1
        return self._out.cut

    def _acknowledge(self, peer: Connection) -> None:
        if not self._out.drops():
            arrival_ns = self.world.now_ns + self._out.latency_ns()
            peer._sender.acknowledged(arrival_ns, self._received)

    # --- what the process takes ---------------------------------------------------------------

    def _notify(self, callback: Callable[..., None], *args: Any) -> None:
        self._loop.deliver(callback, args, self.context)

    def _deliver(self, data: bytes) -> None:
        if not self._reading or self._protocol is None or self._held:
            if not self._lost:
                self._held.append(data)
            return
        self.undelivered_bytes -= len(data)
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
        elif not self._protocol.eof_received():
            self.close()

    def _release(self) -> None:
        """Deliver what was held while nobody read, and tell the peer that there is room again."""
        held, self._held = list(self._held), deque()
        for position, item in enumerate(held):
            if not self._reading or self._protocol is None:
                self._held.extend(held[position:])
                break
            if item is None:
                self._deliver_eof()
            else:
                self._deliver(item)
        peer = self.peer
        if peer is not None and peer._sender.blocked:
            self._acknowledge(peer)

    def _unblock(self) -> None:
        self._flush()
        if self._writing_paused and self._sender.backlog_bytes <= self._low_bytes:
            self._writing_paused = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    def _die(self, error: OSError) -> None:
        self._closing = True
        self._sender.drop_backlog()
        self._lose(error)
