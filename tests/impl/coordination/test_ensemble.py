"""Replication: what a server that was away is given, who may lead, and when a leader stops."""

from __future__ import annotations

import asyncio
import re

import pytest

from cluster.sim.cluster import SimCluster
from impl.coordination.txns import epoch_of
from tests.impl.coordination.rawclient import Failed
from tests.impl.coordination.simensemble import Ensemble, simulate

GONE = (OSError, asyncio.IncompleteReadError, TimeoutError)


def ways(cluster: SimCluster, server: int) -> list[str]:
    """How ``server`` was synchronised, each time."""
    logs = "".join(cluster.logs().values())
    return re.findall(rf"server {server} at \S+ gets (\w+)", logs)


def test_a_server_that_missed_a_little_gets_what_it_missed() -> None:
    away = ""

    async def scenario(ensemble: Ensemble) -> None:
        nonlocal away
        away, home = await ensemble.followers()
        client = await ensemble.connect(home)
        await client.create("/a")
        await ensemble.cluster.kill(away)
        for number in range(20):
            await client.set("/a", b"%d" % number)
        await ensemble.cluster.restart(away)
        await ensemble.settle()

    cluster = simulate(scenario)
    assert ways(cluster, int(away[1:])) == ["DIFF", "DIFF"]


def test_a_server_that_missed_much_gets_a_snapshot() -> None:
    away = ""

    async def scenario(ensemble: Ensemble) -> None:
        nonlocal away
        away, home = await ensemble.followers()
        client = await ensemble.connect(home)
        await client.create("/a")
        await ensemble.cluster.kill(away)
        for number in range(200):
            await client.set("/a", b"%d" % number)
        await ensemble.cluster.restart(away)
        await ensemble.settle()
        assert (await (await ensemble.connect(away)).get("/a")).data == b"199"

    cluster = simulate(scenario, settings={"snapCount": 20})
    assert ways(cluster, int(away[1:])) == ["DIFF", "SNAP"]


def test_a_leader_cut_off_with_a_proposal_forgets_it_when_it_comes_back() -> None:
    deposed = ""

    async def scenario(ensemble: Ensemble) -> None:
        nonlocal deposed
        deposed = await ensemble.leader()
        others = await ensemble.followers()
        client = await ensemble.connect(deposed)
        await client.create("/a", b"old")
        links = [(a, b) for node in others for a, b in ((node, deposed), (deposed, node))]
        await ensemble.cluster.cut(links)
        with pytest.raises(GONE):
            await client.set("/a", b"never")

        async def elsewhere() -> bool:
            return (await ensemble.cluster.primaries())[0] != deposed

        await ensemble.until(elsewhere)
        other = await ensemble.connect(others[0])
        await other.set("/a", b"new")
        await ensemble.cluster.heal(links)
        await ensemble.settle()
        assert (await (await ensemble.connect(deposed)).get("/a")).data == b"new"

    cluster = simulate(scenario)
    assert ways(cluster, int(deposed[1:])) == ["TRUNC"]


def test_a_leader_that_loses_its_quorum_stops_serving_within_the_sync_limit() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        leader = await ensemble.leader()
        client = await ensemble.connect(leader)
        for node in await ensemble.followers():
            await ensemble.cluster.pause(node)
        await asyncio.sleep(1.5)
        assert "not currently serving" in await ensemble.word(leader, "srvr")
        with pytest.raises(GONE):
            await client.get("/")

    simulate(scenario)


def test_a_minority_serves_nobody_and_is_well_all_the_same() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        for node in ("n2", "n3"):
            await ensemble.cluster.power_off(node)
        await asyncio.sleep(3)
        assert await ensemble.word("n1", "ruok") == "imok"
        assert await ensemble.word("n1", "isro") == "null"
        with pytest.raises(GONE):
            await ensemble.connect("n1")

    simulate(scenario)


