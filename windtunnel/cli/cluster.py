"""``windtunnel cluster`` and ``windtunnel image``: real clusters apart from any run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cluster.api import Cluster
from cluster.real.cluster import RealCluster
from cluster.systems.registry import FOREIGN
from windtunnel import exits
from windtunnel.cli import options
from windtunnel.names import BadInputError, find
from windtunnel.plan import BACKENDS, make_workload, require_docker, require_ssh
from windtunnel.spec import TestSpec

All = Annotated[bool, typer.Option("--all", help="Of every run, whoever started it.")]
Source = Annotated[str, typer.Option(help="`registry`, `debian` (as root) or `auto`.")]
Foreign = Annotated[
    str | None, typer.Option("--system", help="`zookeeper` or `mariadb`; our own unless given.")
]
Place = Annotated[str, typer.Option("--cluster", help="`docker`, `local` or `ssh`.")]

cluster_app = typer.Typer(help="Keep a cluster to look at, or remove what was left.")
image_app = typer.Typer(help="The image that docker nodes are made from.")


@image_app.command("build")
def build(source: Source = "auto", system: Foreign = None) -> None:
    """Make the node image, or that of another system, unless there is one of the same inputs."""
    require_docker()
    from cluster.docker import build_image

    made = None if system is None else find("system", system, FOREIGN)(("n1",))
    console = Console()
    tag = build_image(source=source, system=made, say=lambda line: console.print(line, highlight=False))
    console.print(f"image {tag}", highlight=False)


@image_app.callback()
def _image() -> None:
    """The image that docker nodes are made from."""


@cluster_app.command("down")
def down(all_: All = False, inventory: options.Inventory = None) -> None:
    """Find and remove what harnesses that were killed left: in Docker by label, or on hosts by name."""
    if not all_:
        raise BadInputError(
            "cluster down: say --all, as it removes the clusters of runs that go on too."
        )
    removed = _down_in_docker() if inventory is None else _down_on_hosts(inventory)
    Console().print(f"removed {', '.join(removed) or 'nothing: there was nothing'}", highlight=False)


def _down_in_docker() -> list[str]:
    require_docker()
    from cluster.docker import down_all

    return down_all()


def _down_on_hosts(inventory: Path) -> list[str]:
    require_ssh()
    from cluster.ssh import down_all, read_inventory

    return down_all(read_inventory(inventory))


@cluster_app.command("up")
def up(
    workload: options.Workload = "snowflake",
    nodes: options.Nodes = options.NODES,
    cluster: Place = "docker",
    mutant: options.Mutant = None,
    system: options.System = None,
    inventory: options.Inventory = None,
) -> None:
    """Start the nodes of a workload and keep them until Ctrl-C, for a person to look at."""
    if cluster not in ("docker", "local", "ssh"):
        raise BadInputError(
            f"--cluster {cluster}: docker, local and ssh can be kept, a simulation cannot."
        )
    enter(cluster)
    spec = TestSpec(
        workload=workload,
        nodes=options.parse_nodes(nodes),
        mutant=mutant,
        backend=cluster,
        system=system,
        inventory=None if inventory is None else str(inventory),
    )
    made = BACKENDS[cluster](make_workload(spec), spec)
    try:
        made.run(lambda: _kept(made, Console()))
    except KeyboardInterrupt:
        raise exits.Finished(exits.VALID) from None


def enter(backend: str) -> None:
    """Start this process again in private namespaces if ``backend`` needs that. Raises ClusterError."""
    if backend == "local":
        from cluster.local import enter as enter_namespaces

        enter_namespaces()


async def _kept(cluster: Cluster, console: Console) -> None:
    assert isinstance(cluster, RealCluster)
    await cluster.start()
    for node in cluster.nodes:
        reached = ((name, cluster.endpoint(node, name)) for name in cluster.system.ports)
        ports = "  ".join(f"{name} {endpoint.host}:{endpoint.port}" for name, endpoint in reached)
        how = cluster.site.how_to_enter(node)
        console.print(f"{node}  {ports}  {escape(how)}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C takes it down.")
    await asyncio.Event().wait()
