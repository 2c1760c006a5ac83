"""The seam between a test and the place it runs in: nodes, endpoints, fault verbs, measurements.

Every backend (``sim``, ``local``, ``docker``, ``ssh``) is one ``Cluster``. It names the verbs it can
do in ``verbs``; whoever wants another is told before the run starts. Verbs may be called in any state
and in any order: ``resume`` of a node that is not paused and ``restart`` of one that runs do nothing.
Links are directed pairs ``(source, destination)`` of node names; ``CLIENT`` stands for the machine of
the harness and its clients.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from impl.host import Program

T = TypeVar("T")
Link: TypeAlias = tuple[str, str]

CLIENT = "client"
VERBS = (
    "kill",
    "terminate",
    "restart",
    "pause",
    "resume",
    "power_off",
    "cut",
    "heal",
    "slow",
    "lose",
    "skew",
)


class Endpoint(NamedTuple):
    """Where a client on the harness's machine reaches a node."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A node's process as the machine sees it.

    ``incarnation`` counts its starts from 1; ``running`` is false after a kill or a power cut;
    ``paused`` is true between SIGSTOP and SIGCONT.
    """

    running: bool
    paused: bool
    incarnation: int


@dataclass(frozen=True, kw_only=True)
class System:
    """What is run on the nodes.

    ``program`` is the node program for backends that run it in this process, ``command`` the argument
    vector for those that start one (``{config}`` in it is replaced by the path of the configuration);
    ``configure(node, nodes)`` gives the node's configuration; ``ports`` names the ports it listens on;
    ``port`` is the one that clients use; ``ready`` waits until a node at an endpoint serves and raises
    OSError or TimeoutError while it does not; ``primaries`` asks the cluster who leads;
    ``files(node, nodes)``, if given, is what stands in a node's directory, where ``command`` runs,
    before its first start, by path, in place of the configuration in JSON.
    """

    name: str
    program: Program
    command: tuple[str, ...]
    configure: Callable[[str, tuple[str, ...]], Mapping[str, Any]]
    ports: Mapping[str, int]
    port: str
    ready: Callable[[Endpoint], Awaitable[None]]
    primaries: Callable[[Mapping[str, Endpoint]], Awaitable[list[str]]] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Callable[[str, tuple[str, ...]], Mapping[str, str]] | None = None


class Cluster(Protocol):
    """A set of nodes that run one system, and what can be done to them."""

    @property
    def name(self) -> str:
        """The backend's name."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, ``n1`` onwards."""

    @property
    def verbs(self) -> frozenset[str]:
        """The fault verbs this backend can do on this machine; a subset of ``VERBS``."""

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run the harness's own coroutine: in virtual time in the simulator, else as asyncio does."""

    async def start(self) -> None:
        """Start every node and wait until it is ready."""

    async def stop(self) -> None:
        """End every node, undo what was done to the machine, keep the logs."""

    def endpoint(self, node: str, port: str | None = None) -> Endpoint:
        """Where clients reach ``node``; the system's client port unless another is named."""

    def wall_clock_ns(self) -> int:
        """The harness's own wall clock: the true time that clock faults are measured against."""

    async def kill(self, node: str) -> None:
        """SIGKILL: no code of the node runs any more, its page cache stays."""

    async def terminate(self, node: str) -> None:
        """SIGTERM: the node may shut down in order."""

    async def power_off(self, node: str) -> None:
        """The machine is dark: peers hear nothing, what was not fsynced may be lost or torn."""

    async def restart(self, node: str) -> None:
        """Start the node's program again; does not wait until it is ready."""

    async def pause(self, node: str) -> None:
        """SIGSTOP, or the freezer."""

    async def resume(self, node: str) -> None:
        """SIGCONT."""

    async def cut(self, links: Collection[Link]) -> None:
        """Drop everything that is sent over these links, without a word to the sender."""

    async def heal(self, links: Collection[Link]) -> None:
        """Let traffic pass on these links again."""

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        """Add a one-way delay of ``delay_s`` plus up to ``jitter_s``; 0 takes it away."""

    async def lose(self, links: Collection[Link], probability: float) -> None:
        """Drop each packet with this probability; 0 takes it away."""

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        """Set the node's wall clock to true time + ``offset_s``, running ``rate`` times as fast."""

    async def process_state(self, node: str) -> ProcessState:
        """Read the state of the node's process from the machine."""

    async def clock_offset_s(self, node: str) -> float:
        """Read the node's wall clock, minus true time, in seconds."""

    async def dropped(self, links: Collection[Link]) -> int:
        """Packets dropped on these links so far by ``cut`` and ``lose``."""

    async def delayed(self, links: Collection[Link]) -> int:
        """Packets delayed on these links so far by ``slow``."""

    async def primaries(self) -> list[str]:
        """The nodes that lead at this moment, as the system itself says; empty when it has none."""

    def logs(self) -> Mapping[str, str]:
        """Each node's log so far."""
