"""Snowflake in process against the PyPI package ``snowflake-id``; checking a million IDs once loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import repeat
from statistics import median
from typing import Any

from snowflake import SnowflakeGenerator

from checkers.monotonic import monotonic
from checkers.unique_ids import unique_ids
from history.columns import Columns
from history.history import History
from impl.ids.config import EPOCH_MS
from impl.ids.snowflake import PER_MS, SequenceExhausted, Snowflake
from impl.ids.uuid7 import layout

_WINDOWS = 60
_WINDOW_MS = 10
_BURSTS = 400
_IDS_PER_BURST = 2000
_NS_PER_MS = 1_000_000
_START_OF_MS_NS = 50_000
_OPERATIONS = 1_000_000
_UNIQUE_WITHIN_S = 0.5
_ORDERED_WITHIN_S = 1.0


def snowflake_sustained() -> list[dict[str, Any]]:
    """IDs per second over ten whole milliseconds, waiting for the next one included.

    No generator of 12-bit sequences can do more than 4096 per millisecond. The best of some windows,
    as whatever else the machine does takes milliseconds away.
    """
    single = max(_in_window(_drawn_singly) for _ in range(_WINDOWS))
    batch = max(_in_window(_drawn_in_batches) for _ in range(_WINDOWS))
    return [
        _figure("snowflake, single calls", single, 1e6),
        _figure("snowflake, batch calls, against 4096 per ms", batch, PER_MS * 1000),
    ]


def snowflake_against_rival() -> dict[str, Any]:
    """IDs per second in bursts of 2000 within a millisecond, where the limit of 4096 does not bind.

    Bursts of the two alternate; each figure is the median of its own.
    """
    ours, rival = _ours().next_id, SnowflakeGenerator(1, epoch=EPOCH_MS).__next__
    rates = [(_burst_rate(ours), _burst_rate(rival)) for _ in range(_BURSTS)]
    our_rate, rival_rate = (median(column) for column in zip(*rates, strict=True))
    return _figure("snowflake, single calls in bursts, against snowflake-id", our_rate, rival_rate)


def checking_integers() -> list[dict[str, Any]]:
    """Seconds of CPU for a million operations ``next`` that got an integer each."""
    return _checked("integers", lambda number: number)


def checking_uuids() -> list[dict[str, Any]]:
    """Seconds of CPU for a million operations ``next`` that got a UUID each."""
    return _checked("UUIDs", lambda number: layout(number, 5, 7))


def _checked(what: str, made: Callable[[int], Any]) -> list[dict[str, Any]]:
    history = _history(made)
    figures = []
    for name, check, target_s in (
        ("uniqueness", unique_ids("next"), _UNIQUE_WITHIN_S),
        ("order per node", monotonic("next"), _ORDERED_WITHIN_S),
    ):
        started = time.process_time()
        verdict = check(history, {})
        seconds = time.process_time() - started
        assert verdict.valid is True
        figures.append(
            {
                "name": f"{name} of a million {what}",
                "seconds": round(seconds, 3),
                "target_s": target_s,
                "ratio": target_s / seconds,
            }
        )
    return figures


def _history(made: Callable[[int], Any]) -> History:
    """Five clients ask five nodes in turn, one ID at a time."""
    events = range(2 * _OPERATIONS)
    columns = Columns()
    columns.add(
        index=list(events),
        time=[1000 * event for event in events],
        process=[event // 2 % 5 for event in events],
        type=["invoke", "ok"] * _OPERATIONS,
        f=["next"] * len(events),
        key=[None] * len(events),
        value=[made(event // 2) if event % 2 else None for event in events],
        error=[None] * len(events),
        node=[f"n{event // 2 % 5 + 1}" if event % 2 else None for event in events],
    )
    return History.from_columns(columns)


def _figure(name: str, value: float, target: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "IDs/s", "target": target, "ratio": value / target}


def _ours() -> Snowflake:
    return Snowflake(1, time.time_ns, epoch_ms=EPOCH_MS)


def _in_window(drawn: Callable[[Snowflake, int], int]) -> float:
    _await_start_of_ms()
    until_ns = (time.time_ns() // _NS_PER_MS + _WINDOW_MS) * _NS_PER_MS
    return drawn(_ours(), until_ns) * 1000 / _WINDOW_MS


def _drawn_singly(generator: Snowflake, until_ns: int) -> int:
    """How many IDs; looks at the clock after every hundred, so it may stop that much late."""
    next_id, drawn = generator.next_id, 0
    while time.time_ns() < until_ns:
        try:
            for _ in repeat(None, 100):
                next_id()
                drawn += 1
        except SequenceExhausted:
            continue
    return drawn


def _drawn_in_batches(generator: Snowflake, until_ns: int) -> int:
    """How many IDs; a batch that came too late does not count."""
    drawn = batch = 0
    while time.time_ns() < until_ns:
        drawn += batch
        try:
            batch = len(generator.take(PER_MS))
        except SequenceExhausted:
            batch = 0
    return drawn


def _await_start_of_ms() -> None:
    while time.time_ns() % _NS_PER_MS > _START_OF_MS_NS:
        continue


def _burst_rate(next_id: Callable[[], int | None]) -> float:
    _await_start_of_ms()
    started = time.perf_counter()
    for _ in repeat(None, _IDS_PER_BURST):
        next_id()
    return _IDS_PER_BURST / (time.perf_counter() - started)
