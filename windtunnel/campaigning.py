"""Campaigns from Python: a test over many seeds, here or on any executor, as ``wt.run_campaign``."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from windtunnel.campaign import ChunkResult, Tally, work_off
from windtunnel.campaign_log import CampaignLog
from windtunnel.names import BadInputError
from windtunnel.plan import prepare
from windtunnel.soak import apart_worker, chunk_worker, workers
from windtunnel.spec import TestSpec

PROCESSORS = os.cpu_count() or 1
CONNECT_WITHIN_S = 20


def run_campaign(
    spec: TestSpec,
    seeds: range,
    *,
    executor: Executor | None = None,
    jobs: int = PROCESSORS,
    log: CampaignLog | None = None,
    for_s: float | None = None,
    on_chunk: Callable[[Tally, ChunkResult], None] = lambda tally, result: None,
) -> Tally:
    """Run ``spec``, a test of a registered workload, from each of ``seeds`` in the simulator.

    By default on ``jobs`` processes of this machine; else on ``executor``, any of
    ``concurrent.futures``' kind, which has ``jobs`` workers: each runs its chunks in a child process, so
    that threads and Dask's workers will do, if windtunnel is installed where they run. After
    ``for_s`` seconds no chunk begins, and those that wait run one seed each. Seeds that ``log`` holds
    are not run again.

    Raises BadInputError or ScheduleError for what cannot be run, before anything starts.
    """
    prepare(spec)
    if spec.backend != "sim":
        raise BadInputError(f"--cluster {spec.backend}: campaigns run in the simulator.")
    until = None if for_s is None else time.time() + for_s
    if executor is not None:
        work = apart_worker(spec, until=until)
        return work_off(
            work, seeds, executor=executor, jobs=jobs, log=log, until=until, on_chunk=on_chunk
        )
    work = chunk_worker(spec, until=until)
    with workers(jobs) as own:
        return work_off(work, seeds, executor=own, jobs=jobs, log=log, until=until, on_chunk=on_chunk)


@contextmanager
def dask(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor on the Dask cluster whose scheduler is at ``address``, and how many workers it has.

    Raises BadInputError when the extra ``dask`` is not installed or nobody answers there.
    """
    if importlib.util.find_spec("distributed") is None:
        raise BadInputError("--dask needs an extra: install it with pip install 'windtunnel[dask]'.")
    from distributed import Client as Untyped

    make: Callable[..., Any] = Untyped

    try:
        client = make(address, timeout=CONNECT_WITHIN_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInputError(f"--dask {address}: no scheduler answers there ({error}).") from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise BadInputError(f"--dask {address}: its scheduler has no workers.")
        yield client.get_executor(pure=False), threads
