"""Turns requests into transactions, as the leader does it: everything that can fail is settled here.

A request is judged by the state it will meet: the tree with all transactions that were proposed before
it. Those not yet applied are known by their outcome, one entry for each znode they touch (the
``outstandingChanges`` of ZooKeeper's ``PrepRequestProcessor``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from impl.coordination import acl, paths, quotas, txns
from impl.coordination.protocol import multi
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import IN_MULTI, SHAPES, Op
from impl.coordination.protocol.records import Id
from impl.coordination.requests import Request
from impl.coordination.tree import SYSTEM_PATHS, Tree, Znode, parent
from impl.coordination.txns import CONTAINER_OWNER, Header, Txn

ANY_VERSION = -1
_EPHEMERAL, _SEQUENTIAL = (1, 3), (2, 3, 6)
_CONTAINER, _TTL = (4,), (5, 6)
_LAST_FLAG = 6


class Expected(NamedTuple):
    """A znode as it will be after the transaction ``zxid``; ``node`` is None when it will be gone."""

    zxid: int
    node: Znode | None
    children: int


class Preparer:
    """Makes the transactions of one leader, in the order of their zxids.

    ``prepare`` gives a transaction for every request; ``applied`` is called when one has reached the
    tree. Sessions are not known here: who may still act is for the leader to say.
    """

    def __init__(self, tree: Tree, *, enforce_quotas: bool = False) -> None:
        self._tree = tree
        self._enforce_quotas = enforce_quotas
        self._expected: dict[str, Expected] = {}
        self._order: deque[tuple[int, str]] = deque()
        self._undo: list[tuple[str, Expected | None]] = []

    def prepare(self, request: Request, zxid: int, time_ms: int) -> Txn:
        """The transaction that ``request`` becomes; one of type ``ERROR`` if it fails."""
        try:
            op, body = self._body(request, zxid)
        except ApiError as error:
            op, body = Op.ERROR, txns.Error(error.code)
        except (Malformed, KeyError):
            op, body = Op.ERROR, txns.Error(Code.MARSHALLING_ERROR)
        return Txn(Header(request.session, request.cxid, zxid, time_ms, op), body)

    def refuse(self, request: Request, zxid: int, time_ms: int, code: Code) -> Txn:
        """The transaction that says that ``request`` failed with ``code``."""
        return Txn(Header(request.session, request.cxid, zxid, time_ms, Op.ERROR), txns.Error(code))

    def applied(self, zxid: int) -> None:
        """The tree has everything up to ``zxid``."""
        order, expected = self._order, self._expected
        while order and order[0][0] <= zxid:
            _, path = order.popleft()
            entry = expected.get(path)
            if entry is not None and entry.zxid <= zxid:
                del expected[path]

    # --- requests -----------------------------------------------------------------------------

    def _body(self, request: Request, zxid: int) -> tuple[int, Any]:
        self._undo.clear()
        payload = request.payload or b""
        match request.op:
            case Op.MULTI:
                return Op.MULTI, self._multi(request, payload, zxid)
            case Op.CREATE_SESSION:
                return Op.CREATE_SESSION, txns.BODIES[Op.CREATE_SESSION].decode(payload)
            case Op.CLOSE_SESSION:
                return Op.CLOSE_SESSION, self._close_session(request.session, zxid)
        record = SHAPES[request.op].request.decode(payload)
        if request.op == Op.RECONFIG:
            raise ApiError(Code.RECONFIG_DISABLED)
        return request.op, self._one(request.op, record, request, zxid)

    def _one(self, op: int, record: Any, request: Request, zxid: int) -> Any:
        return _PREPARERS[op](self, op, record, request, zxid)

    def _multi(self, request: Request, payload: bytes, zxid: int) -> txns.Multi:
        parts = multi.read_requests(payload, IN_MULTI)
        done: list[txns.Part] = []
        for part in parts:
            try:
                op = _as_in_multi(part)
                done.append(txns.part(op, self._one(op, part.record, request, zxid)))
            except Malformed:
                self._roll_back()
                raise
            except ApiError as error:
                self._roll_back()
                return _failed(len(done), error.code, len(parts))
        return txns.Multi(tuple(done))

    def _create(self, op: int, record: Any, request: Request, zxid: int) -> txns.Create:
        owner = _owner(op, record, request.session)
        _check_parent(record.path)
        fixed = acl.fix(record.acl, request.ids)
        above, below = self._parent(record.path)
        acl.check(below.acl, acl.Permission.CREATE, request.ids)
        path = record.path
        if record.flags in _SEQUENTIAL:
            path = f"{path}{below.creates:010d}"
        paths.check(path) if path != "/" else None
        if self._find(path) is not None:
            raise ApiError(Code.NODE_EXISTS)
        if txns.is_session(below.owner):
            raise ApiError(Code.NO_CHILDREN_FOR_EPHEMERALS)
        self._check_quota(path, 1, len(record.data or b""))
        creates = below.creates + 1
        self._expect(above, zxid, below._replace(creates=creates, pzxid=zxid), 1)
        self._expect(path, zxid, Znode(None, fixed, zxid, zxid, zxid, owner=owner), 0)
        return txns.Create(path, record.data, fixed, owner, creates)

    def _delete(self, op: int, record: Any, request: Request, zxid: int) -> txns.Delete:
        path = record.path
        if path in SYSTEM_PATHS:
            raise ApiError(Code.BAD_ARGUMENTS)
        above, below = self._parent(path)
        node = self._node(path)
        acl.check(below.acl, acl.Permission.DELETE, request.ids)
        _next_version(node.version, record.version)
        if self._children(path):
            raise ApiError(Code.NOT_EMPTY)
        self._expect(above, zxid, below._replace(pzxid=zxid), -1)
        self._expect(path, zxid, None, 0)
        return txns.Delete(path)

    def _delete_container(self, op: int, record: Any, request: Request, zxid: int) -> txns.Delete:
        path = record.path
        node = self._node(path)
        if self._children(path):
            raise ApiError(Code.NOT_EMPTY)
        if node.owner != CONTAINER_OWNER and not txns.ttl_of(node.owner):
            raise ApiError(Code.BAD_VERSION)
        if node.owner == CONTAINER_OWNER and not node.creates:
            raise ApiError(Code.BAD_VERSION)
        above, below = self._parent(path)
        self._expect(above, zxid, below._replace(pzxid=zxid), -1)
        self._expect(path, zxid, None, 0)
        return txns.Delete(path)

    def _set_data(self, op: int, record: Any, request: Request, zxid: int) -> txns.SetData:
        node = self._checked(record.path, acl.Permission.WRITE, request.ids)
        self._check_quota(record.path, 0, len(record.data or b"") - len(node.data or b""))
        version = _next_version(node.version, record.version)
        self._expect(record.path, zxid, node._replace(version=version), 0)
        return txns.SetData(record.path, record.data, version)

    def _set_acl(self, op: int, record: Any, request: Request, zxid: int) -> txns.SetAcl:
        paths.check(record.path)
        fixed = acl.fix(record.acl, request.ids)
        node = self._checked(record.path, acl.Permission.ADMIN, request.ids)
        version = _next_version(node.aversion, record.version)
        self._expect(record.path, zxid, node._replace(aversion=version, acl=fixed), 0)
        return txns.SetAcl(record.path, fixed, version)

    def _check(self, op: int, record: Any, request: Request, zxid: int) -> txns.Check:
        node = self._checked(record.path, acl.Permission.READ, request.ids)
        return txns.Check(record.path, _next_version(node.version, record.version))

    def _close_session(self, session: int, zxid: int) -> txns.CloseSession:
        owned = dict.fromkeys(self._tree.ephemerals.get(session, ()))
        for _, path in self._order:
            entry = self._expected.get(path)
            if entry is not None and entry.node is not None and entry.node.owner == session:
                owned[path] = None
        gone = tuple(path for path in owned if self._owned(path, session))
        for path in gone:
            above, below = self._parent(path)
            self._expect(above, zxid, below._replace(pzxid=zxid), -1)
            self._expect(path, zxid, None, 0)
        return txns.CloseSession(gone)

    def _check_quota(self, path: str, count: int, size: int) -> None:
        limited = self._tree.limited(path) if self._enforce_quotas else None
        if limited is None:
            return
        limits, stats = (
            self._tree.nodes.get(each)
            for each in (quotas.limits_path(limited), quotas.stats_path(limited))
        )
        if limits and stats and quotas.exceeded(limits.data, stats.data, count, size):
            raise ApiError(Code.QUOTA_EXCEEDED)

    # --- the state to come --------------------------------------------------------------------

    def _find(self, path: str) -> Znode | None:
        entry = self._expected.get(path)
        return entry.node if entry is not None else self._tree.nodes.get(path)

    def _owned(self, path: str, session: int) -> bool:
        node = self._find(path)
        return node is not None and node.owner == session

    def _node(self, path: str) -> Znode:
        node = self._find(path)
        if node is None:
            raise ApiError(Code.NO_NODE)
        return node

    def _checked(self, path: str, wanted: int, ids: Sequence[Id]) -> Znode:
        paths.check(path)
        node = self._node(path)
        acl.check(node.acl, wanted, ids)
        return node

    def _parent(self, path: str) -> tuple[str, Znode]:
        _check_parent(path)
        above = parent(path)
        return above, self._node(above)

    def _children(self, path: str) -> int:
        entry = self._expected.get(path)
        return entry.children if entry is not None else self._tree.child_count(path)

    def _expect(self, path: str, zxid: int, node: Znode | None, more_children: int) -> None:
        self._undo.append((path, self._expected.get(path)))
        count = self._children(path) + more_children if node is not None else 0
        self._expected[path] = Expected(zxid, node, count)
        self._order.append((zxid, path))

    def _roll_back(self) -> None:
        for path, before in reversed(self._undo):
            if before is None:
                del self._expected[path]
            else:
                self._expected[path] = before
        self._undo.clear()


def _as_in_multi(part: multi.Part) -> int:
    """The operation that ``part`` is taken for: the real server makes no difference between the two
    creations there, and has no znode with a time to live made by either. Raises Malformed."""
    if part.op in (Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER) and part.record.flags in _TTL:
        raise Malformed("a znode with a time to live is made by another operation")
    return Op.CREATE if part.op == Op.CREATE2 else part.op


def _failed(before: int, code: Code, count: int) -> txns.Multi:
    """No operation took effect: those before the one that failed were rolled back."""
    errors = [Code.OK] * before + [code] + [Code.RUNTIME_INCONSISTENCY] * (count - before - 1)
    return txns.Multi(tuple(txns.part(Op.ERROR, txns.Error(error)) for error in errors))


def _next_version(current: int, expected: int) -> int:
    if expected not in (ANY_VERSION, current):
        raise ApiError(Code.BAD_VERSION)
    return current + 1 if current < 2**31 - 1 else -(2**31)


def _check_parent(path: str) -> None:
    """Whether it can be said what lies above ``path``; all else is checked later."""
    if "/" not in path or "\0" in path:
        raise ApiError(Code.BAD_ARGUMENTS)


def _owner(op: int, record: Any, session: int) -> int:
    """The owner of the znode to be made. Raises ApiError BAD_ARGUMENTS for flags that don't fit."""
    flags = record.flags
    if not 0 <= flags <= _LAST_FLAG or (flags in _TTL) != (op == Op.CREATE_TTL):
        raise ApiError(Code.BAD_ARGUMENTS)
    if flags in _TTL:
        if not 0 < record.ttl_ms <= txns.MAX_TTL_MS:
            raise ApiError(Code.BAD_ARGUMENTS)
        return txns.ttl_owner(record.ttl_ms)
    if op == Op.CREATE_CONTAINER:
        return CONTAINER_OWNER if flags in _CONTAINER else 0
    return session if flags in _EPHEMERAL else 0


_Prepare: TypeAlias = Callable[[Preparer, int, Any, Request, int], Any]
_PREPARERS: Mapping[int, _Prepare] = MappingProxyType(
    {
        Op.CREATE: Preparer._create,
        Op.CREATE2: Preparer._create,
        Op.CREATE_CONTAINER: Preparer._create,
        Op.CREATE_TTL: Preparer._create,
        Op.DELETE: Preparer._delete,
        Op.DELETE_CONTAINER: Preparer._delete_container,
        Op.SET_DATA: Preparer._set_data,
        Op.SET_ACL: Preparer._set_acl,
        Op.CHECK: Preparer._check,
    }
)
