"""Suffixes: never twice, in the order of creation by zxid and in real time."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checkers.sequences import sequences
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(log: Log) -> Verdict:
    return sequences()(log.history(), {})


def name_of(suffix: int) -> str:
    return f"s-{suffix:010}"


def made(log: Log, process: int, suffix: int, czxid: int) -> int:
    return log.done(process, "create", name=name_of(suffix), suffix=suffix, czxid=czxid)


def test_growing_suffixes_with_gaps_are_valid() -> None:
    log = Log()
    made(log, 1, 0, 10)
    made(log, 2, 2, 12)
    log.done(1, "list", names=[name_of(0), name_of(1), name_of(2)])
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts == {"create-count": 2, "gap-count": 1}


def test_one_creation_has_no_order() -> None:
    log = Log()
    made(log, 1, 0, 10)
    assert judged(log).valid == "unknown"
    assert judged(Log()).valid == "unknown"


def test_a_suffix_given_twice_is_named() -> None:
    log = Log()
    first, second = made(log, 1, 4, 10), made(log, 2, 4, 11)
    verdict = judged(log)
    assert names(verdict) == ["duplicated"]
    assert verdict.anomalies[0].ops == (first, second)


def listed(log: Log, process: int, zxid: int, *there: str) -> int:
    return log.done(process, "list", names=list(there), zxid=zxid)


def test_what_was_there_in_one_state_and_is_not_in_a_later_one_vanished() -> None:
    """Made by an operation that was never answered, so that it cannot count as lost."""
    log = Log()
    made(log, 1, 0, 10)
    made(log, 1, 1, 11)
    before = listed(log, 2, 12, name_of(0), name_of(1), name_of(2))
    after = listed(log, 2, 13, name_of(0), name_of(1))
    verdict = judged(log)
    assert names(verdict) == ["vanished"]
    assert verdict.anomalies[0].ops == (before, after)
    assert name_of(2) in verdict.anomalies[0].message


def test_it_is_states_and_not_answers_that_are_in_order() -> None:
    """The second server is behind, and the second list was called before the creation had returned."""
    log = Log()
    made(log, 1, 0, 10)
    log.call(1, "create")
    listed(log, 2, 12, name_of(0), name_of(1))
    listed(log, 2, 10, name_of(0))
    log.ret(1, name=name_of(1), suffix=1, czxid=11)
    assert judged(log).valid is True


def test_what_was_to_be_deleted_does_not_vanish_whatever_became_of_that() -> None:
    for answered in (True, False):
        log = Log()
        made(log, 1, 0, 10)
        made(log, 1, 1, 11)
        listed(log, 2, 12, name_of(0), name_of(1))
        if answered:
            log.done(1, "delete", name=name_of(1))
        else:
            log.done(1, "delete", type_="info", error="no answer")
        listed(log, 2, 14, name_of(0))
        assert judged(log).valid is True
    log = Log()
    made(log, 1, 0, 10)
    made(log, 1, 1, 11)
    listed(log, 2, 12, name_of(0), name_of(1))
    log.done(3, "delete", type_="info", error="no answer")
    listed(log, 2, 14, name_of(0))
    assert names(judged(log)) == ["lost-create", "vanished"]


def test_a_delete_that_was_refused_excuses_nothing() -> None:
    log = Log()
    made(log, 1, 0, 10)
    made(log, 1, 1, 11)
    listed(log, 2, 12, name_of(0), name_of(1))
    log.done(1, "delete", type_="fail", error="no session")
    listed(log, 2, 14, name_of(0))
    assert names(judged(log)) == ["lost-create", "vanished"]


def test_a_list_that_does_not_say_of_which_state_it_is_shows_nothing_that_could_vanish() -> None:
    log = Log()
    made(log, 1, 0, 10)
    made(log, 1, 1, 11)
    log.done(2, "list", names=[name_of(0), name_of(1), name_of(2)])
    listed(log, 2, 12, name_of(0), name_of(1))
    assert judged(log).valid is True


def pair_of(n: int, czxid: int, suffix: int = 0) -> list[dict[str, Any]]:
    return [
        {"name": f"p{n}-{half}-{suffix + place:010}", "suffix": suffix + place, "czxid": czxid}
        for place, half in enumerate("ab")
    ]


def test_both_of_a_pair_or_neither_is_valid() -> None:
    log = Log()
    made_ = pair_of(1, 10)
    log.done(1, "pair", 1, made=made_)
    log.done(1, "pair", 3, type_="fail", error="bad-version")
    log.done(1, "pair", 4, type_="info", error="no answer")
    both = [each["name"] for each in made_]
    listed(log, 2, 10, *both)
    listed(log, 2, 12, *both, *(each["name"] for each in pair_of(4, 12, 2)))
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts["create-count"] == 2


def test_one_of_a_pair_alone_is_half_applied_answered_or_not() -> None:
    for type_ in ("info", "fail"):
        log = Log()
        made(log, 1, 0, 10)
        made(log, 1, 1, 11)
        pair = log.call(1, "pair", 4)
        log.ret(1, type_, error="bad-version")
        seen = listed(log, 2, 12, name_of(0), name_of(1), pair_of(4, 12, 2)[0]["name"])
        verdict = judged(log)
        assert names(verdict) == ["half-applied"]
        assert verdict.anomalies[0].ops == (pair, seen)


def test_a_pair_that_was_refused_and_is_there_is_half_applied() -> None:
    log = Log()
    made(log, 1, 0, 10)
    made(log, 1, 1, 11)
    log.done(1, "pair", 3, type_="fail", error="bad-version")
    both = [each["name"] for each in pair_of(3, 12, 2)]
    listed(log, 2, 12, name_of(0), name_of(1), *both)
    verdict = judged(log)
    assert names(verdict) == ["half-applied"]
    assert "which was refused" in verdict.anomalies[0].message


def test_the_later_znode_has_the_greater_suffix() -> None:
    log = Log()
    log.call(1, "create")
    log.call(2, "create")
    second = log.ret(1, name=name_of(4), suffix=4, czxid=11)
    first = log.ret(2, name=name_of(5), suffix=5, czxid=10)
    verdict = judged(log)
    assert names(verdict) == ["sequence-order"]
    assert verdict.anomalies[0].ops == (first, second)


def test_who_is_called_after_another_returned_gets_the_greater_suffix() -> None:
    log = Log()
    first, second = made(log, 1, 5, 10), made(log, 2, 4, 9)
    verdict = judged(log)
    assert names(verdict) == ["nonlinearizable-create"]
    assert verdict.anomalies[0].ops == (first, second)


def test_what_was_acknowledged_is_listed_unless_somebody_may_have_deleted_it() -> None:
    for deleted, expected in ((None, ["lost-create"]), ("ok", []), ("info", [])):
        log = Log()
        made(log, 1, 0, 10)
        made(log, 1, 1, 11)
        if deleted is not None:
            log.done(2, "delete", name=name_of(0), type_=deleted)
        log.done(3, "list", names=[name_of(1)])
        assert names(judged(log)) == expected


def test_a_list_that_was_called_before_need_not_show_it() -> None:
    log = Log()
    made(log, 1, 0, 10)
    log.call(3, "list")
    made(log, 1, 1, 11)
    log.ret(3, names=[name_of(0)])
    assert judged(log).valid is True


@given(st.permutations(range(6)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_real_time_is_kept_exactly_when_no_pair_contradicts_it(
    suffixes: list[int], overlap: list[bool]
) -> None:
    log = Log()
    spans: list[tuple[int, int, int]] = []
    open_: list[tuple[int, int, int]] = []
    for process, (suffix, stays) in enumerate(zip(suffixes, overlap, strict=True)):
        open_.append((process, suffix, log.call(process, "create")))
        if not stays:
            for each, number, call in open_:
                spans.append(
                    (number, call, log.ret(each, name=name_of(number), suffix=number, czxid=number))
                )
            open_ = []
    contradicted = any(
        first > second and ret < call for first, _, ret in spans for second, call, _ in spans
    )
    if len(spans) < 2:
        assert judged(log).valid == "unknown"
    else:
        assert ("nonlinearizable-create" in names(judged(log))) == contradicted
        assert set(names(judged(log))) <= {"nonlinearizable-create"}
