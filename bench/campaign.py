"""Campaigns: seeds per hour and memory; 5 nodes, 5 clients, 30 s, all faults, two processes."""

from __future__ import annotations

import time
from typing import Any

from windtunnel.campaign import Tally, work_off
from windtunnel.soak import chunk_worker, workers
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS
from workloads.workload import WorkloadOptions

JOBS = 2
SNOWFLAKE_PER_HOUR = 50_000
COORDINATION_PER_HOUR = 5_000
WORKER_MB = 120.0


def snowflake(seeds: int = 400) -> list[dict[str, Any]]:
    """The cheapest system: nearly all that is measured is the simulator and the harness."""
    tally, elapsed_s = _timed(TestSpec(workload="snowflake"), seeds)
    return [
        _figure("snowflake campaign", tally, elapsed_s, SNOWFLAKE_PER_HOUR),
        {
            "name": "memory per worker",
            "value": round(tally.rss_mb, 1),
            "unit": "MB",
            "target": WORKER_MB,
            "ratio": WORKER_MB / tally.rss_mb,
        },
    ]


def coordination(seeds: int = 24) -> list[dict[str, Any]]:
    """Each workload of the coordination service."""
    options = WorkloadOptions()
    names = [name for name, make in WORKLOADS.items() if make(options).system.name == "coordination"]
    return [
        _figure(f"{name} campaign", *_timed(TestSpec(workload=name), seeds), COORDINATION_PER_HOUR)
        for name in names
    ]


def _timed(spec: TestSpec, seeds: int) -> tuple[Tally, float]:
    """``seeds`` seeds on two processes, and the seconds that they took once both had warmed up."""
    with workers(JOBS) as executor:
        work = chunk_worker(spec)
        work_off(work, range(JOBS), executor=executor, jobs=JOBS)
        started = time.perf_counter()
        tally = work_off(work, range(JOBS, JOBS + seeds), executor=executor, jobs=JOBS)
        return tally, time.perf_counter() - started


def _figure(name: str, tally: Tally, elapsed_s: float, target: int) -> dict[str, Any]:
    per_hour = 3600 * tally.seeds / elapsed_s
    return {
        "name": name,
        "value": round(per_hour),
        "unit": "seeds/h",
        "target": target,
        "ratio": per_hour / target,
        "cpu_s_per_seed": round(tally.cpu_s / tally.seeds, 4),
        "simulated_s_per_cpu_s": round(tally.simulated_s / tally.cpu_s),
    }
