"""The client libraries by name; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from workloads.brokers.seam import Consumer, Maker, Place, Producer, Settings

DEFAULT = "own"
MODULES: Mapping[str, str] = MappingProxyType(
    {
        "own": "workloads.brokers.with_own",
        "aiokafka": "workloads.brokers.with_aiokafka",
        "confluent-kafka": "workloads.brokers.with_confluent_kafka",
        "kafka-python": "workloads.brokers.with_kafka_python",
    }
)
THREADED = ("confluent-kafka", "kafka-python")
"""Those with threads and sockets of their own, which no simulator can hold."""


@dataclass(frozen=True, slots=True)
class _Module:
    """A module with ``Producer`` and ``Consumer`` as a maker."""

    make_producer: Callable[[Place, Settings], Any]
    make_consumer: Callable[[Place, Settings], Any]

    def producer(self, place: Place, settings: Settings) -> Producer:
        made: Producer = self.make_producer(place, settings)
        return made

    def consumer(self, place: Place, settings: Settings) -> Consumer:
        made: Consumer = self.make_consumer(place, settings)
        return made


def find(name: str) -> Maker:
    """Raises ValueError for a library that is not known, or not installed."""
    if name not in MODULES:
        raise ValueError(f"client is {name!r}: give one of {', '.join(MODULES)}")
    try:
        module = import_module(MODULES[name])
    except ImportError as error:
        raise ValueError(f"client {name!r} is not installed ({error}): pip install {name}") from error
    return _Module(module.Producer, module.Consumer)