def test_a_minority_lets_those_read_who_ask_for_no_more() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        await client.create("/a", b"x")
        await ensemble.settle()
        for node in ("n2", "n3"):
            await ensemble.cluster.kill(node)
        await asyncio.sleep(4)
        assert await ensemble.word("n1", "isro") == "ro"
        with pytest.raises(GONE):
            await ensemble.connect("n1")
        reader = await ensemble.connect("n1", read_only=True)
        assert reader.read_only
        assert (await reader.get("/a")).data == b"x"
        with pytest.raises(Failed, match="-119"):
            await reader.set("/a", b"y")
        await ensemble.cluster.restart("n2")
        with pytest.raises(GONE):
            await reader.frame()

    simulate(scenario, settings={"readonlymode.enabled": "true"})


def test_a_new_epoch_begins_before_the_counter_of_the_old_one_runs_over() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        await client.create("/a")
        made = 0
        while made < 40:
            try:
                await client.create("/a/s-", flags=2)
                made += 1
            except GONE:

                async def back() -> bool:
                    nonlocal client
                    client = await ensemble.resume("n1", client)
                    return client.session != 0

                await ensemble.until(back)
        assert epoch_of(client.zxid) >= 4
        names = await client.children("/a")
        assert 40 <= len(names) <= 44
        await ensemble.settle()

    simulate(scenario, settings={"maxCounter": 12})


def test_an_observer_serves_and_does_not_count_for_a_quorum() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        await ensemble.settle()
        assert (await ensemble.say("n4", "mntr"))["zk_server_state"] == "observer"
        client = await ensemble.connect("n4")
        await client.create("/a", b"x")
        for node in ("n1", "n2"):
            await ensemble.cluster.kill(node)
        await asyncio.sleep(3)
        for node in ("n3", "n4"):
            assert "not currently serving" in await ensemble.word(node, "srvr")
        await ensemble.cluster.restart("n1")

        async def back() -> bool:
            nonlocal client
            client = await ensemble.resume("n4", client)
            return (await client.get("/a")).data == b"x"

        await ensemble.until(back)

    simulate(scenario, servers=4, observers=("n4",))


def test_all_that_was_acknowledged_survives_a_power_cut_of_all() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        for number in range(100):
            await client.create(f"/{number}")
        for node in ensemble.cluster.nodes:
            await ensemble.cluster.power_off(node)
        for node in ensemble.cluster.nodes:
            await ensemble.cluster.restart(node)
        await ensemble.settle()
        names = await (await ensemble.connect("n1")).children("/")
        assert set(map(str, range(100))) <= set(names)

    simulate(scenario, settings={"snapCount": 40})


@pytest.mark.parametrize("late_s", [0.1, 0.12, 0.14, 0.16])
def test_servers_that_have_found_a_leader_do_not_wait_for_it_when_it_follows_another(late_s) -> None:
    """n1 finds n2 by the first two votes; n2, which hears n1 later, has heard of n3 by then."""

    async def scenario(ensemble: Ensemble) -> None:
        for node in ensemble.cluster.nodes:
            await ensemble.cluster.kill(node)
        await asyncio.sleep(1)
        await ensemble.cluster.slow([("n1", "n2")], 0.04)
        await ensemble.cluster.restart("n1")
        await ensemble.cluster.restart("n2")
        await asyncio.sleep(late_s)
        await ensemble.cluster.restart("n3")
        began_s = asyncio.get_running_loop().time()
        await ensemble.settle()
        assert asyncio.get_running_loop().time() - began_s < 0.6
        assert await ensemble.leader() == "n3"

    simulate(scenario)


def test_a_server_with_a_damaged_log_does_not_come_back_and_says_why() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        for number in range(30):
            await client.create(f"/{number}")
        victim = (await ensemble.followers())[0]
        await ensemble.settle()
        await ensemble.cluster.kill(victim)
        files = ensemble.cluster.machine(victim).disk._files
        log = next(file for name, file in files.items() if name.startswith("log.1"))
        log.data[len(log.data) // 2] ^= 1
        await ensemble.cluster.restart(victim)
        await asyncio.sleep(2)
        assert not (await ensemble.cluster.process_state(victim)).running
        assert "this server will not vote" in ensemble.cluster.logs()[victim]

    simulate(scenario)


def test_the_same_seed_gives_the_same_run() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n2")
        await client.create("/a")
        await ensemble.cluster.kill(await ensemble.leader())
        await asyncio.sleep(2)

    assert simulate(scenario, seed=5).digest() == simulate(scenario, seed=5).digest()
