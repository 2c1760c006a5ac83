"""Transactions: what the leader decided, to be applied alike on each server.

A request says what a client wants; the transaction made of it says what happens, with time, path,
versions and error all settled (Hunt et al., ATC 2010, section 4.1: transactions are idempotent). A
request that fails is a transaction too: it has its zxid, so that its answer has its place in the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from impl.coordination.protocol.jute import Buffer, Codec, Int, Long, Malformed, Text, Vector
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import Acl

CONTAINER_OWNER = -(1 << 63)
"""``ephemeral_owner`` of a container; that of a znode with a time to live has 0xff as its first byte."""
_TTL_MARK = 0xFF << 56
MAX_TTL_MS = (1 << 40) - 1


class Header(NamedTuple):
    """Whose request it was, its place in the order, and when the leader made it (for the Stat only)."""

    session: Long
    cxid: Int
    zxid: Long
    time_ms: Long
    type: Int


class Create(NamedTuple):
    """``creates`` is the number of children ever made below the parent, this one included."""

    path: Text
    data: Buffer
    acl: Vector[Acl]
    owner: Long
    creates: Int


class Delete(NamedTuple):
    path: Text


class SetData(NamedTuple):
    path: Text
    data: Buffer
    version: Int


class SetAcl(NamedTuple):
    path: Text
    acl: Vector[Acl]
    version: Int


class Check(NamedTuple):
    path: Text
    version: Int


class CreateSession(NamedTuple):
    timeout_ms: Int
    password: Buffer


class CloseSession(NamedTuple):
    """``paths`` are the session's ephemeral znodes, which go with it."""

    paths: Vector[Text]


class Error(NamedTuple):
    error: Int


class Part(NamedTuple):
    type: Int
    body: Buffer


class Multi(NamedTuple):
    """All parts, or none: if one failed then each is an ``Error``."""

    parts: Vector[Part]


class Txn(NamedTuple):
    """A transaction and what it does; ``body`` is a record of the header's ``type``."""

    header: Header
    body: Any

    @property
    def zxid(self) -> int:
        return self.header.zxid


HEADER = Codec(Header)
_CREATE = Codec(Create)
_DELETE = Codec(Delete)
BODIES: Mapping[int, Codec[Any]] = MappingProxyType(
    {
        Op.CREATE: _CREATE,
        Op.CREATE2: _CREATE,
        Op.CREATE_CONTAINER: _CREATE,
        Op.CREATE_TTL: _CREATE,
        Op.DELETE: _DELETE,
        Op.DELETE_CONTAINER: _DELETE,
        Op.SET_DATA: Codec(SetData),
        Op.SET_ACL: Codec(SetAcl),
        Op.CHECK: Codec(Check),
        Op.CREATE_SESSION: Codec(CreateSession),
        Op.CLOSE_SESSION: Codec(CloseSession),
        Op.ERROR: Codec(Error),
        Op.MULTI: Codec(Multi),
    }
)


def encode(txn: Txn) -> bytes:
    """The bytes that are logged and sent to each server."""
    pieces: list[bytes] = []
    HEADER.write(txn.header, pieces)
    BODIES[txn.header.type].write(txn.body, pieces)
    return b"".join(pieces)


def decode(data: bytes) -> Txn:
    """The transaction in ``data``. Raises Malformed."""
    header, at = HEADER.read(data)
    codec = BODIES.get(header.type)
    if codec is None:
        raise Malformed(f"a transaction of the unknown type {header.type}")
    return Txn(header, codec.read(data, at)[0])


def part(op: int, body: Any) -> Part:
    """One operation of a ``Multi``."""
    return Part(op, BODIES[op].encode(body))


def body_of(part: Part) -> Any:
    """What a part of a ``Multi`` does. Raises Malformed."""
    return BODIES[part.type].decode(part.body or b"")


def ttl_owner(ttl_ms: int) -> int:
    """The ``ephemeral_owner`` of a znode that goes ``ttl_ms`` after it was last changed."""
    return (_TTL_MARK | ttl_ms) - (1 << 64)


def ttl_of(owner: int) -> int:
    """The time to live in milliseconds that ``owner`` stands for, 0 if it is none."""
    unsigned = owner & ((1 << 64) - 1)
    return unsigned & MAX_TTL_MS if unsigned >> 56 == 0xFF else 0


def is_session(owner: int) -> bool:
    """Whether ``owner`` is a session, so that its znode is ephemeral."""
    return owner not in (0, CONTAINER_OWNER) and not ttl_of(owner)


def zxid_of(epoch: int, counter: int) -> int:
    """The zxid of the ``counter``-th transaction of ``epoch``."""
    return epoch << 32 | counter


def next_zxid(zxid: int, max_counter: int) -> int | None:
    """The zxid after ``zxid`` in its epoch; None once that has had ``max_counter`` transactions."""
    return zxid + 1 if counter_of(zxid) < max_counter else None


def epoch_of(zxid: int) -> int:
    """The epoch in which ``zxid`` was proposed."""
    return zxid >> 32


def counter_of(zxid: int) -> int:
    """The place of ``zxid`` within its epoch, from 1."""
    return zxid & 0xFFFFFFFF
