"""What an application makes its clients with. A known-bad variant is one of them replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from impl.queue.client.consumer import Consumer
from impl.queue.client.producer import Producer


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Functions or classes with the signatures of the right ones."""

    producer: Callable[..., Producer] = Producer
    consumer: Callable[..., Consumer] = Consumer


CLIENTS = Clients()
