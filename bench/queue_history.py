"""How long a recorded run of a queue with a million messages takes to load and to check."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkers.queue.checker import queue
from history import jsonl

TARGET_S = 10.0
_PARTITIONS = 10
_PRODUCERS = 10
_BATCH = 100


def messages(count: int = 1_000_000) -> list[dict[str, Any]]:
    """CPU seconds for ``count`` messages: each sent alone, polled, read again at the end."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        with path.open("w") as file:
            file.writelines(_lines(count))
        gc.collect()
        start = time.process_time()
        history = jsonl.read(path)
        loaded = time.process_time()
        verdict = queue()(history, {})
        checked = time.process_time()
    assert verdict.valid is True, verdict.anomalies or verdict.reason
    assert verdict.parts[0].counts["poll-count"] == 2 * count
    seconds = checked - start
    return [
        {
            "name": f"loading and checking {count:,} messages",
            "seconds": round(seconds, 2),
            "target_s": TARGET_S,
            "ratio": round(TARGET_S / seconds, 2),
            "loading_s": round(loaded - start, 2),
            "checking_s": round(checked - loaded, 2),
            "events": len(history),
        }
    ]


def _lines(count: int) -> Iterator[str]:
    index = 0
    each = count // _PARTITIONS
    for value in range(count):
        key, offset, process = f"queue-{value % _PARTITIONS}", value // _PARTITIONS, value % _PRODUCERS
        yield _event(index, process, "invoke", "send", f'[["send","{key}",{value}]]')
        yield _event(index + 1, process, "ok", "send", f'[["send","{key}",[{offset},{value}]]]')
        index += 2
        if value % (_BATCH * _PARTITIONS) == _BATCH * _PARTITIONS - 1:
            for partition in range(_PARTITIONS):
                yield from _polled(index, partition, offset + 1 - _BATCH, offset + 1, "poll")
                index += 2
    for partition in range(_PARTITIONS):
        yield from _polled(index, partition, 0, each, "drain")
        index += 2


def _polled(index: int, partition: int, begin: int, end: int, f: str) -> Iterator[str]:
    """One consumer of each partition; ``drain`` reads it all once more."""
    process = _PRODUCERS + partition + (_PARTITIONS if f == "drain" else 0)
    pairs = ",".join(f"[{at},{at * _PARTITIONS + partition}]" for at in range(begin, end))
    steps = f'["poll",{{"queue-{partition}":[{pairs}]}}]'
    if f == "drain":
        steps = f'["position",{{"queue-{partition}":0}}],{steps},["end",{{"queue-{partition}":{end}}}]'
    yield _event(index, process, "invoke", f, "null")
    yield _event(index + 1, process, "ok", f, f"[{steps}]")


def _event(index: int, process: int, type_: str, f: str, value: str) -> str:
    head = f'{{"index":{index},"time":{index * 1000},"process":{process},"type":"{type_}"'
    return f'{head},"f":"{f}","value":{value}}}\n'
