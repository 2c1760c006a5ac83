"""What a server answers from its own copy of the state, and what it keeps for a connection: watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from impl.coordination import acl
from impl.coordination.acl import Permission
from impl.coordination.protocol import multi, records
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.opcodes import IN_MULTI_READ, Op
from impl.coordination.protocol.records import (
    AclResponse,
    DataResponse,
    ErrorResult,
    Id,
    NamesResponse,
    NamesStatResponse,
    NumberResponse,
    Stat,
    StatResponse,
    WhoAmIResponse,
)
from impl.coordination.tree import Tree
from impl.coordination.watches import Client, Watches


class Asking(NamedTuple):
    """Who asks, and what is read."""

    tree: Tree
    watches: Watches
    client: Client
    session: int
    ids: Sequence[Id]


Read: TypeAlias = Callable[[Asking, bytes], bytes]


def _exists(asking: Asking, payload: bytes) -> bytes:
    path, watch = records.PATH_WATCH.decode(payload)
    if "\0" in path:
        raise ApiError(Code.BAD_ARGUMENTS)
    if watch:
        asking.watches.watch_data(path, asking.client)
    return records.STAT.encode(StatResponse(asking.tree.stat(path, asking.tree.node(path))))


def _data(asking: Asking, path: str, watch: bool) -> DataResponse:
    node = asking.tree.node(path)
    acl.check(node.acl, Permission.READ, asking.ids)
    if watch:
        asking.watches.watch_data(path, asking.client)
    return DataResponse(node.data, asking.tree.stat(path, node))


def _get_data(asking: Asking, payload: bytes) -> bytes:
    return records.DATA.encode(_data(asking, *records.PATH_WATCH.decode(payload)))


def _names(asking: Asking, path: str, watch: bool) -> tuple[tuple[str, ...], Stat]:
    node = asking.tree.node(path)
    acl.check(node.acl, Permission.READ, asking.ids)
    if watch:
        asking.watches.watch_children(path, asking.client)
    return asking.tree.names(path), asking.tree.stat(path, node)


def _get_children(asking: Asking, payload: bytes) -> bytes:
    names, _ = _names(asking, *records.PATH_WATCH.decode(payload))
    return records.NAMES.encode(NamesResponse(names))


def _get_children2(asking: Asking, payload: bytes) -> bytes:
    return records.NAMES_STAT.encode(
        NamesStatResponse(*_names(asking, *records.PATH_WATCH.decode(payload)))
    )


def _get_acl(asking: Asking, payload: bytes) -> bytes:
    (path,) = records.PATH_ONLY.decode(payload)
    node = asking.tree.node(path)
    acl.check(node.acl, Permission.READ | Permission.ADMIN, asking.ids)
    try:
        acl.check(node.acl, Permission.ADMIN, asking.ids)
        shown = node.acl
    except ApiError:
        shown = acl.hidden(node.acl)
    return records.ACL.encode(AclResponse(shown, asking.tree.stat(path, node)))


def _get_ephemerals(asking: Asking, payload: bytes) -> bytes:
    (prefix,) = records.PATH_ONLY.decode(payload)
    owned = asking.tree.ephemerals.get(asking.session, {})
    found = (path for path in owned if prefix in ("", "/") or path.startswith(prefix))
    return records.NAMES.encode(NamesResponse(tuple(found)))


def _get_all_children_number(asking: Asking, payload: bytes) -> bytes:
    (path,) = records.PATH_ONLY.decode(payload)
    node = asking.tree.node(path)
    acl.check(node.acl, Permission.READ, asking.ids)
    below = "/" if path == "/" else path + "/"
    number = sum(1 for each in asking.tree.nodes if each.startswith(below)) - (path == "/")
    return records.NUMBER.encode(NumberResponse(number))


def _multi_read(asking: Asking, payload: bytes) -> bytes:
    parts = multi.read_requests(payload, IN_MULTI_READ)
    return multi.write_results([_part(asking, part) for part in parts])


def _part(asking: Asking, part: multi.Part) -> multi.Part:
    path = part.record.path
    try:
        if part.op == Op.GET_DATA:
            return multi.Part(part.op, _data(asking, path, False))
        return multi.Part(part.op, NamesResponse(_names(asking, path, False)[0]))
    except ApiError as error:
        return multi.Part(Op.ERROR, None, error.code)


def _set_watches(asking: Asking, payload: bytes) -> bytes:
    since, *paths = records.SET_WATCHES.decode(payload)
    asking.watches.restore(asking.tree, since, (*paths, (), ()), asking.client)
    return b""


def _set_watches2(asking: Asking, payload: bytes) -> bytes:
    since, *paths = records.SET_WATCHES2.decode(payload)
    asking.watches.restore(asking.tree, since, tuple(paths), asking.client)
    return b""


def _add_watch(asking: Asking, payload: bytes) -> bytes:
    path, mode = records.PATH_TYPE.decode(payload)
    asking.watches.add(path, mode, asking.client)
    return records.ERROR_RESULT.encode(ErrorResult(Code.OK))


def _check_watches(asking: Asking, payload: bytes) -> bytes:
    path, kind = records.PATH_TYPE.decode(payload)
    if not asking.watches.has(path, kind, asking.client):
        raise ApiError(Code.NO_WATCHER)
    return b""


def _remove_watches(asking: Asking, payload: bytes) -> bytes:
    path, kind = records.PATH_TYPE.decode(payload)
    if not asking.watches.remove(path, kind, asking.client):
        raise ApiError(Code.NO_WATCHER)
    return b""


def _who_am_i(asking: Asking, payload: bytes) -> bytes:
    return records.WHO_AM_I.encode(WhoAmIResponse(acl.who(asking.ids)))


def _ping(asking: Asking, payload: bytes) -> bytes:
    return b""


READS: Mapping[int, Read] = MappingProxyType(
    {
        Op.EXISTS: _exists,
        Op.GET_DATA: _get_data,
        Op.GET_ACL: _get_acl,
        Op.GET_CHILDREN: _get_children,
        Op.GET_CHILDREN2: _get_children2,
        Op.PING: _ping,
        Op.CHECK_WATCHES: _check_watches,
        Op.REMOVE_WATCHES: _remove_watches,
        Op.MULTI_READ: _multi_read,
        Op.SET_WATCHES: _set_watches,
        Op.SET_WATCHES2: _set_watches2,
        Op.GET_EPHEMERALS: _get_ephemerals,
        Op.GET_ALL_CHILDREN_NUMBER: _get_all_children_number,
        Op.ADD_WATCH: _add_watch,
        Op.WHO_AM_I: _who_am_i,
    }
)
"""By operation: from who asks, and the request, to the reply. They raise ApiError and Malformed."""
