"""An ensemble in the simulator under a random schedule, and what must hold whatever happens to it.

Writers put growing numbers into a register of their own and create znodes; what was acknowledged is
kept. Readers sync and read. In the end everything is healed, all servers must serve, hold the same
state, and that state must have all that was acknowledged.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

from cluster.sim.cluster import SimCluster
from cluster.systems.coordination import ask, coordination_system
from history.jsonl import Recorder
from impl.coordination.protocol.errors import Code
from impl.coordination.server import serve
from nemesis.conductor import run_schedule
from nemesis.fault import Schedule
from nemesis.schedule import draw
from tests.impl.coordination.rawclient import Failed, RawClient

KINDS = ("partition", "kill", "power", "pause", "clock-bump", "slow", "lose", "terminate")
BROKEN = (OSError, asyncio.IncompleteReadError, TimeoutError)
_LEADING = re.compile(r"leading epoch (\d+) ")


@dataclass
class Outcome:
    """What a run came to; ``wrong`` has a sentence for each thing that must not be."""

    wrong: list[str] = field(default_factory=list)
    acknowledged: int = 0
    maybe: int = 0
    reads: int = 0
    epochs: dict[int, list[str]] = field(default_factory=dict)
    cluster: Any = None


class Client:
    """A session that moves from server to server and never believes an older zxid."""

    def __init__(self, cluster: SimCluster, number: int, outcome: Outcome) -> None:
        self.cluster, self.number, self.outcome = cluster, number, outcome
        self.raw: RawClient | None = None
        self.session, self.password, self.zxid = 0, bytes(16), 0
        self.turn = number
        self.versions: dict[str, int] = {}

    async def ask(self, call: Any, limit_s: float = 2.0) -> Any:
        """``call(raw)``, connected first if need be. Raises one of ``BROKEN``, or Failed."""
        try:
            async with asyncio.timeout(limit_s):
                if self.raw is None:
                    await self._connect()
                assert self.raw is not None
                result = await call(self.raw)
        except BROKEN:
            self._lost()
            raise
        except Failed as failed:
            self._note(failed.zxid)
            if failed.code in (Code.SESSION_EXPIRED, Code.SESSION_MOVED):
                self._lost(forget=True)
            raise
        self._note(self.raw.zxid)
        return result

    def _note(self, zxid: int) -> None:
        if zxid < self.zxid:
            self.outcome.wrong.append(f"session {self.session:#x} went from {self.zxid:#x} to {zxid:#x}")
        self.zxid = max(zxid, self.zxid)

    async def _connect(self) -> None:
        nodes = self.cluster.nodes
        self.turn = (self.turn + 1) % len(nodes)
        endpoint = self.cluster.endpoint(nodes[self.turn])
        self.raw = await RawClient.connect(
            *endpoint, session=self.session, password=self.password, last_zxid=self.zxid
        )
        if not self.raw.session:
            self._lost(forget=True)
            raise ConnectionResetError("the session has expired")
        self.session, self.password = self.raw.session, self.raw.password

    def _lost(self, *, forget: bool = False) -> None:
        if self.raw is not None:
            self.raw.drop()
        self.raw = None
        if forget:
            self.session, self.password, self.zxid = 0, bytes(16), 0


class Truth:
    """What clients were told: the highest number acknowledged, by register, and znodes created."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.attempted: dict[str, int] = {}
        self.created: dict[str, None] = {}


async def writer(client: Client, truth: Truth, until_s: float) -> None:
    """Numbers into a register of its own, and a znode for each."""
    loop, path, number = asyncio.get_running_loop(), f"/r{client.number}", 0
    while loop.time() < until_s:
        number += 1
        data, target = b"%d" % number, path if number % 3 else f"{path}-{number}"
        try:
            if number % 3 == 0:
                await client.ask(lambda raw, target=target: raw.create(target))
                truth.created[target] = None
            else:
                truth.attempted[path] = number
                await client.ask(lambda raw, data=data: raw.set(path, data))
                truth.acknowledged[path] = number
            client.outcome.acknowledged += 1
        except BROKEN:
            client.outcome.maybe += 1
            await asyncio.sleep(0.05)
        except Failed as failed:
            if failed.code not in (Code.SESSION_EXPIRED, Code.SESSION_MOVED):
                client.outcome.wrong.append(f"{target}: unexpected error {failed.code}")
        await asyncio.sleep(0.01)


async def reader(client: Client, truth: Truth, until_s: float) -> None:
    """Sync and read: no acknowledged number may be missing."""
    loop, turn = asyncio.get_running_loop(), 0
    while loop.time() < until_s:
        turn += 1
        path = f"/r{turn % 3}"
        known = truth.acknowledged.get(path, 0)
        try:
            await client.ask(lambda raw: raw.sync())
            got = int((await client.ask(lambda raw, path=path: raw.get(path))).data or b"0")
            client.outcome.reads += 1
            if not known <= got <= truth.attempted.get(path, 0):
                client.outcome.wrong.append(f"{path} read {got} after {known} was acknowledged")
        except BROKEN:
            await asyncio.sleep(0.05)
        except Failed as failed:
            if failed.code not in (Code.SESSION_EXPIRED, Code.SESSION_MOVED):
                client.outcome.wrong.append(f"reading {path}: unexpected error {failed.code}")
        await asyncio.sleep(0.02)


