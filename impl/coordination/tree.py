"""The tree of znodes, and the sessions: the state that every server has a copy of.

Znodes are immutable and replaced when they change, so that ``freeze`` can hand out a snapshot at once:
a copy of the index, which later changes do not touch. ``apply`` is the only thing that changes the
tree, and depends on nothing but the tree and the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

from impl.coordination import quotas, txns
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import OPEN_ACL, READ_ACL, Acl, Stat
from impl.coordination.txns import CONTAINER_OWNER, Header, Txn

Acls: TypeAlias = tuple[Acl, ...]


class Znode(NamedTuple):
    """``creates`` counts the children ever made: the suffix of the next sequential one."""

    data: bytes | None
    acl: Acls
    czxid: int = 0
    mzxid: int = 0
    pzxid: int = 0
    ctime: int = 0
    mtime: int = 0
    version: int = 0
    creates: int = 0
    aversion: int = 0
    owner: int = 0


class Session(NamedTuple):
    """What all servers know of a session."""

    timeout_ms: int
    password: bytes


class Result(NamedTuple):
    """What became of a transaction: an error, or the znode it made or changed; ``parts`` of a multi."""

    op: int
    error: int = Code.OK
    path: str = ""
    stat: Stat | None = None
    parts: tuple[Result, ...] = ()


class Watcher(Protocol):
    """Who is told of changes, while they are made; with the ACL of the znode and of the one above it."""

    def created(self, path: str, acl: Acls, above: Acls) -> None:
        """``path`` came to be."""

    def deleted(self, path: str, acl: Acls, above: Acls) -> None:
        """``path`` is gone."""

    def changed(self, path: str, acl: Acls) -> None:
        """``path`` has new data."""


class Nobody:
    """Watches nothing."""

    def created(self, path: str, acl: Acls, above: Acls) -> None:
        return

    deleted = created

    def changed(self, path: str, acl: Acls) -> None:
        return


@dataclass(frozen=True, slots=True)
class Frozen:
    """The state just after the transaction ``zxid``."""

    zxid: int
    nodes: Mapping[str, Znode]
    sessions: Mapping[int, Session]


CONFIG_PATH = "/zookeeper/config"
SYSTEM_PATHS = ("/", "/zookeeper", "/zookeeper/quota", CONFIG_PATH)


class Tree:
    """The state after the transaction ``zxid``, which a server reads from and applies to."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.zxid = 0
        self.nodes: dict[str, Znode] = {}
        self.children: dict[str, dict[str, None]] = {}
        self.sessions: dict[int, Session] = {}
        self.ephemerals: dict[int, dict[str, None]] = {}
        self.containers: dict[str, None] = {}
        self.expiring: dict[str, None] = {}
        self._limited: dict[str, None] = {}
        self._acls: dict[Acls, Acls] = {}
        self._watcher = watcher or Nobody()
        for path in SYSTEM_PATHS[:-1]:
            self._insert(path, Znode(b"", OPEN_ACL))
        self._insert(CONFIG_PATH, Znode(b"", READ_ACL, aversion=-1))

    @classmethod
    def thaw(cls, frozen: Frozen, watcher: Watcher | None = None) -> Tree:
        """The tree that ``frozen`` was made of."""
        tree = cls(watcher)
        for path, node in frozen.nodes.items():
            tree._insert(path, node)
        tree.sessions.update(frozen.sessions)
        tree.zxid = frozen.zxid
        return tree

    def freeze(self) -> Frozen:
        """A snapshot of this moment; further transactions leave it as it is."""
        return Frozen(self.zxid, dict(self.nodes), dict(self.sessions))

    def describe(self, members: bytes) -> None:
        """Say who the servers are in ``/zookeeper/config``, as the server itself was configured."""
        self.nodes[CONFIG_PATH] = Znode(members, READ_ACL, version=-1, aversion=-1)

    def digest(self) -> str:
        """The same for equal states, in hex."""
        state = sorted(self.nodes.items()), sorted(self.sessions.items())
        return blake2b(repr(state).encode(), digest_size=16).hexdigest()

    # --- reading ------------------------------------------------------------------------------

    def node(self, path: str) -> Znode:
        """The znode at ``path``. Raises ApiError NO_NODE."""
        node = self.nodes.get(path)
        if node is None:
            raise ApiError(Code.NO_NODE)
        return node

    def names(self, path: str) -> tuple[str, ...]:
        """The names of the children of ``path``."""
        return tuple(self.children.get(path, ()))

    def child_count(self, path: str) -> int:
        """How many children ``path`` has."""
        return len(self.children.get(path, ()))

    def limited(self, path: str) -> str | None:
        """The nearest path with a quota, at or above ``path``; None if there is none."""
        if not self._limited:
            return None
        return next((above for above in ancestors(path) if above in self._limited), None)

    def stat(self, path: str, node: Znode) -> Stat:
        """What clients are told of ``node``: changes of children are creations and deletions."""
        count = self.child_count(path)
        return Stat(
            node.czxid,
            node.mzxid,
            node.ctime,
            node.mtime,
            node.version,
            2 * node.creates - count,
            node.aversion,
            node.owner,
            0 if node.data is None else len(node.data),
            count,
            node.pzxid,
        )

    # --- changing -----------------------------------------------------------------------------

    def apply(self, txn: Txn) -> Result:
        """Do what ``txn`` says. Raises nothing: the leader has settled whatever could fail."""
        header, body = txn
        result = self._apply(header, header.type, body)
        self.zxid = header.zxid
        return result

    def _apply(self, header: Header, op: int, body: Any) -> Result:
        return _APPLIERS[op](self, header, op, body)

    def _create(self, header: Header, op: int, body: txns.Create) -> Result:
        path, zxid = body.path, header.zxid
        acl = self._acls.setdefault(body.acl, body.acl)
        time = header.time_ms
        node = Znode(body.data, acl, zxid, zxid, zxid, time, time, 0, 0, 0, body.owner)
        self._insert(path, node)
        above = parent(path)
        self.nodes[above] = self.nodes[above]._replace(creates=body.creates, pzxid=zxid)
        if self._limited:
            self._count(path, 1, len(body.data or b""))
        self._watcher.created(path, acl, self.nodes[above].acl)
        return Result(op, path=path, stat=self.stat(path, node))

    def _insert(self, path: str, node: Znode) -> None:
        self.nodes[path] = node
        if path != "/":
            self.children.setdefault(parent(path), {})[path[path.rindex("/") + 1 :]] = None
        if node.owner:
            self._index(path, node.owner)
        if (limited := quotas.limited_by(path)) is not None:
            self._limited[limited] = None

    def _index(self, path: str, owner: int) -> None:
        if owner == CONTAINER_OWNER:
            self.containers[path] = None
        elif txns.ttl_of(owner):
            self.expiring[path] = None
        else:
            self.ephemerals.setdefault(owner, {})[path] = None

    def _delete(self, header: Header, op: int, body: txns.Delete) -> Result:
        self._remove(body.path, header.zxid)
        return Result(op, path=body.path)

    def _remove(self, path: str, zxid: int) -> None:
        node = self.nodes.pop(path)
        above = parent(path)
        siblings = self.children[above]
        del siblings[path[path.rindex("/") + 1 :]]
        if not siblings:
            del self.children[above]
        self.nodes[above] = self.nodes[above]._replace(pzxid=zxid)
        if node.owner:
            self._unindex(path, node.owner)
        if self._limited:
            self._limited.pop(quotas.limited_by(path) or "", None)
            self._count(path, -1, -len(node.data or b""))
        self._watcher.deleted(path, node.acl, self.nodes[above].acl)

    def _unindex(self, path: str, owner: int) -> None:
        if txns.is_session(owner):
            owned = self.ephemerals[owner]
            del owned[path]
            if not owned:
                del self.ephemerals[owner]
        else:
            self.containers.pop(path, None)
            self.expiring.pop(path, None)

    def _set_data(self, header: Header, op: int, body: txns.SetData) -> Result:
        path = body.path
        before = self.nodes[path]
        node = before._replace(
            data=body.data, version=body.version, mzxid=header.zxid, mtime=header.time_ms
        )
        self.nodes[path] = node
        if self._limited:
            self._count(path, 0, len(body.data or b"") - len(before.data or b""))
        self._watcher.changed(path, node.acl)
        return Result(op, path=path, stat=self.stat(path, node))

    def _count(self, path: str, count: int, size: int) -> None:
        """There are ``count`` more znodes and ``size`` more bytes, at ``path``: see ``quotas``."""
        counted = quotas.counted_by(path)
        if counted is not None and count > 0:
            self._count_all(counted)
        limited = self.limited(path)
        stats = quotas.stats_path(limited) if limited is not None else ""
        if (node := self.nodes.get(stats)) is not None:
            self.nodes[stats] = node._replace(data=quotas.added(node.data, count, size))

    def _count_all(self, path: str) -> None:
        below = path if path == "/" else path + "/"
        found = [node for each, node in self.nodes.items() if each == path or each.startswith(below)]
        stats = quotas.stats_path(path)
        data = quotas.stats(len(found), sum(len(node.data or b"") for node in found))
        self.nodes[stats] = self.nodes[stats]._replace(data=data)

    def _set_acl(self, header: Header, op: int, body: txns.SetAcl) -> Result:
        acl = self._acls.setdefault(body.acl, body.acl)
        node = self.nodes[body.path]._replace(acl=acl, aversion=body.version)
        self.nodes[body.path] = node
        return Result(op, path=body.path, stat=self.stat(body.path, node))

    def _check(self, header: Header, op: int, body: txns.Check) -> Result:
        return Result(op, path=body.path)

    def _create_session(self, header: Header, op: int, body: txns.CreateSession) -> Result:
        self.sessions[header.session] = Session(body.timeout_ms, body.password or b"")
        return Result(op)

    def _close_session(self, header: Header, op: int, body: txns.CloseSession) -> Result:
        for path in body.paths:
            self._remove(path, header.zxid)
        self.sessions.pop(header.session, None)
        return Result(op)

    def _error(self, header: Header, op: int, body: txns.Error) -> Result:
        return Result(op, body.error)

    def _multi(self, header: Header, op: int, body: txns.Multi) -> Result:
        parts = tuple(self._apply(header, each.type, txns.body_of(each)) for each in body.parts)
        return Result(op, parts=parts)


_Applier: TypeAlias = Callable[[Tree, Header, int, Any], Result]
_APPLIERS: Mapping[int, _Applier] = MappingProxyType(
    {
        Op.CREATE: Tree._create,
        Op.CREATE2: Tree._create,
        Op.CREATE_CONTAINER: Tree._create,
        Op.CREATE_TTL: Tree._create,
        Op.DELETE: Tree._delete,
        Op.DELETE_CONTAINER: Tree._delete,
        Op.SET_DATA: Tree._set_data,
        Op.SET_ACL: Tree._set_acl,
        Op.CHECK: Tree._check,
        Op.CREATE_SESSION: Tree._create_session,
        Op.CLOSE_SESSION: Tree._close_session,
        Op.ERROR: Tree._error,
        Op.MULTI: Tree._multi,
    }
)


def parent(path: str) -> str:
    """The path above ``path``; that of ``/a`` is ``/``."""
    return path[: path.rindex("/")] or "/"


def ancestors(path: str) -> Iterable[str]:
    """``path`` itself, then what lies above it, up to ``/``."""
    yield path
    while path != "/":
        path = parent(path)
        yield path
