"""One client's connection: frames in, frames out, answers in the order of the requests.

Reads are answered at once unless a write of the same client is under way; then they wait behind it, so
that a client sees what it wrote (ZooKeeper's ``CommitProcessor``). Events of watches go out the moment
they happen, and so before any answer that shows what they tell of.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, cast

from impl.coordination import acl
from impl.coordination.protocol import records
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import WRITES, XID_PING, Op
from impl.coordination.protocol.records import Id
from impl.coordination.serving import handshake, replies
from impl.coordination.serving.latency import Latency
from impl.coordination.serving.reads import READS, Asking
from impl.coordination.tree import Result

if TYPE_CHECKING:
    from impl.coordination.serving.clients import Clients

_HEADER = struct.Struct(">ii")
_QUEUE_HIGH, _QUEUE_LOW = 1000, 500
_SESSIONLESS_S = 10.0


class Stage(Enum):
    """How far a connection has come."""

    NEW = "new"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"


class Waiting:
    """A request in the queue since ``since_s``: a write or sync under way, or a read behind one.

    ``answer`` is the frame once it is known; a read has none and is answered when its turn comes.
    ``held`` is true for a write or sync that is not under way yet, as a sync before it is.
    """

    __slots__ = ("answer", "held", "op", "payload", "since_s", "xid")

    def __init__(self, xid: int, op: int, payload: bytes, since_s: float) -> None:
        self.since_s = since_s
        self.xid = xid
        self.op = op
        self.payload = payload
        self.answer: bytes | None = None
        self.held = False


class Connection(asyncio.Protocol):
    """See the module. ``received`` and ``sent`` count frames; ``ids`` are who the client is."""

    def __init__(self, clients: Clients, *, secure: bool = False) -> None:
        self.clients = clients
        self.secure = secure
        self.stage = Stage.NEW
        self.session = 0
        self.timeout_ms = 0
        self.ids: tuple[Id, ...] = ()
        self.peer = ("", 0)
        self.received = 0
        self.sent = 0
        self.last_zxid = 0
        self.latency = Latency()
        self.queue: deque[Waiting] = deque()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._out: list[bytes] = []
        self._paused = False
        self._syncing = False
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None

    # --- the transport ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = transport.get_extra_info("peername")[:2] or ("", 0)
        self.ids = (Id("ip", self.peer[0]),)
        if not self.clients.admit(self):
            self._transport.abort()
            return
        self._deadline = self._loop.call_later(_SESSIONLESS_S, self.close)

    def connection_lost(self, error: Exception | None) -> None:
        self.stage = Stage.CLOSING
        self.queue.clear()
        self._stop_deadline()
        self.clients.lost(self)

    def pause_writing(self) -> None:
        self._pause(True)

    def resume_writing(self) -> None:
        self._pause(len(self.queue) > _QUEUE_LOW)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        try:
            self._take_frames()
        except Malformed:
            self.close()

    def _take_frames(self) -> None:
        """Handle the whole frames in the buffer, as long as the connection's stage allows."""
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 4 and self.stage in (Stage.NEW, Stage.OPEN):
            if self.stage is Stage.NEW and self._is_word(buffer):
                return
            length = int.from_bytes(buffer[at : at + 4], "big", signed=True)
            if not 0 <= length <= self.clients.config.max_frame_bytes:
                raise Malformed(f"a frame of {length} bytes")
            end = at + 4 + length
            if end > len(buffer):
                break
            frame, at = buffer[at + 4 : end], end
            self._handle(frame)
        self._buffer = buffer[at:]

    def _is_word(self, buffer: bytes) -> bool:
        answer = self.clients.word(buffer[:4])
        if answer is None:
            return False
        self._write(answer)
        self.close()
        return True

    def _handle(self, frame: bytes) -> None:
        self.received += 1
        if self.stage is Stage.NEW:
            self.stage = Stage.CONNECTING
            handshake.begin(self, frame)
        else:
            self._request(frame)

    # --- the session --------------------------------------------------------------------------

    def opened(self, session: int, timeout_ms: int, response: bytes) -> None:
        """The session is this connection's: answer, and go on with what came meanwhile."""
        self._stop_deadline()
        self.stage = Stage.OPEN
        self.session, self.timeout_ms = session, timeout_ms
        self._write(response)
        self._loop.call_soon(self.data_received, b"")

    def refuse(self, response: bytes) -> None:
        """There is no such session: say so and close."""
        self._write(response)
        self.close()

    # --- requests -----------------------------------------------------------------------------

    def _request(self, frame: bytes) -> None:
        if len(frame) < _HEADER.size:
            raise Malformed("a request without a header")
        xid, op = _HEADER.unpack_from(frame)
        payload = frame[_HEADER.size :]
        now_s = self._loop.time()
        self.clients.touch(self.session)
        if op in READS:
            if self.queue:
                self.queue.append(Waiting(xid, op, payload, now_s))
            else:
                self._write(self._read(XID_PING if op == Op.PING else xid, op, payload))
                self._answered(now_s)
        elif op == Op.AUTH:
            self._authenticate(xid, payload)
        elif op in WRITES or op == Op.SYNC:
            self._begin(Waiting(xid, op, payload, now_s))
        else:
            self._write(replies.reply(xid, self.clients.tree.zxid, Code.UNIMPLEMENTED))
            self.close()
        if len(self.queue) > _QUEUE_HIGH:
            self._pause(True)

    def _begin(self, waiting: Waiting) -> None:
        self.queue.append(waiting)
        waiting.held = self._syncing
        if not waiting.held:
            self._ask(waiting)

    def _ask(self, waiting: Waiting) -> None:
        self._syncing = waiting.op == Op.SYNC
        if waiting.op == Op.SYNC and not _is_path(waiting.payload):
            frame = replies.reply(waiting.xid, self.clients.tree.zxid, Code.MARSHALLING_ERROR)
            self.answer(waiting, frame)
        elif self.clients.read_only:
            error = Code.OK if waiting.op == Op.CLOSE_SESSION else Code.NOT_READ_ONLY
            self.answer(waiting, replies.reply(waiting.xid, self.clients.tree.zxid, error))
        elif waiting.op == Op.SYNC:
            self.clients.sync(self, waiting)
        else:
            self.clients.submit(self, waiting)

    def _read(self, xid: int, op: int, payload: bytes) -> bytes:
        clients = self.clients
        zxid = self.last_zxid = clients.tree.zxid
        try:
            asking = Asking(clients.tree, clients.watches, self, self.session, self.ids)
            return replies.reply(xid, zxid, Code.OK, READS[op](asking, payload))
        except ApiError as error:
            return replies.reply(xid, zxid, error.code)
        except Malformed:
            return replies.reply(xid, zxid, Code.MARSHALLING_ERROR)

    def _authenticate(self, xid: int, payload: bytes) -> None:
        packet = records.AUTH.decode(payload)
        try:
            more = self._proven(packet.scheme, packet.auth or b"")
        except ApiError as error:
            self._write(replies.reply(xid, 0, error.code))
            self.close()
            return
        self.ids += tuple(each for each in more if each not in self.ids)
        self._write(replies.reply(xid, 0, Code.OK))

    def _proven(self, scheme: str, auth: bytes) -> tuple[Id, ...]:
        if scheme == "digest":
            return acl.digest_id(auth, self.clients.config.super_digest)
        if scheme == "ip":
            return ()
        raise ApiError(Code.AUTH_FAILED)

    # --- answers ------------------------------------------------------------------------------

    def written(self, waiting: Waiting, zxid: int, result: Result) -> None:
        """A write has become a transaction and was applied."""
        if result.error == Code.SESSION_MOVED:
            self.close()
            return
        self.last_zxid = zxid
        self.answer(waiting, replies.of_write(waiting.xid, zxid, waiting.op, result))
        if result.error == Code.SESSION_EXPIRED:
            self.close()

    def answer(self, waiting: Waiting, frame: bytes) -> None:
        """Answer ``waiting``, now or when all before it are answered, and the reads behind it."""
        waiting.answer = frame
        queue = self.queue
        while queue and self.stage is Stage.OPEN:
            first = queue[0]
            if first.answer is None and first.op not in READS:
                break
            queue.popleft()
            self._write(first.answer or self._read(first.xid, first.op, first.payload))
            self._answered(first.since_s)
            if first.op == Op.SYNC:
                self._go_on()
            if first.op == Op.CLOSE_SESSION:
                self.close()
        if self._paused and len(queue) <= _QUEUE_LOW:
            self._pause(False)

    def _answered(self, since_s: float) -> None:
        seconds = self._loop.time() - since_s
        self.latency.add(seconds)
        self.clients.latency.add(seconds)

    def _go_on(self) -> None:
        """Ask for what a sync held up, to the next sync: a read between must not see what follows it."""
        self._syncing = False
        for waiting in self.queue:
            if waiting.held and not self._syncing:
                waiting.held = False
                self._ask(waiting)

    def notify(self, event: int, path: str) -> None:
        """A watch of this client fired: tell at once, and not with whatever else is to be answered."""
        if self.stage is Stage.OPEN:
            self._write(replies.event(event, path))
            self._flush()

    def close(self) -> None:
        """Send what there is to send, and close."""
        self.stage = Stage.CLOSING
        if self._transport is not None:
            self._flush()
            self._transport.close()

    # --- sending ------------------------------------------------------------------------------

    def _write(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)
        self.sent += 1

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _pause(self, wanted: bool) -> None:
        if self._transport is None or self._transport.is_closing() or wanted == self._paused:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _is_path(payload: bytes) -> bool:
    try:
        records.PATH_ONLY.decode(payload)
    except Malformed:
        return False
    return True
