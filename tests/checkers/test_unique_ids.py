import pytest

from checkers.unique_ids import unique_ids
from tests.checkers.ids_history import Script

check = unique_ids("next")


def test_different_ids_are_valid_and_counted_under_jepsen_s_keys() -> None:
    verdict = check(Script().next([5, 3]).next([9], "n2").history(), {})
    assert verdict.valid is True
    assert dict(verdict.counts) == {
        "attempted-count": 3,
        "acknowledged-count": 3,
        "duplicated-count": 0,
        "duplicated": {},
        "range": [3, 9],
    }


def test_one_id_twice_is_invalid_with_the_two_operations() -> None:
    verdict = check(Script().next([5, 3]).next([9], "n2").next([3], "n3").history(), {})
    assert verdict.valid is False
    assert verdict.counts["duplicated"] == {3: 2}
    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.ops) == ("duplicated", (1, 5))
    assert anomaly.message == "ID 3 was handed out 2 times, by n1 (op 1) and again by n3 (op 5)"


def test_one_id_twice_in_one_answer_is_proven_by_one_operation() -> None:
    [anomaly] = check(Script().next([3, 3]).history(), {}).anomalies
    assert anomaly.ops == (1,)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), (1, 2), (2**80, 2**80 + 1)])
def test_single_values_strings_and_large_numbers_will_do(first: object, second: object) -> None:
    assert check(Script().next(first).next(second).history(), {}).valid is True
    assert check(Script().next(first).next(second).next(first).history(), {}).valid is False


def test_what_is_not_known_to_have_happened_is_ignored() -> None:
    script = Script().next([1]).invoke(1)
    script.event(1, "info", "next", [1]).invoke(2).event(2, "fail", "next", [1])
    verdict = check(script.history(), {})
    assert verdict.valid is True
    assert verdict.counts["attempted-count"] == 3


def test_the_worst_come_first_and_no_more_than_48() -> None:
    script = Script().next([7])
    for _ in range(2):
        script.next([*range(100, 160), 7])
    verdict = check(script.history(), {})
    assert verdict.counts["duplicated-count"] == 61
    assert len(verdict.counts["duplicated"]) == 48
    assert next(iter(verdict.counts["duplicated"].items())) == (7, 3)
    assert len(verdict.anomalies) == 8


@pytest.mark.parametrize("script", [Script(), Script().invoke(0), Script().next([])])
def test_without_an_id_nothing_is_known(script: Script) -> None:
    verdict = check(script.history(), {})
    assert verdict.valid == "unknown"
    assert verdict.reason == "no operation 'next' succeeded, so no ID was handed out"


@pytest.mark.parametrize("value", [None, [1, "a"], [None], 1.5, True])
def test_what_is_no_id_is_not_passed_over(value: object) -> None:
    with pytest.raises(ValueError, match="must be all integers or all strings"):
        check(Script().next([1] if value is None else value).next(value).history(), {})
