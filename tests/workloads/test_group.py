"""A group whose partitions change hands in every run, however little came of the time before."""

from __future__ import annotations

import pytest

from windtunnel.names import BadInputError
from windtunnel.plan import prepare
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec


@pytest.mark.parametrize("client", ["own", "aiokafka"])
@pytest.mark.parametrize("concurrency", [2, 5])
def test_partitions_change_hands_in_the_last_phase_of_the_shortest_run(
    client: str, concurrency: int
) -> None:
    options = {"client": client}
    spec = TestSpec(
        workload="group", faults=("none",), time_limit_s=0.1, concurrency=concurrency, options=options
    )
    verdict = run_test(spec).verdict
    assert verdict.valid is True
    (groups,) = (part for part in verdict.parts if part.checker == "groups")
    assert groups.counts["generation-count"] > 1


def test_options_that_no_group_has_are_refused() -> None:
    with pytest.raises(BadInputError, match="assignor is 'fair': give one of range, roundrobin"):
        prepare(TestSpec(workload="group", options={"assignor": "fair"}))
