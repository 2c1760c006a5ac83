"""``python -m bench._real start|load BACKEND``: one figure of a real cluster, as JSON on the last line.

A process of its own, as ``local`` starts the process again that uses it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from cluster.real.cluster import RealCluster
from windtunnel.cli.cluster import enter
from windtunnel.plan import prepare
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec

WORKLOADS = ("snowflake", "register")
LOAD_S = 20.0
WANTED_PER_S = 700.0


def start(backend: str) -> dict[str, Any]:
    """Seconds until five nodes of each kind of service serve."""
    return {workload: _started(workload, backend) for workload in WORKLOADS}


def _started(workload: str, backend: str) -> float:
    cluster = prepare(TestSpec(workload=workload, backend=backend)).cluster
    assert isinstance(cluster, RealCluster)

    async def main() -> float:
        begun_s = time.monotonic()
        await cluster.start()
        return time.monotonic() - begun_s

    return cluster.run(main)


def load(backend: str) -> dict[str, Any]:
    """Operations recorded per second, and what this process, clients included, used of a core."""
    spec = TestSpec(
        workload="snowflake", backend=backend, faults=("none",), rate=WANTED_PER_S, concurrency=20,
        time_limit_s=LOAD_S,
    )  # fmt: skip
    run = run_test(spec)
    operations = len(run.history.operations())
    return {"per_s": operations / run.ran_s, "core": run.cpu_s / run.ran_s, "valid": run.verdict.valid}


if __name__ == "__main__":
    what, where = sys.argv[1:]
    enter(where)
    print(json.dumps({"start": start, "load": load}[what](where)))
