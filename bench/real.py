"""Real clusters: how soon they serve, what they record, and what the harness takes for it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from history.jsonl import Recorder
from history.op import Op
from windtunnel.interpreter import run_generator
from workloads.generators import time_limit
from workloads.ids import load as load_of
from workloads.workload import ClientContext

_START_WITHIN_S = {"local": 3.0, "docker": 10.0}
_RECORDED_PER_S = 500.0
_OVERHEAD_CORES = 1 / 3
_WITHIN_S = 300


def starts() -> list[dict[str, Any]]:
    """Five nodes up and ready, on each backend that this machine has; the image is built before."""
    figures = []
    for backend, target_s in _START_WITHIN_S.items():
        for workload, seconds in _measured("start", backend).items():
            figures.append(
                {
                    "name": f"{backend}: five nodes of {workload} ready",
                    "seconds": seconds,
                    "target": target_s,
                    "ratio": target_s / seconds,
                }
            )
    return figures


def load() -> list[dict[str, Any]]:
    """IDs from five containers, as many as 20 clients get of 700 wanted per second."""
    found = _measured("load", "docker")
    return [
        {
            "name": "docker: operations recorded over five containers",
            "value": found["per_s"],
            "unit": "per s",
            "target": _RECORDED_PER_S,
            "ratio": found["per_s"] / _RECORDED_PER_S,
            "valid": str(found["valid"]),
        },
        {
            "name": "docker: that run's harness, clients and checkers included",
            "value": found["core"],
            "unit": "cores",
        },
    ]


def overhead(seconds: float = 10.0) -> dict[str, Any]:
    """What 500 operations a second cost the harness itself: generators, interpreter and recorder.

    The clients of this run answer after 10 ms and do nothing.
    """
    with tempfile.TemporaryDirectory(prefix="windtunnel-bench-") as place:
        recorder = Recorder(Path(place, "history.jsonl"), time.monotonic_ns)
        generator = time_limit(seconds, load_of(_RECORDED_PER_S))

        async def main() -> None:
            await run_generator(
                generator, client=_Idle, endpoints={}, concurrency=20, recorder=recorder, seed=1
            )

        cpu_s, begun_s = time.process_time(), time.monotonic()
        with recorder:
            asyncio.run(main())
        cores = (time.process_time() - cpu_s) / (time.monotonic() - begun_s)
    return {
        "name": "harness without its clients, 500 operations per s",
        "value": cores,
        "unit": "cores",
        "target": _OVERHEAD_CORES,
        "ratio": _OVERHEAD_CORES / cores,
        "recorded": len(recorder) // 2,
    }


class _Idle:
    """A client that costs nothing."""

    def __init__(self, context: ClientContext) -> None:
        """Needs nothing."""

    async def open(self) -> None:
        """Connects to nothing."""

    async def invoke(self, op: Op) -> Op:
        await asyncio.sleep(0.01)
        return op.completed("ok", value=[op.index])

    async def close(self) -> None:
        """Has nothing to give back."""


def _measured(what: str, backend: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "bench._real", what, backend]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it gave no reason"])[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
