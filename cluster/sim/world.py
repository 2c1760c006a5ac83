"""The world: one heap of events in virtual time, one digest over all of them, keyed random streams.

Everything that happens in a simulation is an event on this heap: a timer that fires, a segment that
arrives, a disk that has synced. The world takes the earliest, sets the time to it, and runs it; the
node it concerns then works off its ready queue, in which time stands still. Nodes touch each other
only through later events, so the order of nodes at one instant cannot be observed.

Same seed, same events, same digest: in any process and for any PYTHONHASHSEED.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop
    from cluster.sim.traffic import Observe

Event: TypeAlias = tuple[int, int, Callable[[Any], None], Any]

NS_PER_S = 1_000_000_000
# Monotonic clocks start at an hour: libraries take a reading near 0 for "never".
START_NS = 3600 * NS_PER_S
# 2026-01-01T00:00:00Z: the wall clock at the start of every simulation.
WALL_START_NS = 1_767_225_600 * NS_PER_S
_STAMP = struct.Struct("<qI").pack
_DIGEST_BATCH = 4096


class SimError(Exception):
    """The simulation itself can't go on; not an error of the system in it."""


class SimEscape(SimError):
    """Code in the simulation reached for something real: a thread, a process, a socket, a sleep."""


class World:
    """Virtual time and what is due in it.

    ``now_ns`` is the monotonic time, ``current`` the loop whose code is running, None between events.
    ``max_events`` bounds a run; a run that exceeds it ends with SimError.
    """

    def __init__(self, seed: int, *, max_events: int = 50_000_000) -> None:
        self.seed = seed
        self.now_ns = START_NS
        self.current: NodeLoop | None = None
        self.events = 0
        self.tasks_made = 0
        self.interrupted = False
        self.sealed = False
        self.escapes: list[SimEscape] = []
        self.observe: Observe | None = None
        self._heap: list[Event] = []
        self._sequence = 0
        self._max_events = max_events
        self._digest = hashlib.blake2b(digest_size=16)
        self._stamps: list[bytes] = []
        self._stopping = False

    def post(self, when_ns: int, action: Callable[[Any], None], argument: Any = None) -> None:
        """Have ``action(argument)`` happen at ``when_ns``; after what is already due then."""
        self._sequence = sequence = self._sequence + 1
        heappush(self._heap, (when_ns, sequence, action, argument))

    def feed(self, code: int, payload: bytes = b"") -> None:
        """Let an event count in the digest: what it is, when, and the bytes it carries."""
        stamps = self._stamps
        stamps.append(_STAMP(self.now_ns, code))
        if payload:
            stamps.append(payload)
        if len(stamps) > _DIGEST_BATCH:
            self._digest.update(b"".join(stamps))
            stamps.clear()

    def stream(self, *key: object) -> random.Random:
        """A random stream of its own for ``key``: taking a fault away re-rolls nothing else."""
        name = "/".join([str(self.seed), *map(str, key)]).encode()
        digest = hashlib.blake2b(name, digest_size=16).digest()
        return random.Random(int.from_bytes(digest, "big"))

    def run(self) -> None:
        """Take events in order until ``stop`` is called or the run is interrupted.

        Raises SimError when nothing is left to happen, or too much has happened.
        """
        heap, self._stopping = self._heap, False
        budget = self._max_events - self.events
        for count in range(budget):
            if self._stopping or self.interrupted:
                self.events += count
                return
            if not heap:
                raise SimError("the simulation is stuck: no timer, segment or disk operation is left")
            self.now_ns, _, action, argument = heappop(heap)
            action(argument)
        self.events += budget
        raise SimError(f"the simulation did not end within {self._max_events} events")

    def stop(self, _: object = None) -> None:
        """Have ``run`` return after the present event."""
        self._stopping = True

    def interrupt(self, *_: object) -> None:
        """Have ``run`` return so that the harness can clean up: what Ctrl-C does."""
        self.interrupted = True

    def escaped(self, what: str) -> SimEscape:
        """The exception for code that reached for something real; the run fails with it too."""
        where = self.current.name if self.current else "the world"
        error = SimEscape(f"{where}: {what}")
        self.escapes.append(error)
        return error

    def seal(self) -> None:
        """End the digest: what is cleaned up from here on doesn't count."""
        self._digest.update(b"".join(self._stamps))
        self._stamps.clear()
        self.sealed = True

    def digest(self) -> str:
        """The digest over all events, in hex. Raises SimError before ``seal``."""
        if not self.sealed:
            raise SimError("the digest is known when the run has ended")
        return self._digest.hexdigest()
