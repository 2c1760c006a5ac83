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
    "kill_container",
    "freeze",
    "thaw",
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
    ``paused`` is true between SIGSTOP and SIGCONT, and while the machine is frozen.
    """

    running: bool
    paused: bool
    incarnation: int


@dataclass(frozen=True, kw_only=True)
class System:
    """What is run on the nodes: how it is installed, configured, started, known to be ready, and found.

    Installed: ``packages`` are Debian's, for a system that is not ours; ``needs`` names the programs (by
    name) and files (by path) that they bring, which a machine must have.

    Configured: ``configure(node, nodes)`` gives the node's configuration; ``files(node, nodes)``, if
    given, is what stands in a node's directory, where all commands run, before its first start, by path,
    in place of the configuration in JSON. ``prepare(node, nodes)``, if given, is then run to its end.

    ``advertise(config, endpoints)``, if given, makes of a node's configuration one by which it tells
    clients where they reach its ports, by name, on backends where that is not where it listens.

    Started: ``program`` is the node program for backends that run it in this process, None for a
    system that is not a program of asyncio; ``command`` the argument vector for those that start one
    (``{config}`` in it is replaced by the path of the configuration, ``{node}`` by the node's name);
    ``env`` is added to its environment.

    Known and found: ``ports`` names the ports it listens on; ``port`` is the one that clients use;
    ``ready`` waits until a node at an endpoint serves and raises OSError or TimeoutError while it does
    not, within ``ready_within_s`` of its start; ``primaries`` asks the cluster who leads; ``logs`` are
    files that a node writes beside its standard output, in its directory; ``data`` is what a node keeps
    there, as patterns of paths, and what has to go before a first start.

    Reported: ``describe(port, to_server, data)`` says in a few words what a packet to or from the port
    of that name carries; ``marks`` are patterns by kind (``leader``, ``session``, ``other``): lines of
    the nodes' logs that a report marks.
    """

    name: str
    program: Program | None
    command: tuple[str, ...]
    configure: Callable[[str, tuple[str, ...]], Mapping[str, Any]]
    ports: Mapping[str, int]
    port: str
    ready: Callable[[Endpoint], Awaitable[None]]
    primaries: Callable[[Mapping[str, Endpoint]], Awaitable[list[str]]] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Callable[[str, tuple[str, ...]], Mapping[str, str]] | None = None
    describe: Callable[[str, bool, bytes], str] | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    advertise: Callable[[Mapping[str, Any], Mapping[str, Endpoint]], Mapping[str, Any]] | None = None
    prepare: Callable[[str, tuple[str, ...]], tuple[str, ...]] | None = None
    packages: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    data: tuple[str, ...] = ("data*",)
    ready_within_s: float = 30.0


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

    def why_not(self, verb: str) -> str:
        """Why a verb cannot be done on this machine, with the way out; empty when it can.

        May try it out, so that only what is wanted should be asked for.
        """

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

    async def kill_container(self, node: str) -> None:
        """SIGKILL to all that runs in the node's container: its disk stays, its network goes."""

    async def restart(self, node: str) -> None:
        """Start the node's program again, its container first if that is dead; does not wait for it."""

    async def pause(self, node: str) -> None:
        """SIGSTOP to the node's processes."""

    async def resume(self, node: str) -> None:
        """SIGCONT."""

    async def freeze(self, node: str) -> None:
        """The kernel's freezer stops the whole machine of the node; no other verb works on it then."""

    async def thaw(self, node: str) -> None:
        """Let the machine go on."""

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
