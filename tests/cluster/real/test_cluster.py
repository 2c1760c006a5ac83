"""The verbs of ``cluster.api.Cluster`` on real kernels, each measured where it acts."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.api import VERBS
from tests.support.realclusters import BACKENDS, facts_of, require

EXACT_S = 0.02


@pytest.fixture(scope="module", params=BACKENDS)
def facts(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What one run of all verbs saw."""
    require(request.param)
    return facts_of("tests.cluster.real.verbs", request.param)


def test_it_claims_the_verbs_it_can_do_and_no_power_cut(facts: dict[str, Any]) -> None:
    assert set(facts["verbs"]) == set(VERBS) - {"power_off", "slow"}


def test_a_cut_drops_what_one_node_sends_to_another_and_nothing_else(facts: dict[str, Any]) -> None:
    links = facts["links"]
    assert links["n1 misses n2"]
    assert links["n1 sees n3"]
    assert links["n3 sees both"]
    assert links["dropped there"] > 0
    assert links["dropped back"] == 0


def test_healing_takes_rules_away_and_keeps_what_they_counted(facts: dict[str, Any]) -> None:
    links = facts["links"]
    assert links["n1 sees n2 again"]
    assert links["dropped in all"] >= links["dropped there"]


@pytest.mark.parametrize("link", ["client to n3", "n3 to client"])
def test_the_clients_machine_can_be_cut_off_in_either_direction(
    facts: dict[str, Any], link: str
) -> None:
    assert facts["links"][f"{link} is cut"]
    assert facts["links"][f"{link} dropped"] > 0
    assert facts["links"]["clients reach n3 again"]


def test_losing_drops_some_packets_until_it_is_taken_back(facts: dict[str, Any]) -> None:
    assert facts["links"]["lost"] > 0
    assert facts["links"]["all is well"]


def test_process_verbs_may_come_in_any_order_and_say_what_the_kernel_shows(
    facts: dict[str, Any],
) -> None:
    assert facts["processes"]["states"][:-2] == [
        ["resume", True, False, 1],
        ["restart", True, False, 1],
        ["pause", True, True, 1],
        ["pause", True, True, 1],
        ["resume", True, False, 1],
        ["kill", False, False, 1],
        ["kill", False, False, 1],
        ["pause", False, False, 1],
        ["restart", True, False, 2],
        ["pause", True, True, 2],
        ["kill", False, False, 2],
        ["resume", False, False, 2],
        ["restart", True, False, 3],
    ]
    assert facts["processes"]["gone after SIGTERM"]
    assert facts["processes"]["states"][-1] == ["restart", True, False, 4]
    assert facts["processes"]["serves again"]


def test_a_clock_jumps_both_ways_and_only_on_its_own_node(facts: dict[str, Any]) -> None:
    clocks = facts["clocks"]
    assert abs(clocks["before"]) < EXACT_S
    assert abs(clocks["set to 5"] - 5) < EXACT_S
    assert abs(clocks["set to -262"] + 262) < EXACT_S
    assert abs(clocks["another's"]) < EXACT_S
    assert abs(clocks["true again"]) < EXACT_S


@pytest.mark.parametrize("rate", [1.5, 0.5])
def test_a_clock_runs_at_its_rate_from_where_it_was_set(facts: dict[str, Any], rate: float) -> None:
    first_s, gathered = facts["clocks"][f"rate {rate}"]
    assert abs(first_s - 1.0) < 0.1
    assert abs(gathered - (rate - 1)) < 0.1


def test_a_wrong_clock_outlives_the_process(facts: dict[str, Any]) -> None:
    assert abs(facts["clocks"]["of a dead node"] - 7) < 0.1
    assert abs(facts["clocks"]["over a restart"] - 7) < 0.1


def test_a_node_that_is_not_there_is_named(facts: dict[str, Any]) -> None:
    assert len(facts["unknown node"]) == 2
    assert all("n9" in said for said in facts["unknown node"])
