"""Whom a failover wakes: all of a herd, one of a chain."""

from __future__ import annotations

from checkers.elections import wakes
from checkers.verdict import Verdict
from tests.checkers.log import Log, names

S = 1_000_000_000


def judged(log: Log, *, chain: bool = False) -> Verdict:
    return wakes(at_most_one=chain)(log.history(), {})


def leads(log: Log, process: int, token: int, from_s: int, until_s: int, path: str) -> int:
    begun = {"token": token, "from_ns": from_s * S, "path": path}
    log.done(process, "campaign", **begun)
    return log.done(process, "resign", **begun, until_ns=until_s * S)


def woken(log: Log, process: int, at_s: float, path: str) -> int:
    return log.done(process, "campaign", type_="fail", error="x", woken=[[int(at_s * S), path]])


def test_a_chain_wakes_one_and_a_herd_all() -> None:
    log = Log()
    leads(log, 1, 7, 1, 2, "/election/a1")
    woken(log, 2, 2.1, "/election/a1")
    leads(log, 2, 8, 3, 4, "/election/a2")
    verdict = judged(log, chain=True)
    assert (verdict.valid, verdict.counts["woken-most"], verdict.counts["woken-mean"]) == (True, 1, 1.0)
    log = Log()
    leads(log, 1, 7, 1, 2, "/election/leader")
    for process in (2, 3, 4):
        woken(log, process, 2.1, "/election")
    leads(log, 2, 8, 3, 4, "/election/leader")
    verdict = judged(log)
    assert (verdict.valid, verdict.counts["woken-most"]) == (True, 3)


def test_one_znode_that_wakes_two_clients_of_a_chain_is_a_herd() -> None:
    log = Log()
    leads(log, 1, 7, 1, 2, "/election/a1")
    first, second = woken(log, 2, 2.1, "/election/a1"), woken(log, 3, 2.2, "/election/a1")
    leads(log, 2, 8, 3, 4, "/election/a2")
    verdict = judged(log, chain=True)
    assert names(verdict) == ["herd"]
    assert verdict.anomalies[0].ops == (first, second)
    assert judged(log).valid is True


def test_who_is_told_of_another_znode_is_not_woken_by_the_failover() -> None:
    log = Log()
    leads(log, 1, 7, 1, 2, "/election/a1")
    woken(log, 2, 2.1, "/election/a1")
    woken(log, 3, 2.1, "/election/a5")
    woken(log, 4, 1.5, "/election")
    leads(log, 2, 8, 3, 4, "/election/a2")
    assert judged(log, chain=True).counts["woken-most"] == 1


def test_a_process_that_is_told_twice_is_one() -> None:
    log = Log()
    leads(log, 1, 7, 1, 2, "/e/leader")
    woken(log, 2, 2.1, "/e")
    woken(log, 2, 2.2, "/e")
    leads(log, 2, 8, 3, 4, "/e/leader")
    assert judged(log).counts["woken-most"] == 1


def test_without_a_failover_that_wakes_somebody_nothing_is_known() -> None:
    log = Log()
    leads(log, 1, 7, 1, 2, "/e/leader")
    woken(log, 2, 2.1, "/e")
    assert judged(log).reason == "there was no failover"
    log = Log()
    leads(log, 1, 7, 1, 2, "/e/leader")
    leads(log, 2, 8, 3, 4, "/e/leader")
    verdict = judged(log)
    assert (verdict.valid, verdict.reason) == ("unknown", "no failover woke anybody")
