import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.handed_out import ranks
from checkers.monotonic import monotonic
from history.history import OK
from impl.ids.uuid7 import layout
from tests.checkers.ids_history import Script

check = monotonic("next")


def test_growing_ids_are_valid() -> None:
    verdict = check(Script().next([1, 2]).next([5]).next([6, 9]).history(), {})
    assert verdict.valid is True
    assert verdict.counts["node-count"] == 1


def test_a_smaller_id_later_is_invalid_with_the_two_operations() -> None:
    verdict = check(Script().next([1]).next([7]).next([5]).history(), {})
    assert verdict.valid is False
    [anomaly] = verdict.anomalies
    assert (anomaly.name, anomaly.ops) == ("non-monotonic", (3, 5))
    assert anomaly.message == "n1 gave 7 (op 3) and then, asked after that, 5 (op 5)"


def test_the_same_id_again_is_not_growing() -> None:
    assert check(Script().next([1]).next([1]).history(), {}).valid is False


def test_operations_at_the_same_time_may_come_in_any_order() -> None:
    script = Script().invoke(0).invoke(1).ok(0, [9]).ok(1, [3])
    assert check(script.history(), {}).valid is True


def test_nodes_are_independent_of_each_other() -> None:
    assert check(Script().next([9], "n1").next([3], "n2").history(), {}).valid is True


def test_an_answer_out_of_order_is_invalid_by_itself() -> None:
    [anomaly] = check(Script().next([1, 4, 3, 2]).history(), {}).anomalies
    assert (anomaly.name, anomaly.ops, anomaly.details["ids"]) == ("non-monotonic", (1,), [4, 3])


def test_uuids_compare_as_numbers() -> None:
    low, high = layout(5, 1, 9), layout(5, 2, 0)
    assert check(Script().next(low).next(high).history(), {}).valid is True
    assert check(Script().next(high).next(low).history(), {}).valid is False


def test_without_an_id_nothing_is_known() -> None:
    assert check(Script().invoke(0).history(), {}).valid == "unknown"


def test_an_answer_without_a_node_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="op 1 does not say which node"):
        check(Script().next([1], None).history(), {})


@given(st.randoms(use_true_random=False), st.integers(1, 12))
@settings(derandomize=True, max_examples=300)
def test_it_agrees_with_comparing_all_pairs(source: random.Random, operations: int) -> None:
    script, waiting, numbers = Script(), list(range(operations)), list(range(operations * 2))
    running: list[int] = []
    while waiting or running:
        if waiting and (not running or source.random() < 0.5):
            running.append(waiting.pop(0))
            script.invoke(running[-1])
        else:
            process = running.pop(source.randrange(len(running)))
            value = numbers.pop(min(source.randrange(3), len(numbers) - 1))
            script.ok(process, [value], source.choice(("n1", "n2")))
    history = script.history()
    assert check(history, {}).valid is not _some_pair_is_wrong(history)


def _some_pair_is_wrong(history) -> bool:
    ops = history.operations()
    return any(
        ops.ret[a] < ops.call[b] and ops.node[a] == ops.node[b] and ops.value[a] >= ops.value[b]
        for x, y in combinations(ops.where(outcome=OK).tolist(), 2)
        for a, b in ((x, y), (y, x))
    )


@given(st.lists(st.integers(0, 2**128 - 1), min_size=1), st.booleans())
@settings(derandomize=True)
def test_ranks_keep_the_order_of_uuids_and_of_other_strings(numbers: list[int], uuids: bool) -> None:
    texts = [f"{n:032x}" for n in numbers]
    if uuids:
        texts = ["-".join((t[:8], t[8:12], t[12:16], t[16:20], t[20:])) for t in texts]
    found = ranks(texts).tolist()
    assert [(a < b, a == b) for a, b in combinations(found, 2)] == [
        (a < b, a == b) for a, b in combinations(texts, 2)
    ]
