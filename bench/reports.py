"""How large pages are, how fast they are written, ready and redrawn, in headless Chromium.

Without Chromium the figures of the browser are left out. Ready counts from the beginning of the
navigation until the timeline is drawn for the first time, in the best of five loads; a redraw lasts
until the pixels are there, and counts at the slowest of six zooms, from the whole run to a thousandth.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports import page
from tests.reports.chromium import chromium, missing, open_page
from tests.reports.samples import many, material

SIZE_TARGETS_BYTES = {10_000: 200_000, 100_000: 1_500_000, 1_000_000: 12_000_000}
READY_TARGETS_MS = {10_000: 50, 100_000: 300, 1_000_000: 1500}
REDRAW_TARGET_MS = 60
WRITE_TARGET_S = 2
_LOADS = 5

_REDRAW = """
const {draw, run, state} = window.windtunnel;
const pixel = () => document.getElementById('timeline').getContext('2d').getImageData(0, 0, 1, 1);
const median = [1, 3, 10, 30, 100, 1000].map((zoom) => {
  state.view = {from: run.end * 0.4 * (zoom > 1), to: run.end * (0.4 * (zoom > 1) + 1 / zoom)};
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    draw();
    pixel();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2];
});
return Math.max(...median);
"""


def pages() -> list[dict[str, Any]]:
    """Size, writing time, time until ready and time of a redraw for 10,000 to 1,000,000 operations."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {count: Path(folder) / f"{count}.html" for count in SIZE_TARGETS_BYTES}
        figures = [figure for count, path in paths.items() for figure in _written(count, path)]
        if missing() is None:
            figures += [figure for count, path in paths.items() for figure in _looked_at(count, path)]
    return figures


def _written(count: int, path: Path) -> Iterator[dict[str, Any]]:
    run = material(many(count))
    start_s = time.process_time()
    page.write(run, path, budget_bytes=None)
    took_s = time.process_time() - start_s
    yield _figure(
        f"page of {count:,} operations", path.stat().st_size, SIZE_TARGETS_BYTES[count], "bytes"
    )
    if count == 100_000:
        yield _figure(f"writing it for {count:,}", took_s, WRITE_TARGET_S, "CPU s")


def _looked_at(count: int, path: Path) -> Iterator[dict[str, Any]]:
    ready_ms = []
    with chromium() as driver:
        for _ in range(_LOADS):
            open_page(driver, path)
            ready_ms.append(
                float(driver.execute_script("return document.documentElement.dataset.ready"))
            )
        redraw_ms = driver.execute_script(_REDRAW)
    yield _figure(f"{count:,} operations ready after", min(ready_ms), READY_TARGETS_MS[count], "ms")
    yield _figure(f"{count:,} operations redrawn in", redraw_ms, REDRAW_TARGET_MS, "ms")


def _figure(name: str, value: float, target: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "target": target, "ratio": target / value}
