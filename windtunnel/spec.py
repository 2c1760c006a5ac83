"""Everything that is needed to repeat a run, as data: what ``test.json`` holds."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

from windtunnel.names import BadInputError

Fault = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSpec:
    """One run of one workload.

    ``faults`` are the kinds and families that a schedule is drawn from by ``seed``, ``targets`` what
    they may hit (none: what the workload says); ``schedule`` takes their place when it is given.
    ``rate`` is in operations per second over all clients; ``ops`` caps their number. ``options`` go to
    the workload. ``system`` is what runs on the nodes, the reference implementation unless given;
    ``inventory`` the file that says which hosts they are, for backend ``ssh``.
    """

    __test__: ClassVar[bool] = False

    workload: str
    seed: int = 0
    nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4", "n5")
    concurrency: int = 5
    rate: float = 10.0
    time_limit_s: float = 30.0
    op_timeout_s: float = 5.0
    ops: int | None = None
    faults: tuple[str, ...] = ("all",)
    targets: tuple[str, ...] = ()
    schedule: tuple[Fault, ...] | None = None
    mutant: str | None = None
    backend: str = "sim"
    system: str | None = None
    inventory: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises BadInputError for a number that no run can have."""
        for name in ("concurrency", "rate", "time_limit_s", "op_timeout_s"):
            if not getattr(self, name) > 0:
                raise BadInputError(f"{name} is {getattr(self, name)}: it must be above 0.")
        if self.ops is not None and self.ops < 1:
            raise BadInputError(f"ops is {self.ops}: it must be at least 1, or left out.")
        if not self.nodes or len(set(self.nodes)) != len(self.nodes):
            raise BadInputError(f"nodes are {', '.join(self.nodes) or 'none'}: name each node once.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any], *, where: str = "test.json") -> TestSpec:
        """The spec that ``to_dict`` wrote. Raises BadInputError naming the field that is wrong."""
        names = {f.name for f in fields(cls)}
        if unknown := sorted(set(entry) - names):
            raise BadInputError(f"{where}: unknown field {unknown[0]!r}; a spec has {sorted(names)}.")
        if "workload" not in entry:
            raise BadInputError(f"{where}: the field 'workload' is missing.")
        try:
            return cls(**{name: _frozen(value) for name, value in entry.items()})
        except (TypeError, BadInputError) as error:
            raise BadInputError(f"{where}: {error}") from None

    def with_seed(self, seed: int) -> TestSpec:
        """The same test from another seed."""
        return replace(self, seed=seed)


def node_names(count: int) -> tuple[str, ...]:
    """``n1`` to ``n<count>``."""
    if count < 1:
        raise BadInputError(f"{count} nodes: a cluster has at least one.")
    return tuple(f"n{number}" for number in range(1, count + 1))


@cache
def versions() -> dict[str, str]:
    """Python, windtunnel and, in a checkout, the commit: kept beside the spec in ``test.json``."""
    return {
        "python": platform.python_version(),
        "windtunnel": windtunnel_version(),
        **({"commit": commit} if (commit := _commit()) else {}),
    }


def windtunnel_version() -> str:
    """The installed version, or ``unknown`` when run from loose files."""
    try:
        return version("windtunnel")
    except PackageNotFoundError:
        return "unknown"


def _commit() -> str | None:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
