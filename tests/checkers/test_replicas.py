"""Servers that have applied the same changes are the same."""

from __future__ import annotations

from checkers.replicas import replicas
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(log: Log) -> Verdict:
    return replicas()(log.history(), {})


def state(log: Log, node: str, zxid: int, digest: str) -> int:
    return log.done(1, "state", key=node, node=node, zxid=zxid, digest=digest)


def test_one_digest_for_each_zxid_is_valid() -> None:
    log = Log()
    state(log, "n1", 5, "a")
    state(log, "n2", 5, "a")
    state(log, "n3", 4, "b")
    log.done(1, "state", key="n4", type_="fail", error="n4 does not serve")
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts == {"state-count": 3, "compared-count": 1, "server-count": 2}


def test_servers_that_were_never_at_the_same_zxid_cannot_be_compared() -> None:
    log = Log()
    assert judged(log).valid == "unknown"
    state(log, "n1", 5, "a")
    state(log, "n1", 5, "a")
    state(log, "n2", 6, "b")
    assert judged(log).valid == "unknown"


def test_two_digests_of_one_zxid_differ_also_on_one_server() -> None:
    for node in ("n2", "n1"):
        log = Log()
        first = state(log, "n1", 5, "a")
        state(log, "n3", 5, "a")
        second = state(log, node, 5, "b")
        verdict = judged(log)
        assert names(verdict) == ["replicas-differ"]
        assert verdict.anomalies[0].ops == (first, second)
        assert f"{node} is b (op {second})" in verdict.anomalies[0].message
