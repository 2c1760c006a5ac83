"""The operations: what each sends and what it makes of the reply. Paths here are the server's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from impl.coordination.client.errors import MultiFailed
from impl.coordination.client.pipeline import Call
from impl.coordination.client.results import (
    AclOf,
    Changed,
    Children,
    Count,
    Created,
    CreateMode,
    Data,
    Done,
    Existing,
    Identities,
    Made,
    Paths,
)
from impl.coordination.client.watches import Table
from impl.coordination.protocol import multi
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.multi import Part
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import (
    Acl,
    CreateRequest,
    CreateTtlRequest,
    Nothing,
    PathOnly,
    PathType,
    PathVersion,
    PathWatch,
    SetAclRequest,
    SetDataRequest,
)
from impl.coordination.watches import Kind, Mode

Local: TypeAlias = Callable[[str], str]
"""The client's name for a path of the server."""
Watching: TypeAlias = Callable[[Table], None]
"""Note that the watch of this request is set, in this table."""

_TTL_MODES = (CreateMode.PERSISTENT_WITH_TTL, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL)
_CREATIONS = (Op.CREATE2, Op.CREATE_CONTAINER, Op.CREATE_TTL)
_CHANGING = frozenset(
    (
        Op.CREATE2,
        Op.CREATE_CONTAINER,
        Op.CREATE_TTL,
        Op.DELETE,
        Op.SET_DATA,
        Op.SET_ACL,
        Op.MULTI,
        Op.CLOSE_SESSION,
    )
)


def create_part(path: str, data: bytes, acl: Sequence[Acl], mode: CreateMode, ttl_ms: int) -> Part:
    """Create a znode, alone or in a multi. Raises ValueError when mode and ``ttl_ms`` do not fit."""
    if (mode in _TTL_MODES) != (ttl_ms > 0):
        raise ValueError(f"create {path}: mode {mode.name} and ttl_ms {ttl_ms} do not go together")
    if mode in _TTL_MODES:
        return Part(Op.CREATE_TTL, CreateTtlRequest(path, data, tuple(acl), mode, ttl_ms))
    op = Op.CREATE_CONTAINER if mode == CreateMode.CONTAINER else Op.CREATE2
    return Part(op, CreateRequest(path, data, tuple(acl), mode))


def create_in_multi(part: Part) -> Part:
    """``part`` as it has to stand in a multi, where no stat is given."""
    return part._replace(op=Op.CREATE) if part.op == Op.CREATE2 else part


def delete_part(path: str, version: int) -> Part:
    """Delete a znode."""
    return Part(Op.DELETE, PathVersion(path, version))


def set_part(path: str, data: bytes, version: int) -> Part:
    """Replace the data of a znode."""
    return Part(Op.SET_DATA, SetDataRequest(path, data, version))


def check_part(path: str, version: int) -> Part:
    """Fail unless the znode has this version."""
    return Part(Op.CHECK, PathVersion(path, version))


def change(part: Part, local: Local) -> Call:
    """One change on its own."""

    def make(reply: Any, zxid: int) -> Any:
        if part.op in _CREATIONS:
            return Created(local(reply.path), reply.stat, zxid)
        return _result(part.op, reply, zxid, local)

    return _call(part.op, part.record, make)


def exists(path: str, watching: Watching | None) -> Call:
    """Whether there is a znode; its absence can be watched too."""

    def answered(error: int) -> None:
        if watching is not None and error in (Code.OK, Code.NO_NODE):
            watching(Table.DATA if error == Code.OK else Table.EXIST)

    return _call(
        Op.EXISTS, PathWatch(path, watching is not None), lambda reply, zxid: Existing(reply.stat, zxid)
    )._replace(missing=lambda zxid: Existing(None, zxid), answered=answered)


def get(path: str, watching: Watching | None) -> Call:
    """Data and stat."""
    return _watched(
        _call(Op.GET_DATA, PathWatch(path, watching is not None), _data), watching, Table.DATA
    )


def children(path: str, watching: Watching | None) -> Call:
    """The children's names, and the stat."""
    request = PathWatch(path, watching is not None)
    return _watched(
        _call(Op.GET_CHILDREN2, request, lambda reply, zxid: Children(reply.names, reply.stat, zxid)),
        watching,
        Table.CHILD,
    )


def get_acl(path: str) -> Call:
    """The access control list."""
    return _call(Op.GET_ACL, PathOnly(path), lambda reply, zxid: AclOf(reply.acl, reply.stat, zxid))


def set_acl(path: str, acl: Sequence[Acl], version: int) -> Call:
    """Replace the access control list."""
    request = SetAclRequest(path, tuple(acl), version)
    return _call(Op.SET_ACL, request, lambda reply, zxid: Changed(reply.stat, zxid))


