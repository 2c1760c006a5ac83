"""How long a recorded run of a million operations takes to load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from history import jsonl

TARGET_S = 5.0
_CLIENTS = 10
_OPERATION = (
    '{{"index":{i},"time":{t},"process":{p},"type":"invoke","f":"next"}}\n'
    '{{"index":{j},"time":{u},"process":{p},"type":"ok","f":"next","value":{v},"node":"n{n}"}}\n'
)


def loading(operations: int = 1_000_000) -> dict[str, Any]:
    """CPU seconds to read ``operations`` (two events each) from JSON lines, and how they compare."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        with path.open("w") as file:
            file.writelines(_lines(operations))
        start = time.process_time()
        history = jsonl.read(path)
        seconds = time.process_time() - start
    assert len(history) == 2 * operations
    return {
        "operations": operations,
        "seconds": round(seconds, 3),
        "target_s": TARGET_S,
        "ratio": round(TARGET_S / seconds, 2),
    }


def _lines(operations: int) -> Iterator[str]:
    for op in range(operations):
        yield _OPERATION.format(
            i=2 * op,
            j=2 * op + 1,
            t=op * 16_000_000,
            u=op * 16_000_000 + 9_000_000,
            p=op % _CLIENTS,
            n=op % 5 + 1,
            v=(op << 22) + op % 4096,
        )
