"""Access control: who may do what with a znode, and who a connection says it is.

Schemes are ``world``, ``ip``, ``digest`` and, when an ACL is set, ``auth``, which stands for everybody
the connection has authenticated as. A connection that gave the super digest may do everything.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha1
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.records import ANYONE, Acl, ClientInfo, Id

SUPER = Id("super", "")


class Permission(IntEnum):
    """What an ACL may grant; several are added up."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16


def check(acl: Sequence[Acl], wanted: int, ids: Sequence[Id]) -> None:
    """Raise ApiError NO_AUTH unless one of ``ids`` is granted one of the ``wanted`` permissions."""
    if not granted(acl, wanted, ids):
        raise ApiError(Code.NO_AUTH)


def granted(acl: Sequence[Acl], wanted: int, ids: Sequence[Id]) -> bool:
    """Whether one of ``ids`` is granted one of the ``wanted`` permissions."""
    for entry in acl:
        if entry.permissions & wanted and entry.id == ANYONE:
            return True
    if not acl or SUPER in ids:
        return True
    return any(
        entry.permissions & wanted and any(_matches(entry.id, each) for each in ids) for entry in acl
    )


def fix(acl: Sequence[Acl], ids: Sequence[Id]) -> tuple[Acl, ...]:
    """``acl`` without doubles, ``auth`` replaced by who asks. Raises ApiError INVALID_ACL."""
    fixed: dict[Acl, None] = {}
    for entry in acl:
        if entry.id.scheme == "auth":
            fixed |= dict.fromkeys(_authenticated(entry, ids))
        elif entry.id == ANYONE or _valid(entry.id):
            fixed[entry] = None
        else:
            raise ApiError(Code.INVALID_ACL)
    if not fixed:
        raise ApiError(Code.INVALID_ACL)
    return tuple(fixed)


def hidden(acl: Sequence[Acl]) -> tuple[Acl, ...]:
    """``acl`` for those who may not administer it: without the hashes of passwords."""
    return tuple(map(_without_hash, acl))


def _without_hash(entry: Acl) -> Acl:
    if entry.id.scheme != "digest":
        return entry
    return Acl(entry.permissions, Id("digest", user(entry.id) + ":x"))


def digest_id(credentials: bytes, super_digest: str) -> tuple[Id, ...]:
    """Who somebody with ``credentials``, ``user:password``, is. Raises ApiError AUTH_FAILED."""
    try:
        name = credentials.decode().split(":", 1)[0]
    except UnicodeDecodeError:
        raise ApiError(Code.AUTH_FAILED) from None
    digest = f"{name}:{b64encode(sha1(credentials).digest()).decode()}"
    identity = Id("digest", digest)
    return (SUPER, identity) if super_digest and digest == super_digest else (identity,)


def user(identity: Id) -> str:
    """The name in ``identity``, without what proves it."""
    return identity.id.split(":", 1)[0] if identity.scheme == "digest" else identity.id


def who(ids: Sequence[Id]) -> tuple[ClientInfo, ...]:
    """What ``whoAmI`` answers."""
    return tuple(ClientInfo(each.scheme, user(each)) for each in ids)


def _authenticated(entry: Acl, ids: Sequence[Id]) -> list[Acl]:
    proven = [Acl(entry.permissions, each) for each in ids if each.scheme not in ("ip", "super")]
    if not proven:
        raise ApiError(Code.INVALID_ACL)
    return proven


def _valid(identity: Id) -> bool:
    match identity.scheme:
        case "digest":
            return identity.id.count(":") == 1
        case "ip":
            return _network(identity.id) is not None
    return False


def _matches(granted: Id, asking: Id) -> bool:
    if granted.scheme != asking.scheme:
        return False
    if granted.scheme != "ip":
        return granted.id == asking.id
    network = _network(granted.id)
    try:
        return network is not None and ip_address(asking.id) in network
    except ValueError:
        return False


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
