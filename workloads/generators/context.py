"""What a generator sees when it is asked: the time, the threads, and a stream of random numbers.

Randomness is pure. A context carries a stream number ``draw``, which whoever drives the generator
moves on with every operation. A combinator that needs randomness takes its own stream out of the first
context it is asked in (``Context.split``) and carries it as part of its state from then on, so that
the same seed gives the same operations, whatever else is drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from history.op import NEMESIS, Process

Thread: TypeAlias = int | str

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


def scramble(stream: int) -> int:
    """64 random bits out of a stream number: the output function of SplitMix64 (Steele et al., 2014)."""
    z = stream & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def advance(stream: int) -> int:
    """The next number of a stream."""
    return (stream + _GOLDEN) & _MASK


class Group(NamedTuple):
    """Some of a run's threads; ``members`` for membership, ``threads`` in the run's order."""

    members: frozenset[Thread]
    threads: tuple[Thread, ...]


class Context(NamedTuple):
    """What a generator may know when it is asked.

    ``time`` is in ns since the start; ``free`` are the threads that could take an operation now, the
    one that has been free longest first; ``threads`` are all threads this generator may use, busy or
    not; ``processes`` gives the process that each thread of the run acts as at present;
    ``concurrency`` is the number of client threads of the run; ``draw`` numbers the random stream of
    this moment.
    """

    time: int
    free: tuple[Thread, ...]
    threads: tuple[Thread, ...]
    processes: Mapping[Thread, Process]
    concurrency: int
    draw: int

    @property
    def all_free(self) -> bool:
        """Whether no operation is under way on any thread of this context."""
        return len(self.free) == len(self.threads)

    def thread_of(self, process: Process) -> Thread:
        """The thread that acts, or acted, as ``process``."""
        return process % self.concurrency if isinstance(process, int) else process

    def random(self, below: int, *, salt: int = 0) -> int:
        """A random number in ``[0, below)``, the same however often it is asked for in this context.

        Different salts give independent numbers.
        """
        return scramble(scramble(self.draw + salt) ^ 0x5851F42D4C957F2D) % below

    def split(self) -> tuple[int, Context]:
        """A stream of one's own, and the context with another one left in it."""
        left = scramble(self.draw ^ 0xD1B54A32D192ED03)
        return scramble(self.draw), self._replace(draw=left)

    def within(self, group: Group) -> Context:
        """This context as seen by some of its threads."""
        members = group.members
        free = tuple([thread for thread in self.free if thread in members])
        return Context(self.time, free, group.threads, self.processes, self.concurrency, self.draw)

    def only(self, thread: Thread) -> Context:
        """This context as seen by one thread, which is free."""
        return Context(self.time, (thread,), (thread,), self.processes, self.concurrency, self.draw)

    def at(self, time: int) -> Context:
        """This context at another time, in ns."""
        return Context(time, self.free, self.threads, self.processes, self.concurrency, self.draw)

    def invoked(self, thread: Thread, time: int) -> Context:
        """After ``thread`` took an operation: it is busy, and the stream has moved on."""
        free = tuple([other for other in self.free if other != thread])
        return Context(time, free, self.threads, self.processes, self.concurrency, advance(self.draw))

    def completed(self, thread: Thread, time: int, *, crashed: bool) -> Context:
        """After ``thread`` is done; ``crashed`` when nobody knows what became of its operation.

        A client thread that crashed goes on as process ``process + concurrency``.
        """
        processes = self.processes
        process = processes[thread]
        if crashed and isinstance(process, int):
            processes = {**processes, thread: process + self.concurrency}
        return Context(time, (*self.free, thread), self.threads, processes, self.concurrency, self.draw)


def start_context(
    concurrency: int, *, seed: int, nemesis: bool = False, first_process: int = 0
) -> Context:
    """The context at time 0: ``concurrency`` free client threads, and a nemesis thread if wanted.

    The threads act as processes ``first_process`` onwards, which must be a multiple of ``concurrency``.
    """
    clients: dict[Thread, Process] = {n: first_process + n for n in range(concurrency)}
    processes = {**clients, NEMESIS: NEMESIS} if nemesis else clients
    threads = tuple(processes)
    return Context(0, threads, threads, processes, concurrency, scramble(seed))
