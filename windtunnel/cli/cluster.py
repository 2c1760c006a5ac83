"""``windtunnel cluster`` and ``windtunnel image``: real clusters apart from any run."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cluster.api import Cluster
from cluster.real.cluster import RealCluster
from windtunnel import exits
from windtunnel.cli import options
from windtunnel.names import BadInputError
from windtunnel.plan import BACKENDS, make_workload, require_docker
from windtunnel.spec import TestSpec

All = Annotated[bool, typer.Option("--all", help="Of every run, whoever started it.")]
Source = Annotated[str, typer.Option(help="`registry`, `debian` (as root) or `auto`.")]
Place = Annotated[str, typer.Option("--cluster", help="`docker` or `local`.")]

cluster_app = typer.Typer(help="Keep a cluster to look at, or remove what was left.")
image_app = typer.Typer(help="The image that docker nodes are made from.")


@image_app.command("build")
def build(source: Source = "auto") -> None:
    """Make the node image, unless there is one of the same inputs."""
    require_docker()
    from cluster.docker import build_image

    console = Console()
    tag = build_image(source=source, say=lambda line: console.print(line, highlight=False))
    console.print(f"image {tag}", highlight=False)


@image_app.callback()
def _image() -> None:
    """The image that docker nodes are made from."""


@cluster_app.command("down")
def down(all_: All = False) -> None:
    """Find and remove, by label, what harnesses that were killed left in Docker."""
    if not all_:
        raise BadInputError(
            "cluster down: say --all, as it removes the clusters of runs that go on too."
        )
    require_docker()
    from cluster.docker import down_all

    removed = down_all()
    Console().print(f"removed {', '.join(removed) or 'nothing: there was nothing'}", highlight=False)


@cluster_app.command("up")
def up(
    workload: options.Workload = "snowflake",
    nodes: options.Nodes = options.NODES,
    cluster: Place = "docker",
    mutant: options.Mutant = None,
) -> None:
    """Start the nodes of a workload and keep them until Ctrl-C, for a person to look at."""
    if cluster not in ("docker", "local"):
        raise BadInputError(f"--cluster {cluster}: docker and local can be kept, a simulation cannot.")
    enter(cluster)
    spec = TestSpec(workload=workload, nodes=options.parse_nodes(nodes), mutant=mutant, backend=cluster)
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
        endpoint, how = cluster.endpoint(node), cluster.site.how_to_enter(node)
        console.print(
            f"{node}  http://{endpoint.host}:{endpoint.port}  {escape(how)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print("Ctrl-C takes it down.")
    await asyncio.Event().wait()
