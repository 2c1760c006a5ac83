"""Chunks in a process of their own, for executors whose workers have threads or hash seeds of their own.

A simulation redirects clocks and entropy of its whole process, so that nothing else may run beside it.
Dask's workers, and threads, have a child each that runs their chunks, one after the other, and ends
with them: ``python -m windtunnel.apart`` reads JSON lines ``{"spec", "seeds", "until"}`` and answers
with the lines that a campaign's log has for the chunk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import orjson

from windtunnel.campaign import ChunkResult, Finding
from windtunnel.campaign_log import lines_of


class WorkerEndedError(Exception):
    """The child ended before it had answered; says which seeds it was at."""


_own = threading.local()
_ENDS_WITHIN_S = 5.0


def run_chunk_apart(entry: dict[str, Any], seeds: range, *, until: float | None = None) -> ChunkResult:
    """``windtunnel.soak.run_chunk`` in the child of the calling thread. Raises WorkerEndedError."""
    child = _child().process
    assert child.stdin is not None
    assert child.stdout is not None
    order = {"spec": entry, "seeds": [seeds.start, seeds.stop, seeds.step], "until": until}
    try:
        child.stdin.write(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))
        child.stdin.flush()
        answer = child.stdout.readline()
    except OSError:
        answer = b""
    if not answer.endswith(b"\n"):
        code = child.wait()
        raise WorkerEndedError(
            f"the process that ran seeds {seeds.start} to {seeds[-1]} ended with code {code}; "
            "its stderr says why"
        )
    return _result(orjson.loads(answer))


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Run chunks until there are no more orders."""
    from windtunnel.soak import run_chunk

    for line in orders:
        order = orjson.loads(line)
        result = run_chunk(order["spec"], range(*order["seeds"]), until=order["until"])
        answers.write(orjson.dumps(lines_of(result), option=orjson.OPT_APPEND_NEWLINE))
        answers.flush()


class _Child:
    """A process that ends with the thread it belongs to."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "windtunnel.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        weakref.finalize(self, _end, self.process)


def _child() -> _Child:
    child: _Child | None = getattr(_own, "child", None)
    if child is None or child.process.poll() is not None:
        child = _own.child = _Child()
    return child


def _end(process: subprocess.Popen[bytes]) -> None:
    """No more orders: it ends by itself, unless it is in the midst of something."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _result(lines: list[Mapping[str, Any]]) -> ChunkResult:
    *findings, counters = lines
    chunk = dict(counters["chunk"])
    own = (one["finding"] for one in findings)
    return ChunkResult(
        **{
            **chunk,
            "seeds": range(*chunk["seeds"]),
            "findings": tuple(Finding(**{**one, "signatures": tuple(one["signatures"])}) for one in own),
        }
    )


if __name__ == "__main__":
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the code under test prints is no answer
    serve(sys.stdin.buffer, answers)
