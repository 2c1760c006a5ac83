"""What a known-bad variant says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from impl.coordination.recipes.parts import RECIPES, Recipes
from impl.host import Program
from impl.queue.client.parts import CLIENTS, Clients

COORDINATION = "coordination"
QUEUE = "queue"
_COMMAND = ("python", "-m", "impl.mutants")
_FILES = MappingProxyType({COORDINATION: "zoo.cfg", QUEUE: "server.properties"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """The implementation with one piece swapped for a broken one: a node program, or a recipe.

    ``kind`` is the kind of node it replaces; ``failure`` names what happened in the real world.
    ``caught_by`` is the checker that is meant to find it, by its name in a verdict, in ``workload``;
    within ``seeds`` seeds, counted from 1, it does when faults are drawn from ``weather``, which is all
    of them unless they would be met too seldom; ``faults`` are the kinds of fault without which it
    does not show.

    ``on_real_clusters`` says whether it can be seen on real machines too: within minutes, and
    without what they cannot be given, such as power cuts. ``recipes`` (coordination) and ``clients``
    (queue) are for mutants on the client's side; their servers are the right ones.
    """

    name: str
    kind: str
    program: Program
    failure: str
    workload: str
    caught_by: str
    seeds: int
    faults: tuple[str, ...] = ()
    on_real_clusters: bool = False
    recipes: Recipes = RECIPES
    clients: Clients = CLIENTS
    weather: tuple[str, ...] = ("all",)
    nodes: int | None = None

    @property
    def size(self) -> int:
        """On how many nodes it is looked for: five, of brokers three, unless it says another number."""
        return self.nodes or (3 if self.kind == QUEUE else 5)

    @property
    def service(self) -> str:
        """Which of the services of ``impl.node`` it takes the place of."""
        return self.kind if self.kind in _FILES else "ids"

    @property
    def command(self) -> tuple[str, ...]:
        """How a real machine runs it alone; ``{config}`` stands for the path of the configuration."""
        return (*_COMMAND, self.name, _FILES.get(self.kind, "{config}"))

    @property
    def command_among_others(self) -> tuple[str, ...]:
        """How a real machine runs it in a node of several services, the others of which are right."""
        return (*_COMMAND, self.name, "{config}")
