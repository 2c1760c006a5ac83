"""The shrinker's promises, on predicates that need no cluster."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.shrink import Case, ddmin, shrink, simpler_faults

FAULT = st.fixed_dictionaries(
    {
        "at_s": st.floats(0, 30, allow_nan=False),
        "kind": st.sampled_from(["kill", "clock", "partition"]),
        "nodes": st.lists(st.sampled_from(["n1", "n2", "n3"]), min_size=1, max_size=3, unique=True),
        "duration_s": st.floats(0, 30, allow_nan=False),
        "args": st.dictionaries(st.sampled_from(["offset_s", "rate"]), st.floats(-99, 99)),
    }
)


def case_of(*faults: dict[str, object]) -> Case:
    return Case(faults=faults, time_limit_s=30, concurrency=5)


@settings(derandomize=True, max_examples=200)
@given(st.sets(st.integers(0, 40), max_size=6), st.integers(0, 41))
def test_ddmin_finds_exactly_the_items_that_are_needed(needed: set[int], size: int) -> None:
    items = tuple(range(size))
    needed = needed & set(items)
    assert set(ddmin(items, lambda kept: needed <= set(kept))) == needed


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.frozensets(st.integers(0, 15), min_size=1, max_size=4), min_size=1, max_size=4))
def test_ddmin_is_one_minimal_whatever_the_causes(causes: list[frozenset[int]]) -> None:
    def fails(kept: tuple[int, ...]) -> bool:
        return any(cause <= set(kept) for cause in causes)

    kept = ddmin(tuple(range(16)), fails)
    assert fails(kept)
    assert not any(fails((*kept[:i], *kept[i + 1 :])) for i in range(len(kept)))


@settings(derandomize=True, max_examples=100)
@given(st.lists(FAULT, max_size=8), st.data())
def test_the_result_still_fails_and_no_fault_of_it_can_be_spared(faults, data) -> None:
    kinds = data.draw(st.sets(st.sampled_from([f["kind"] for f in faults] or ["none"])))
    limit_s = data.draw(st.floats(0, 30))

    def fails(case: Case) -> bool:
        present = {fault["kind"] for fault in case.faults}
        return present >= kinds & {f["kind"] for f in faults} and case.time_limit_s >= limit_s

    shrunk = shrink(case_of(*faults), fails, budget=2000)
    smallest = shrunk.case
    assert shrunk.complete
    assert fails(smallest)
    for position in range(len(smallest.faults)):
        rest = (*smallest.faults[:position], *smallest.faults[position + 1 :])
        assert not fails(replace(smallest, faults=rest))


@settings(derandomize=True, max_examples=100)
@given(st.lists(FAULT, min_size=1, max_size=8), st.integers(0, 40))
def test_no_more_runs_are_made_than_the_budget_allows(faults, budget: int) -> None:
    asked: list[Case] = []

    def fails(case: Case) -> bool:
        asked.append(case)
        return len(case.faults) % 2 == 1

    shrunk = shrink(case_of(*faults), fails, budget=budget)
    assert len(asked) == shrunk.runs <= budget
    assert len({case.key() for case in asked}) == len(asked)


@settings(derandomize=True, max_examples=200)
@given(FAULT)
def test_simplifying_a_fault_comes_to_an_end_and_keeps_its_kind(fault) -> None:
    steps = 0
    simplest = fault
    while (simpler := next(simpler_faults(simplest), None)) is not None:
        simplest, steps = simpler, steps + 1
        assert steps < 200
    assert simplest["kind"] == fault["kind"]
    assert len(simplest["nodes"]) == 1
    assert simplest["at_s"] == simplest["duration_s"] == 0


def test_a_failure_that_needs_no_fault_shrinks_to_none_and_to_a_small_workload() -> None:
    fault = {"at_s": 3.25, "kind": "kill", "nodes": ["n1"], "duration_s": 2.0, "args": {}}
    smallest = shrink(case_of(fault, fault), lambda case: case.ops is None or case.ops >= 3).case
    assert smallest == Case(faults=(), time_limit_s=1, concurrency=1, ops=4)


def test_magnitudes_become_round_and_small() -> None:
    fault = {"at_s": 7.313, "kind": "clock", "nodes": ["n1", "n2"], "args": {"offset_s": -17.318}}

    def fails(case: Case) -> bool:
        return any("n2" in f["nodes"] and f["args"]["offset_s"] <= -3 for f in case.faults)

    (simplest,) = shrink(case_of(fault), fails).case.faults
    assert simplest["nodes"] == ["n2"]
    assert simplest["at_s"] == 0
    assert simplest["args"]["offset_s"] in (-3, -4)
