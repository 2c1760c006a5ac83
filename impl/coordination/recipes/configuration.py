"""Configuration that many share: one znode, watched by all, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.insist import ensure_path, insist


class Setting(NamedTuple):
    """The configuration and its version; ``zxid`` is that of the change that made it."""

    value: bytes
    version: int
    zxid: int


async def read(client: Client, path: str) -> Setting:
    """The configuration as this client's server has it; ``client.sync`` first for the latest.

    Raises SessionLost, or ServerError NO_NODE.
    """
    data = await insist(client, lambda: client.get(path))
    return Setting(data.data, data.stat.version, data.stat.mzxid)


async def compare_and_set(client: Client, path: str, value: bytes, *, version: int) -> Setting:
    """Replace version ``version``. Raises ServerError BAD_VERSION when there is another by now.

    A lost reply is cleared up where the znode tells: if its version is still ``version``, or its
    content is not ours, nothing happened. Raises MayHaveHappened where it does not, DidNotHappen where
    it does, and SessionLost.
    """
    try:
        changed = await client.set(path, value, version=version)
    except MayHaveHappened as lost:
        raise await _cleared_up(client, path, value, version, lost) from lost
    return Setting(value, changed.stat.version, changed.stat.mzxid)


async def update(client: Client, path: str, change: Callable[[bytes], bytes]) -> Setting:
    """Set what ``change`` makes of the present value, again for each value that comes in between.

    Raises MayHaveHappened, SessionLost, or ServerError NO_NODE.
    """
    while True:
        now = await read(client, path)
        try:
            return await compare_and_set(client, path, change(now.value), version=now.version)
        except ServerError as error:
            if error.code != Code.BAD_VERSION:
                raise
        except DidNotHappen:
            pass
        await insist(client, lambda: client.sync(path))


class Settings:
    """The configuration as it changes; a context manager."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path
        self._bell = Bell(client)
        self._known: Setting | None = None

    def __enter__(self) -> Settings:
        self._bell.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bell.__exit__(kind, error, trace)

    async def next(self) -> Setting:
        """The configuration now, the first time; afterwards the next that is seen, maybe not each.

        It is made, empty, if it is missing. Raises SessionLost or ServerError.
        """
        while True:
            if self._known is not None:
                await self._bell.heard()
            try:
                data = await insist(
                    self._client, lambda: self._client.get(self._path, watch=self._bell.ring)
                )
            except ServerError as error:
                if error.code != Code.NO_NODE:
                    raise
                self._known = None
                await ensure_path(self._client, self._path)
                continue
            setting = Setting(data.data, data.stat.version, data.stat.mzxid)
            if setting != self._known:
                self._known = setting
                return setting


async def _cleared_up(
    client: Client, path: str, value: bytes, version: int, lost: MayHaveHappened
) -> Exception:
    await insist(client, lambda: client.sync(path))
    try:
        now = await read(client, path)
    except ServerError:
        return lost
    if now.version == version or (now.version == version + 1 and now.value != value):
        return DidNotHappen(f"{lost}; version {now.version} shows that it did not")
    return lost