def drawn(seed: int, nodes: tuple[str, ...], kinds: tuple[str, ...], time_s: float) -> Schedule:
    """A fault every two seconds, of whoever leads as well."""
    targets = ("one", "minority", "majority", "all", "primaries")
    return draw(seed, kinds=kinds, nodes=nodes, time_limit_s=time_s, interval_s=2.0, targets=targets)


def run(
    seed: int,
    *,
    servers: int = 3,
    time_s: float = 20.0,
    kinds: tuple[str, ...] = KINDS,
    program: Any = serve,
    schedule: Schedule | None = None,
    settings: dict[str, Any] | None = None,
    observers: tuple[str, ...] = (),
) -> Outcome:
    """One run; everything that happens in it follows from the arguments."""
    nodes = tuple(f"n{number}" for number in range(1, servers + 1))
    options = {"snapCount": 60, **(settings or {})}
    system = coordination_system(nodes=nodes, program=program, settings=options, observers=observers)
    cluster = SimCluster(system, nodes=nodes, seed=seed)
    faults = schedule if schedule is not None else drawn(seed, nodes, kinds, time_s)
    outcome = Outcome(cluster=cluster)
    cluster.run(lambda: _main(cluster, outcome, faults, time_s))
    for node, log in cluster.logs().items():
        for epoch in map(int, _LEADING.findall(log)):
            outcome.epochs.setdefault(epoch, []).append(node)
        if "Traceback" in log or "Error:" in log:
            outcome.wrong.append(f"{node} crashed: {log[log.find('Traceback') :][-1500:]}")
    for epoch, leaders in outcome.epochs.items():
        if len(leaders) > 1:
            outcome.wrong.append(f"epoch {epoch} has the leaders {leaders}")
    return outcome


async def _main(cluster: SimCluster, outcome: Outcome, faults: Schedule, time_s: float) -> None:
    await cluster.start()
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    truth = Truth()
    clients = [Client(cluster, number, outcome) for number in range(5)]
    for number in range(3):
        await clients[number].ask(lambda raw, number=number: raw.create(f"/r{number}", b"0"))
    recorder = Recorder(None, lambda: int((loop.time() - start_s) * 1e9))
    until_s = start_s + time_s
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_schedule(faults, cluster, recorder))
        for number in range(3):
            tasks.create_task(writer(clients[number], truth, until_s))
        for number in (3, 4):
            tasks.create_task(reader(clients[number], truth, until_s))
    for node in cluster.nodes:
        await cluster.restart(node)
        await cluster.resume(node)
    await _judge(cluster, outcome, truth, clients)


async def _judge(cluster: SimCluster, outcome: Outcome, truth: Truth, clients: list[Client]) -> None:
    states = await _settled(cluster, outcome)
    if len({(state.get("zk_last_zxid"), state.get("zk_digest")) for state in states.values()}) != 1:
        outcome.wrong.append(f"the servers differ: {states}")
    client = Client(cluster, 9, outcome)
    for path, number in truth.acknowledged.items():
        got = int((await _patiently(client, lambda raw, path=path: raw.get(path))).data)
        if not number <= got <= truth.attempted[path]:
            outcome.wrong.append(f"{path} is {got} in the end, and {number} was acknowledged")
    names = await _patiently(client, lambda raw: raw.children("/"))
    lost = [path for path in truth.created if path[1:] not in names]
    if lost:
        outcome.wrong.append(f"acknowledged and lost: {lost}")


async def _patiently(client: Client, call: Any) -> Any:
    for _ in range(20):
        try:
            return await client.ask(call)
        except (*BROKEN, Failed):
            await asyncio.sleep(0.2)
    raise AssertionError("no server answers in the end")


async def _settled(cluster: SimCluster, outcome: Outcome) -> dict[str, dict[str, str]]:
    """What each server says once all have the same zxid twice in a row, or after a minute."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + 60
    before: Any = None
    while True:
        states = {}
        for node in cluster.nodes:
            try:
                answer = await ask(cluster.endpoint(node), "mntr")
                states[node] = dict(line.split("\t", 1) for line in answer.splitlines() if "\t" in line)
            except (OSError, TimeoutError):
                states[node] = {}
        digests = {node: state.get("zk_digest") for node, state in states.items()}
        if len(set(digests.values())) == 1 and None not in digests.values() and digests == before:
            return states
        before = digests
        if loop.time() > deadline_s:
            outcome.wrong.append(f"not settled within a minute: {digests}")
            return states
        await asyncio.sleep(0.5)
