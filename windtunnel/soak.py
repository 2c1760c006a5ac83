"""The work of a campaign: one chunk of seeds of one test, in a worker process that does nothing else."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from reports.faults import faults
from windtunnel.apart import run_chunk_apart
from windtunnel.campaign import ChunkResult, Finding
from windtunnel.outcome import outcome_of
from windtunnel.places import broken_at
from windtunnel.runner import Run, run_test
from windtunnel.spec import TestSpec

WARM_UP_S = 1.0


def workers(jobs: int) -> ProcessPoolExecutor:
    """``jobs`` fresh processes with PYTHONHASHSEED=0, so that each seed does there what it does here."""
    os.environ.setdefault("PYTHONHASHSEED", "0")
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_the_parent)


def _end_with_the_parent() -> None:
    """A campaign that is killed must not leave processes that wait for ever for its next chunk."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def run_chunk(entry: dict[str, Any], seeds: range, *, until: float | None = None) -> ChunkResult:
    """Run ``entry``, a spec as a dict, from each of ``seeds``; memory only, nothing is stored.

    After the time ``until`` (``time.time()``) none but the first begins: the result has fewer of them.
    Raises KeyboardInterrupt when a run was interrupted: half a chunk is none.
    """
    spec = TestSpec.from_dict(entry)
    _warm_up(spec)
    began, started = time.time(), time.process_time()
    findings: list[Finding] = []
    simulated_s = 0.0
    thrown: Counter[tuple[str, bool]] = Counter()
    done = 0
    for seed in seeds:
        if done and until is not None and time.time() >= until:
            break
        run = run_test(spec.with_seed(seed))
        if run.interrupted:
            raise KeyboardInterrupt
        simulated_s += run.ran_s
        thrown.update((fault.kind, fault.landed) for fault in faults(run.history))
        if run.verdict.valid is not True:
            findings.append(_finding(run))
        del run
        done += 1
        gc.collect()
    return ChunkResult(
        seeds=seeds[:done],
        findings=tuple(findings),
        simulated_s=simulated_s,
        cpu_s=time.process_time() - started,
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        ran=(round(began, 3), round(time.time(), 3)),
        faults={
            kind: (thrown[kind, True] + thrown[kind, False], thrown[kind, True])
            for kind in sorted({kind for kind, _ in thrown})
        },
    )


def chunk_worker(spec: TestSpec, *, until: float | None = None) -> Callable[[range], ChunkResult]:
    """What ``run_campaign`` calls on each piece, in a process of ``workers`` or of one's own."""
    return partial(run_chunk, spec.to_dict(), until=until)


def apart_worker(spec: TestSpec, *, until: float | None = None) -> Callable[[range], ChunkResult]:
    """The same for any other executor: threads, Dask, a cluster's batch system."""
    return partial(run_chunk_apart, spec.to_dict(), until=until)


_warm: set[str] = set()


def _warm_up(spec: TestSpec) -> None:
    """Fill the caches of libraries once per process: a first run may differ from all later ones."""
    if not _warm:
        _warm.add(spec.workload)
        run_test(TestSpec(workload=spec.workload, time_limit_s=WARM_UP_S, faults=("none",)))
        gc.collect()
        gc.freeze()


def _finding(run: Run) -> Finding:
    """Run a failing seed again before it is called deterministic."""
    outcome, again = outcome_of(run), outcome_of(run_test(run.spec))
    return Finding(
        seed=run.spec.seed,
        valid=outcome.valid,
        signatures=outcome.signatures,
        message=outcome.message,
        digest=outcome.digest,
        deterministic=outcome.digest is not None and outcome == again,
        faults=len(faults(run.history)),
        failed_at_s=_failed_at_s(run),
        place=broken_at(run.logs),
    )


def _failed_at_s(run: Run) -> float | None:
    """When the last event of the first anomaly was recorded, in seconds of the run."""
    last = max((max(one.ops) for one in run.verdict.anomalies[:1] if one.ops), default=-1)
    times = run.history.time[run.history.index == last]
    return float(times[0]) / 1e9 if len(times) else None
