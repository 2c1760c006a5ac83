"""Snowflake in process against the PyPI package ``snowflake-id``, in the same run, turn by turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import repeat
from statistics import median
from typing import Any

from snowflake import SnowflakeGenerator

from impl.ids.config import EPOCH_MS
from impl.ids.snowflake import PER_MS, SequenceExhausted, Snowflake

_ROUNDS = 15
_IDS_PER_ROUND = 200_000
_BURSTS = 400
_IDS_PER_BURST = 2000
_NS_PER_MS = 1_000_000
_START_OF_MS_NS = 50_000


def snowflake_sustained() -> list[dict[str, Any]]:
    """IDs per second for as long as one asks, waiting for the next millisecond included.

    No generator of 12-bit sequences can do more than 4096 per millisecond. The best of some rounds.
    """
    single = max(_IDS_PER_ROUND / _draw_singly(_ours()) for _ in range(_ROUNDS))
    batch = max(_IDS_PER_ROUND / _draw_in_batches(_ours()) for _ in range(_ROUNDS))
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


def _figure(name: str, value: float, target: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "IDs/s", "target": target, "ratio": value / target}


def _ours() -> Snowflake:
    return Snowflake(1, time.time_ns, epoch_ms=EPOCH_MS)


def _draw_singly(generator: Snowflake) -> float:
    next_id, left = generator.next_id, _IDS_PER_ROUND
    started = time.perf_counter()
    while left:
        try:
            while left:
                next_id()
                left -= 1
        except SequenceExhausted:
            continue
    return time.perf_counter() - started


def _draw_in_batches(generator: Snowflake) -> float:
    take, left = generator.take, _IDS_PER_ROUND
    started = time.perf_counter()
    while left:
        try:
            left -= len(take(left))
        except SequenceExhausted:
            continue
    return time.perf_counter() - started


def _burst_rate(next_id: Callable[[], int | None]) -> float:
    while time.time_ns() % _NS_PER_MS > _START_OF_MS_NS:
        continue
    started = time.perf_counter()
    for _ in repeat(None, _IDS_PER_BURST):
        next_id()
    return _IDS_PER_BURST / (time.perf_counter() - started)
