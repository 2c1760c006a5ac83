"""The snowflake campaign: seeds per hour and memory; 5 nodes, 5 clients, 30 s, all faults."""

from __future__ import annotations

import time
from typing import Any

from windtunnel.campaign import chunks, run_campaign
from windtunnel.soak import chunk_worker, workers
from windtunnel.spec import TestSpec

JOBS = 2
SEEDS_PER_HOUR = 50_000
WORKER_MB = 120.0


def snowflake(seeds: int = 400) -> list[dict[str, Any]]:
    """``seeds`` seeds on two processes, counted from when both have warmed up."""
    spec = TestSpec(workload="snowflake")
    with workers(JOBS) as executor:
        work = chunk_worker(spec)
        run_campaign(work, [range(1), range(1, 2)], executor=executor, jobs=JOBS)
        pieces = chunks(range(2, 2 + seeds), jobs=JOBS)
        started = time.perf_counter()
        tally = run_campaign(work, pieces, executor=executor, jobs=JOBS)
        elapsed_s = time.perf_counter() - started
    per_hour = 3600 * tally.seeds / elapsed_s
    return [
        {
            "name": "snowflake campaign",
            "value": round(per_hour),
            "unit": "seeds/h",
            "target": SEEDS_PER_HOUR,
            "ratio": per_hour / SEEDS_PER_HOUR,
            "cpu_s_per_seed": round(tally.cpu_s / tally.seeds, 4),
            "simulated_s_per_cpu_s": round(tally.simulated_s / tally.cpu_s),
        },
        {
            "name": "memory per worker",
            "value": round(tally.rss_mb, 1),
            "unit": "MB",
            "target": WORKER_MB,
            "ratio": WORKER_MB / tally.rss_mb,
        },
    ]
