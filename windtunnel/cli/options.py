"""The options that several commands share, and the test that they describe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nemesis.schedule_file import read, to_json
from windtunnel.names import BadInputError
from windtunnel.spec import Fault, TestSpec, node_names

Workload = Annotated[str, typer.Argument(help="A workload: see `windtunnel list`.", show_default=False)]
Nodes = Annotated[str, typer.Option(help="How many nodes, or their names with commas.")]
Concurrency = Annotated[int, typer.Option(help="Clients at a time.")]
Rate = Annotated[float, typer.Option(help="Operations per second, over all clients.")]
TimeLimit = Annotated[float, typer.Option(help="Seconds of the main phase.")]
OpTimeout = Annotated[float, typer.Option(help="Seconds until an operation counts as `info`.")]
Ops = Annotated[int | None, typer.Option(help="Invoke at most this many operations.")]
Faults = Annotated[str, typer.Option(help="Fault kinds or families with commas, `all` or `none`.")]
Targets = Annotated[
    str | None,
    typer.Option(help="What drawn faults may hit, with commas; what suits the workload unless given."),
]
Mutant = Annotated[str | None, typer.Option(help="A known-bad variant: see `windtunnel list`.")]
Backend = Annotated[str, typer.Option("--cluster", help="Where the nodes run.")]
System = Annotated[
    str | None, typer.Option("--system", help="What runs on the nodes: `impl`, `zookeeper`, `mariadb`.")
]
Inventory = Annotated[
    Path | None, typer.Option(help="Which hosts the nodes are, for --cluster ssh.", show_default=False)
]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of the workload, as name=value.")
]
Client = Annotated[
    str | None, typer.Option(help="Whose clients: a queue workload's option of that name.")
]
Schedule = Annotated[Path | None, typer.Option(help="A schedule file, in place of --faults.")]
Store = Annotated[Path, typer.Option(help="Where run directories are kept.")]

STORE = Path("store")
DEFAULT = TestSpec(workload="")
NODES = str(len(DEFAULT.nodes))


def spec(
    workload: str,
    *,
    seed: int = 0,
    nodes: str,
    concurrency: int,
    rate: float,
    time_limit: float,
    op_timeout: float,
    ops: int | None,
    faults: str,
    targets: str | None,
    schedule: Path | None,
    mutant: str | None,
    cluster: str = DEFAULT.backend,
    option: list[str] | None,
    system: str | None = None,
    inventory: Path | None = None,
    client: str | None = None,
) -> TestSpec:
    """The test that the options describe. Raises BadInputError or ScheduleError."""
    names = parse_nodes(nodes)
    return TestSpec(
        workload=workload,
        seed=seed,
        nodes=names,
        concurrency=concurrency,
        rate=rate,
        time_limit_s=time_limit,
        op_timeout_s=op_timeout,
        ops=ops,
        faults=parse_names(faults) or ("none",),
        targets=parse_names(targets or ""),
        schedule=None if schedule is None else read_schedule(schedule, names),
        mutant=mutant,
        backend=cluster,
        system=system,
        inventory=None if inventory is None else str(inventory),
        options={**parse_options(option), **({} if client is None else {"client": client})},
    )


def read_schedule(path: Path, nodes: tuple[str, ...]) -> tuple[Fault, ...]:
    """The faults in a schedule file, for these nodes. Raises BadInputError or ScheduleError."""
    try:
        return tuple(to_json(fault) for fault in read(path, nodes=nodes))
    except OSError as error:
        raise BadInputError(f"--schedule {path}: {error.strerror}.") from None


def parse_nodes(text: str) -> tuple[str, ...]:
    """``5`` is n1 to n5; ``a,b,c`` are names. Raises BadInputError."""
    if text.lstrip("-").isdigit():
        return node_names(int(text))
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise BadInputError(f"--nodes {text!r}: give a number, or names with commas between them.")
    return names


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_options(pairs: list[str] | None) -> dict[str, Any]:
    """``name=value`` pairs; numbers and booleans are read as such. Raises BadInputError."""
    options: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise BadInputError(f"--option {pair!r}: write it as name=value.")
        options[name.replace("-", "_")] = _value(value)
    return options


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
