"""Our clients with settings for tests."""

from __future__ import annotations

import random
import time
from typing import Any

from impl.queue.client.admin import Admin
from impl.queue.client.consumer import Consumer
from impl.queue.client.producer import Producer

QUICK = {"backoff_s": (0.02, 0.2), "request_timeout_s": 5.0, "max_block_s": 10.0}
QUICK_GROUP = {"heartbeat_s": 0.1, "session_timeout_s": 2.0, "max_poll_interval_s": 5.0}


def at(port: int) -> list[tuple[str, int]]:
    return [("127.0.0.1", port)]


def producer(bootstrap: list[tuple[str, int]], **options: Any) -> Producer:
    settings = {"linger_s": 0.002, "delivery_timeout_s": 15.0, **QUICK, **options}
    settings = {"random": random.Random(1), "wall_clock_ns": time.time_ns, **settings}
    return Producer(bootstrap, **settings)


def consumer(bootstrap: list[tuple[str, int]], **options: Any) -> Consumer:
    settings = {"auto_offset_reset": "earliest", **QUICK, **QUICK_GROUP, **options}
    return Consumer(bootstrap, **{"random": random.Random(2), "fetch_max_wait_s": 0.1, **settings})


def admin(bootstrap: list[tuple[str, int]], **options: Any) -> Admin:
    return Admin(bootstrap, **{"random": random.Random(3), **QUICK, **options})
