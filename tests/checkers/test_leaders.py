"""One leader per epoch, and no commit outside of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.leaders import leaders
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(log: Log) -> Verdict:
    return leaders()(log.history(), {})


def leads(log: Log, node: str, epoch: int, *, process: int = 1) -> int:
    return log.done(process, "status", key=node, node=node, mode="leader", zxid=(epoch << 32) + 1)


def wrote(log: Log, epoch: int, counter: int) -> int:
    return log.done(2, "write", 1, zxid=(epoch << 32) + counter)


def test_leaders_of_growing_epochs_are_valid() -> None:
    log = Log()
    leads(log, "n1", 1)
    wrote(log, 1, 4)
    leads(log, "n2", 2)
    leads(log, "n1", 1)
    wrote(log, 2, 1)
    log.done(1, "status", key="n3", node="n3", mode="follower", zxid=(2 << 32) + 1)
    assert judged(log).valid is True


def test_without_a_leader_or_a_write_nothing_is_known() -> None:
    log = Log()
    wrote(log, 1, 1)
    assert judged(log).reason == "no server said that it leads"
    log = Log()
    leads(log, "n1", 1)
    assert judged(log).valid == "unknown"


def test_two_leaders_of_one_epoch_are_named() -> None:
    log = Log()
    first, second = leads(log, "n2", 7), leads(log, "n4", 7)
    wrote(log, 7, 1)
    verdict = judged(log)
    assert names(verdict) == ["two-leaders"]
    assert verdict.anomalies[0].message == f"epoch 7 has n2 (op {first}) and n4 (op {second})"


def test_a_server_does_not_lead_an_older_epoch_again() -> None:
    log = Log()
    leads(log, "n1", 3)
    leads(log, "n1", 2)
    wrote(log, 3, 1)
    assert names(judged(log)) == ["epoch-went-back"]


def test_a_commit_of_an_older_epoch_after_a_newer_leader_or_commit_is_outside() -> None:
    log = Log()
    leader = leads(log, "n1", 2)
    late = wrote(log, 1, 9)
    verdict = judged(log)
    assert names(verdict) == ["commit-outside-epoch"]
    assert verdict.anomalies[0].ops == (leader, late)
    log = Log()
    leads(log, "n1", 1)
    wrote(log, 2, 1)
    wrote(log, 1, 9)
    assert names(judged(log)) == ["commit-outside-epoch"]


def test_a_commit_that_was_under_way_may_be_older() -> None:
    log = Log()
    log.call(2, "write", 1)
    leads(log, "n1", 2)
    log.ret(2, zxid=(1 << 32) + 9)
    assert judged(log).valid is True


def goes_on(log: Log, *, every_ms: int, times: int) -> list[int]:
    """n1 says again and again that it leads epoch 1; the log has an event every millisecond."""
    found = []
    for _ in range(times):
        found.append(leads(log, "n1", 1))
        for _ in range(every_ms // 2 - 1):
            log.done(3, "status", key="n5", type_="fail", error="x")
    return found


def test_a_deposed_leader_that_goes_on_is_named_once_four_sync_limits_are_over() -> None:
    options = {"sync_limit_s": 0.010}
    for times, expected in ((9, []), (12, ["leader-goes-on"])):
        log = Log()
        leads(log, "n1", 1)
        wrote(log, 2, 1)
        newer = leads(log, "n2", 2)
        claims = goes_on(log, every_ms=4, times=times)
        verdict = leaders()(log.history(), options)
        assert names(verdict) == expected
        assert judged(log).valid is True
    assert verdict.anomalies[0].ops == (newer, claims[0], claims[-1])


def test_a_deposed_leader_that_was_silent_in_between_may_have_been_paused() -> None:
    log = Log()
    wrote(log, 2, 1)
    leads(log, "n2", 2)
    goes_on(log, every_ms=20, times=8)
    assert leaders()(log.history(), {"sync_limit_s": 0.010}).valid is True


STEPS = st.lists(
    st.tuples(st.sampled_from(["status", "write"]), st.integers(1, 4), st.booleans()),
    min_size=2,
    max_size=12,
)


@given(STEPS)
def test_real_time_and_epochs_are_judged_as_by_all_pairs(steps: list[tuple[str, int, bool]]) -> None:
    """Each operation is called in turn; it returns at once, or when the next one that does returns."""
    log = Log()
    spans: list[tuple[str, int, int, int]] = []
    open_: list[tuple[int, str, int, int]] = []
    for process, (f, epoch, stays) in enumerate(steps):
        open_.append((process, f, epoch, log.call(process, f, key=f"n{epoch}")))
        if not stays:
            spans += [_returned(log, *one) for one in open_]
            open_ = []
    verdict = judged(log)
    late = any(
        f == "write" and ret < call and before > epoch
        for _, before, _, ret in spans
        for f, epoch, call, _ in spans
    )
    if {f for f, *_ in spans} == {"status", "write"}:
        assert ("commit-outside-epoch" in names(verdict)) == late
        assert set(names(verdict)) <= {"commit-outside-epoch"}
    else:
        assert verdict.valid == "unknown"


def _returned(log: Log, process: int, f: str, epoch: int, call: int) -> tuple[str, int, int, int]:
    """Epoch e is led by server e alone."""
    zxid = (epoch << 32) + process + 1
    if f == "status":
        ret = log.ret(process, node=f"n{epoch}", mode="leader", zxid=zxid)
    else:
        ret = log.ret(process, zxid=zxid)
    return f, epoch, call, ret
