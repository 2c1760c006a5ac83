"""The spec of a run survives test.json, and refuses what no run can be."""

from __future__ import annotations

import orjson
import pytest

from windtunnel.names import BadInputError, find
from windtunnel.spec import TestSpec, node_names, versions

KILL = {"at_s": 1.5, "kind": "kill", "nodes": ["n1"], "duration_s": 2.0, "args": {}}


@pytest.mark.parametrize(
    "spec",
    [
        TestSpec(workload="uuid"),
        TestSpec(workload="snowflake", seed=7, faults=("kill",), mutant="m", ops=9),
        TestSpec(workload="snowflake", schedule=(KILL,), options={"rate": 3}),
    ],
)
def test_a_spec_survives_json(spec: TestSpec) -> None:
    assert TestSpec.from_dict(orjson.loads(orjson.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("name", ["concurrency", "rate", "time_limit_s", "op_timeout_s", "ops"])
def test_a_number_that_no_run_can_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadInputError, match=name):
        TestSpec(workload="uuid", **{name: 0})


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match=r"test\.json.*'colour'"):
        TestSpec.from_dict({"workload": "uuid", "colour": "red"})


def test_nodes_are_numbered_from_one_and_there_is_at_least_one() -> None:
    assert node_names(3) == ("n1", "n2", "n3")
    with pytest.raises(BadInputError, match="at least one"):
        node_names(0)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    registry = {"snowflake": 1, "uuid": 2}
    assert find("workload", "uuid", registry) == 2
    with pytest.raises(BadInputError, match="unknown workload 'snowflak': did you mean 'snowflake'"):
        find("workload", "snowflak", registry)
    with pytest.raises(BadInputError, match="choose from snowflake, uuid"):
        find("workload", "zzz", registry)


def test_versions_name_python_and_windtunnel() -> None:
    assert {"python", "windtunnel"} <= set(versions())
