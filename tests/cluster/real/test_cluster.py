"""The verbs of ``cluster.api.Cluster`` on real kernels, each measured where it acts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cluster.api import VERBS
from tests.support.realclusters import BACKENDS, alone, facts_of, machines, require

EXACT_S = 0.02
OF_CONTAINERS = {"kill_container", "freeze", "thaw"}


@pytest.fixture(scope="module", params=[*BACKENDS, "ssh"])
def facts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of all verbs saw."""
    require(request.param)
    place = tmp_path_factory.mktemp("hosts")
    with alone(), machines(request.param, place, ("n1", "n2", "n3")) as arguments:
        return facts_of("tests.cluster.real.verbs", request.param, *arguments)


def test_it_claims_the_verbs_it_can_do_and_says_why_not_the_others(facts: dict[str, Any]) -> None:
    everywhere = set(VERBS) - OF_CONTAINERS - {"power_off", "slow"}
    assert set(facts["verbs"]) - {"slow"} in (everywhere, everywhere | OF_CONTAINERS)
    assert set(facts["refused"]) == set(VERBS) - set(facts["verbs"])
    assert facts["refused"]["power_off"] == "a real page cache would stay; take the simulator"


def test_links_are_slowed_down_where_the_kernel_can_and_refused_with_the_reason_elsewhere(
    facts: dict[str, Any],
) -> None:
    if "slow" in facts["verbs"]:
        assert facts["slowed"]["delayed"] > 0
        assert facts["slowed"]["later by"] > 0.1
    else:
        assert re.search("has no netem|iproute2|left alone", facts["refused"]["slow"])
        assert "cannot slow links down" in facts["slowed"]["said"]


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
