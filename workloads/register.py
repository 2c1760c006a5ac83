"""Registers in znodes: read, write, compare-and-set by version, and reads after a sync.

Operations, each on one of three znodes (``key``): ``write`` of a number that is written once only;
``cas``, a write on condition that the version is the last one this client saw; ``read``, which any
server answers from its own state; ``sync-read``, a sync and then a read. ``ok`` carries value,
version, mzxid, the zxid of the reply and the session; a refused cas is a ``fail`` with the error
``bad-version``. Servers take a snapshot every few changes, and start from it.

Fails when writes, or reads after a sync, are not linearizable; when an answer lacks a change of the
state it names; when a cas does not follow the version it asked for; when a value is read that was
refused or never written; when a session sees an older state than it saw before, or misses what it
wrote; or when nothing can be written or read once all is healed.
"""

from __future__ import annotations

from typing import Any

from checkers.progress import progress
from checkers.sessions import sessions
from checkers.verdict import all_of
from checkers.zxid_order import zxid_order
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.results import Changed, Data
from workloads.coordination import RETRY_S, SNAPSHOT_EVERY, Session, coordination_workload, each_until_ok
from workloads.generators import Generator, delay, mix, numbered, phases, repeat, stagger, until_ok
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/register"
KEYS = ("a", "b", "c")
_CAS_FROM, _FINAL_FROM = 1_000_000, 2_000_000


class RegisterClient:
    """Remembers, for cas, the last version of each znode that it saw."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT, *map(path_of, KEYS)))
        self._versions: dict[str, int] = {}
        self._does = {
            "write": self._write,
            "cas": self._cas,
            "read": self._read,
            "sync-read": self._sync_read,
        }

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        return await self._session.perform(op, self._does[op.f])

    async def close(self) -> None:
        await self._session.close()

    async def _write(self, client: Client, op: Op) -> dict[str, Any]:
        return self._noted(op, written(op.value, await client.set(path_of(op.key), encoded(op.value))))

    async def _cas(self, client: Client, op: Op) -> dict[str, Any]:
        expected = self._versions.get(op.key, 0)
        changed = await client.set(path_of(op.key), encoded(op.value), version=expected)
        return self._noted(op, {**written(op.value, changed), "expected": expected})

    async def _read(self, client: Client, op: Op) -> dict[str, Any]:
        return self._noted(op, found(await client.get(path_of(op.key))))

    async def _sync_read(self, client: Client, op: Op) -> dict[str, Any]:
        await client.sync(path_of(op.key))
        return await self._read(client, op)

    def _noted(self, op: Op, value: dict[str, Any]) -> dict[str, Any]:
        self._versions[op.key] = value["version"]
        return value


def path_of(key: str) -> str:
    """The znode of a register."""
    return f"{ROOT}/{key}"


def encoded(value: int) -> bytes:
    """A number as a znode's data."""
    return b"%d" % value


def written(value: int, changed: Changed) -> dict[str, Any]:
    """What a history says of a change that was acknowledged."""
    stat = changed.stat
    return {"value": value, "version": stat.version, "mzxid": stat.mzxid, "zxid": changed.zxid}


def found(data: Data) -> dict[str, Any]:
    """What a history says of a read; the value is None as long as nothing was written."""
    value = int(data.data) if data.data else None
    stat = data.stat
    return {"value": value, "version": stat.version, "mzxid": stat.mzxid, "zxid": data.zxid}


def each_key(f: str) -> Generator:
    """``f`` on one register after another."""
    return numbered(lambda n: invoke(f, key=KEYS[n % len(KEYS)]))


def each_value(f: str, *, start: int = 0) -> Generator:
    """``f`` with a number that is never used again, on one register after another."""
    return numbered(lambda n: invoke(f, n, key=KEYS[n % len(KEYS)]), start=start)


def register(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    load = mix(
        each_value("write"),
        each_value("cas", start=_CAS_FROM),
        each_key("read"),
        each_key("read"),
        each_key("sync-read"),
    )
    return coordination_workload(
        "register",
        options,
        client=RegisterClient,
        generator=stagger(1 / options.rate, load),
        final=phases(
            until_ok(delay(RETRY_S, each_value("write", start=_FINAL_FROM))),
            *(each_until_ok(repeat(invoke("sync-read", key=key))) for key in KEYS),
        ),
        checker=all_of(
            zxid_order=zxid_order(), sessions=sessions(), progress=progress("write", "sync-read")
        ),
        progress=("write", "sync-read"),
        settings={"snapCount": SNAPSHOT_EVERY},
    )
