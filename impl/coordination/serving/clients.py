"""All client connections of one server, and their way to replication and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from impl.coordination.config import Config
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import PATH, PATH_ONLY, ConnectRequest, PathResponse
from impl.coordination.replica import Pending, Replica
from impl.coordination.requests import Request
from impl.coordination.serving import handshake, replies, words
from impl.coordination.serving.connection import Connection, Stage, Waiting
from impl.coordination.serving.latency import Latency
from impl.coordination.tree import Result, Tree
from impl.coordination.txns import BODIES, CreateSession, zxid_of
from impl.coordination.watches import Watches
from impl.coordination.zab.roles import READ_ONLY, Role
from impl.host import Host


class _Asked(NamedTuple):
    """Who waits for a request, and for which: None for a session that is being opened."""

    connection: Connection
    waiting: Waiting | None
    request: ConnectRequest | None = None
    password: bytes = b""
    tells: bool = False


class Clients:
    """See the module; this is the ``zab.roles.Service`` of a server."""

    def __init__(
        self, host: Host, config: Config, replica: Replica, watches: Callable[[], Watches]
    ) -> None:
        self.config = config
        self.role: Role | None = None
        self.connections: dict[Connection, None] = {}
        self.watches = watches()
        self.packets_received = 0
        self.packets_sent = 0
        self.latency = Latency()
        self._host = host
        self._replica = replica
        self._make_watches = watches
        self._by_address: dict[str, int] = {}
        self._sessions: dict[int, Connection] = {}
        self._asked: dict[int, _Asked] = {}
        # Tags of an earlier life of this server must not be taken for its own.
        self._next_tag = host.random.getrandbits(60)
        self._next_session = host.random.getrandbits(55)

    @property
    def tree(self) -> Tree:
        """The server's copy of the state."""
        return self._replica.tree

    @property
    def serving(self) -> bool:
        """Whether clients are taken at present."""
        return self.role is not None

    @property
    def read_only(self) -> bool:
        """Whether there is no quorum, and reads are all there is."""
        return self.role is not None and self.role.mode == READ_ONLY

    @property
    def reported_zxid(self) -> int:
        """What the server says of itself: its last change, or the beginning of its epoch before one."""
        return max(self.tree.zxid, zxid_of(self._replica.store.epochs.current, 0))

    # --- replication's side -------------------------------------------------------------------

    def start(self, role: Role) -> None:
        """The state is up to date: serve, through ``role``."""
        self.role = role
        self.watches = self._make_watches()
        self._replica.relay.to = self.watches

    def stop(self) -> None:
        """Close all connections. What they asked for may still happen."""
        if self.role is None:
            return
        self.role = None
        self._replica.relay.to = None
        self._asked.clear()
        for connection in list(self.connections):
            if connection.stage is not Stage.NEW:
                connection.close()

    def applied(self, entry: Pending, result: Result) -> None:
        """Answer whoever waits for this transaction; close whose session it closes."""
        header = entry.txn.header
        asked = self._asked.pop(entry.tag, None) if entry.server == self.config.me else None
        if asked is not None and asked.waiting is not None:
            asked.connection.written(asked.waiting, header.zxid, result)
        elif asked is not None and result.op == Op.CREATE_SESSION:
            self._open(asked, header.session, entry.txn.body.timeout_ms)
        if result.op == Op.CLOSE_SESSION:
            connection = self._sessions.pop(header.session, None)
            if connection is not None and (asked is None or asked.connection is not connection):
                connection.close()

    def synced(self, tag: int) -> None:
        """Answer a sync."""
        asked = self._asked.pop(tag, None)
        if asked is not None and asked.waiting is not None:
            waiting = asked.waiting
            zxid = asked.connection.last_zxid = self.tree.zxid
            body = PATH.encode(PathResponse(PATH_ONLY.decode(waiting.payload).path))
            asked.connection.answer(waiting, replies.reply(waiting.xid, zxid, Code.OK, body))

    def revalidated(self, tag: int, timeout_ms: int) -> None:
        """Open a session that has come here, or refuse it."""
        asked = self._asked.pop(tag, None)
        if asked is None or asked.request is None:
            return
        if timeout_ms:
            self._open(asked, asked.request.session, timeout_ms)
        else:
            asked.connection.refuse(handshake.refusal(asked.tells))

    def moved(self, session: int) -> None:
        """The session's client has gone elsewhere: its old connection is of no more use."""
        connection = self._sessions.pop(session, None)
        if connection is not None:
            connection.close()

    # --- connections' side --------------------------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for another connection from that address."""
        limit, address = self.config.max_connections, connection.peer[0]
        count = self._by_address.get(address, 0)
        if 0 < limit <= count:
            return False
        self._by_address[address] = count + 1
        self.connections[connection] = None
        return True

    def lost(self, connection: Connection) -> None:
        """The connection is gone; its session lives on until it expires."""
        self.packets_received += connection.received
        self.packets_sent += connection.sent
        if connection not in self.connections:
            return
        del self.connections[connection]
        self._by_address[connection.peer[0]] -= 1
        if not self._by_address[connection.peer[0]]:
            del self._by_address[connection.peer[0]]
        self.watches.forget(connection)
        if self._sessions.get(connection.session) is connection:
            del self._sessions[connection.session]

    def touch(self, session: int) -> None:
        """Something was heard of ``session``."""
        if self.role is not None:
            self.role.touch(session)

    def submit(self, connection: Connection, waiting: Waiting) -> None:
        """Have a write become a transaction."""
        if self.role is not None:
            tag = self._ask(_Asked(connection, waiting))
            session, ids = connection.session, connection.ids
            request = Request(
                self.config.me, tag, session, waiting.xid, waiting.op, waiting.payload, ids
            )
            self.role.submit(request)

    def sync(self, connection: Connection, waiting: Waiting) -> None:
        """Have the state catch up with the leader's."""
        if self.role is not None:
            self.role.sync(self._ask(_Asked(connection, waiting)), connection.session)

    def new_session(self, connection: Connection, request: ConnectRequest, tells: bool) -> None:
        """Open a session: a transaction, as everybody has to know of it."""
        timeout_ms = self.config.session_ms(request.timeout_ms)
        password = self._host.random.randbytes(handshake.PASSWORD_BYTES)
        session = self._session_id()
        asked = _Asked(connection, None, request, password, tells)
        if self.read_only:
            self._open(asked, session, timeout_ms)
        elif self.role is not None:
            tag = self._ask(asked)
            payload = BODIES[Op.CREATE_SESSION].encode(CreateSession(timeout_ms, password))
            self.role.submit(Request(self.config.me, tag, session, 0, Op.CREATE_SESSION, payload, ()))

    def come_back(self, connection: Connection, request: ConnectRequest, tells: bool) -> None:
        """Take over a session that was opened before, here or elsewhere."""
        password = request.password or b""
        asked = _Asked(connection, None, request, password, tells)
        if self.read_only:
            known = self.tree.sessions.get(request.session)
            good = known is not None and known.password == password
            self.revalidated(self._ask(asked), known.timeout_ms if known and good else 0)
        elif self.role is not None:
            self.role.revalidate(self._ask(asked), request.session, password)

    def word(self, word: bytes) -> bytes | None:
        """The answer to a four-letter word; None if it is none."""
        return words.answer(self, word)

    def _open(self, asked: _Asked, session: int, timeout_ms: int) -> None:
        if asked.connection.stage is not Stage.CONNECTING:
            return
        if (before := self._sessions.get(session)) is not None:
            before.close()
        self._sessions[session] = asked.connection
        answer = handshake.response(session, timeout_ms, asked.password, asked.tells, self.read_only)
        asked.connection.opened(session, timeout_ms, answer)

    def _ask(self, asked: _Asked) -> int:
        self._next_tag += 1
        self._asked[self._next_tag] = asked
        return self._next_tag

    def _session_id(self) -> int:
        """A number that no session has: the server's own id and a random start see to that."""
        self._next_session = (self._next_session + 1) % (1 << 55)
        session = self.config.me << 56 | self._next_session
        return session if session < 1 << 63 else session - (1 << 64)
