"""What machines send each other, for whoever wants to look: packets as they leave, arrive or get lost.

Looking changes nothing: a run that is watched has the same events and the same digest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(slots=True, kw_only=True)
class Packet:
    """A segment with bytes on its way over one link.

    Times are in nanoseconds since 1970 by the true clock; ``arrived_ns`` is None when the packet was
    dropped, at once or on its way; until then it is when it is to arrive. ``port`` is the one of the
    two that somebody listens on, ``to_server`` whether the packet goes there.
    """

    source: str
    destination: str
    port: int
    to_server: bool
    sent_ns: int
    arrived_ns: int | None
    data: bytes

    def continued_by(self, other: Packet) -> bool:
        """Whether ``other``, on the same link, is the rest of what was sent at once in two pieces."""
        together = self.sent_ns == other.sent_ns and self.to_server == other.to_server
        return together and (self.arrived_ns is None) == (other.arrived_ns is None)


Observe: TypeAlias = Callable[[Packet], None]
"""Told of every packet as it is sent; what becomes of it is written into the packet."""
