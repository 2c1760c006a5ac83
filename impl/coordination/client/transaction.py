"""Several changes at once: all of them or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from impl.coordination.client import calls
from impl.coordination.client.chroot import Chroot
from impl.coordination.client.results import CreateMode
from impl.coordination.protocol.multi import Part
from impl.coordination.protocol.records import OPEN_ACL, Acl


class Transaction:
    """Changes in the order in which they are to be made; nothing happens before ``commit``."""

    def __init__(self, chroot: Chroot, commit: Callable[[Sequence[Part]], Awaitable[list[Any]]]) -> None:
        self._chroot = chroot
        self._commit = commit
        self._parts: list[Part] = []

    def create(
        self,
        path: str,
        data: bytes = b"",
        *,
        mode: CreateMode = CreateMode.PERSISTENT,
        acl: Sequence[Acl] = OPEN_ACL,
        ttl_ms: int = 0,
    ) -> Transaction:
        """Gives ``Made``."""
        part = calls.create_part(self._chroot.full(path), data, acl, mode, ttl_ms)
        self._parts.append(calls.create_in_multi(part))
        return self

    def delete(self, path: str, *, version: int = -1) -> Transaction:
        """Gives ``Done``."""
        self._parts.append(calls.delete_part(self._chroot.full(path), version))
        return self

    def set(self, path: str, data: bytes, *, version: int = -1) -> Transaction:
        """Gives ``Changed``."""
        self._parts.append(calls.set_part(self._chroot.full(path), data, version))
        return self

    def check(self, path: str, *, version: int = -1) -> Transaction:
        """Go on only if the znode has this version, or with -1 any. Gives ``Done``."""
        self._parts.append(calls.check_part(self._chroot.full(path), version))
        return self

    async def commit(self) -> list[Any]:
        """The results, in order. Raises MultiFailed, DidNotHappen or MayHaveHappened."""
        return await self._commit(self._parts)
