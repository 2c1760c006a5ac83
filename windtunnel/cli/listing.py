"""``windtunnel list``: every name that a command takes, with one line about it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from checkers.models import MODELS, Model
from cluster.systems.registry import FOREIGN
from impl.mutants.registry import MUTANTS
from nemesis.kinds import FAMILIES, KINDS
from nemesis.targets import TARGETS
from windtunnel.plan import BACKENDS
from workloads.registry import WORKLOADS

BACKEND_LINES = {
    "sim": "all nodes in one process, in virtual time, decided by one seed",
    "docker": "each node a container; needs a Docker daemon and `windtunnel image build`",
    "local": "each node a process of this machine, in private namespaces; needs Linux, no privilege",
    "ssh": "each node a host that --inventory names; needs sshd and root, or sudo, there",
}
TARGET_LINES = {
    "one": "any one node",
    "minority": "as many as can fail while a majority stays",
    "minority-third": "fewer than a third of them",
    "majority": "the fewest that are more than half",
    "all": "every node",
    "primaries": "whoever leads when the fault begins",
}


def list_() -> None:
    """Show all workloads, faults, targets, mutants, models and clusters."""
    console = Console()
    for title, lines in names().items():
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
        for name, line in lines.items():
            table.add_row(f"[bold]{escape(name)}[/]", escape(line))
        console.print(f"\n[bold underline]{title}[/]")
        console.print(table)


def names() -> dict[str, dict[str, str]]:
    """Every registry by its title, each name with one line."""
    return {
        "Workloads (run, campaign, check --workload)": _documented(WORKLOADS),
        "Faults (--faults)": {name: kind.doc for name, kind in KINDS.items()},
        "Families of faults (--faults)": {
            name: ", ".join(kinds) or "no fault" for name, kinds in FAMILIES.items()
        },
        "Targets (what a drawn fault may hit)": {name: TARGET_LINES.get(name, "") for name in TARGETS},
        "Mutants (--mutant)": {
            name: f"{m.workload}, {m.caught_by}: {m.failure}" for name, m in MUTANTS.items()
        },
        "Models (check --model)": {name: _functions(model) for name, model in MODELS.items()},
        "Systems (--system)": {"impl": "our own, unless another is named", **_foreign()},
        "Clusters (--cluster)": {name: BACKEND_LINES.get(name, "") for name in BACKENDS},
    }


def _foreign() -> dict[str, str]:
    """What is not ours, and the packages it comes from."""
    return {name: f"Debian's {', '.join(make(('n1',)).packages)}" for name, make in FOREIGN.items()}


def _documented(registry: Mapping[str, Any]) -> dict[str, str]:
    """The first line of the docstring of each entry's module, which is its manual."""
    docs = {name: inspect.getdoc(inspect.getmodule(entry)) or "" for name, entry in registry.items()}
    return {name: doc.partition("\n")[0] for name, doc in docs.items()}


def _functions(model: Model) -> str:
    return f"{', '.join(sorted(model.functions))}; starts as {model.initial!r}"