def sync(path: str) -> Call:
    """Have the server catch up with the leader."""
    return _call(Op.SYNC, PathOnly(path), _done)


def add_watch(path: str, mode: Mode, watching: Watching) -> Call:
    """A watch that stays."""
    table = Table.RECURSIVE if mode == Mode.RECURSIVE else Table.PERSISTENT
    return _watched(_call(Op.ADD_WATCH, PathType(path, mode), _done), watching, table)


def check_watches(path: str, kind: Kind) -> Call:
    """Whether the server has such a watch of this client."""
    return _call(Op.CHECK_WATCHES, PathType(path, kind), _done)


def remove_watches(path: str, kind: Kind, removed: Callable[[], None]) -> Call:
    """Take watches back; ``removed`` is called when the server has, or had none."""

    def answered(error: int) -> None:
        if error in (Code.OK, Code.NO_WATCHER):
            removed()

    return _call(Op.REMOVE_WATCHES, PathType(path, kind), _done)._replace(answered=answered)


def ephemerals(prefix: str, local: Local) -> Call:
    """This session's ephemeral znodes."""
    return _call(
        Op.GET_EPHEMERALS,
        PathOnly(prefix),
        lambda reply, zxid: Paths(tuple(map(local, reply.names)), zxid),
    )


def count(path: str) -> Call:
    """How many znodes there are below ``path``."""
    return _call(
        Op.GET_ALL_CHILDREN_NUMBER, PathOnly(path), lambda reply, zxid: Count(reply.number, zxid)
    )


def who_am_i() -> Call:
    """As whom the server knows this connection."""
    return _call(Op.WHO_AM_I, Nothing(), lambda reply, zxid: Identities(reply.clients, zxid))


def close_session() -> Call:
    """End the session, and with it its ephemerals."""
    return _call(Op.CLOSE_SESSION, Nothing(), _done)


def multi_change(parts: Sequence[Part], local: Local) -> Call:
    """All of ``parts`` or none; the result is a list, or MultiFailed."""
    what = f"multi of {len(parts)}"

    def read(frame: bytes, offset: int, zxid: int) -> list[Any] | MultiFailed:
        results = multi.read_results(frame[offset:])
        for index, result in enumerate(results):
            if result.op == Op.ERROR and result.error not in (Code.OK, Code.RUNTIME_INCONSISTENCY):
                return MultiFailed(what, Code(result.error), zxid, index)
        return [_result(result.op, result.record, zxid, local) for result in results]

    return Call(what, Op.MULTI, multi.write_requests(parts), True, read)


def multi_read(paths: Sequence[tuple[Op, str]]) -> Call:
    """Several reads of one state; each result stands for itself, an error's is its code."""

    def read(frame: bytes, offset: int, zxid: int) -> list[Any]:
        results = multi.read_results(frame[offset:])
        return [_result_of_read(result, zxid) for result in results]

    parts = [Part(op, PathWatch(path, False)) for op, path in paths]
    return Call(f"multi of {len(parts)} reads", Op.MULTI_READ, multi.write_requests(parts), False, read)


def _call(op: int, record: Any, make: Callable[[Any, int], Any]) -> Call:
    shape = SHAPES[op]
    response = shape.response

    def read(frame: bytes, offset: int, zxid: int) -> Any:
        return make(response.read(frame, offset)[0], zxid)

    path = getattr(record, "path", "")
    name = Op(op).name.lower().replace("_", " ")
    what = f"{name} {path}" if path else name
    return Call(what, op, shape.request.encode(record), op in _CHANGING, read)


def _watched(call: Call, watching: Watching | None, table: Table) -> Call:
    if watching is None:
        return call
    return call._replace(answered=lambda error: watching(table) if error == Code.OK else None)


def _result(op: int, reply: Any, zxid: int, local: Local) -> Any:
    match op:
        case Op.CREATE | Op.CREATE2 | Op.CREATE_CONTAINER | Op.CREATE_TTL:
            return Made(local(reply.path), zxid)
        case Op.SET_DATA:
            return Changed(reply.stat, zxid)
    return Done(zxid)


def _result_of_read(result: Part, zxid: int) -> Any:
    if result.op == Op.ERROR:
        return Code(result.error)
    if result.op == Op.GET_DATA:
        return _data(result.record, zxid)
    return result.record.names


def _data(reply: Any, zxid: int) -> Data:
    return Data(reply.data or b"", reply.stat, zxid)


def _done(reply: Any, zxid: int) -> Done:
    return Done(zxid)
