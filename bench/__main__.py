"""Print every figure that windtunnel promises, with its target and its ratio.

``python -m bench [MODULE …]`` calls each public function of the modules of this folder. A function
returns a figure or several, at once or one by one: ``name`` (the function's unless given), ``value`` and
``unit`` (or ``seconds``), ``target``, ``ratio``, and whatever else belongs to it. A ratio above 1 is
better than the target, below 1 is a miss. Nothing here fails: figures depend on the machine, so they
are shown.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

import bench

Figure = dict[str, Any]


def main(names: list[str]) -> None:
    """Run the modules that are named, all of this folder unless some are."""
    table = Table("figure", "value", "target", "ratio", "beside it", title="windtunnel bench")
    console = Console()
    for name in names or sorted(module.name for module in pkgutil.iter_modules(bench.__path__)):
        if name.startswith("_"):
            continue
        for figure in _figures(importlib.import_module(f"bench.{name}")):
            cells = _cells(figure)
            console.print(f"[dim]{name}: {figure['name']}: {cells[0]} ({cells[3]})[/]")
            table.add_row(f"{name}: {figure['name']}", *cells)
    console.print(table)


def _figures(module: ModuleType) -> Iterator[Figure]:
    for function in _public_functions(module):
        try:
            result = function()
            for figure in [result] if isinstance(result, dict) else result:
                yield {"name": function.__name__, **figure}
        except Exception as error:  # one broken figure must not hide the others
            yield {"name": function.__name__, "value": f"{type(error).__name__}: {error}"}


def _public_functions(module: ModuleType) -> list[Callable[[], Any]]:
    """The module's own functions that can be called without arguments, in the order of the source."""
    return [
        function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and all(p.default is not p.empty for p in inspect.signature(function).parameters.values())
    ]


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    rest = dict(figure)
    rest.pop("name")
    unit = rest.pop("unit", "s" if "seconds" in rest else "")
    value = rest.pop("value") if "value" in rest else rest.pop("seconds", None)
    target = next((rest.pop(name) for name in list(rest) if name.startswith("target")), None)
    ratio = rest.pop("ratio", None)
    beside = ", ".join(f"{name} {_number(value, '')}" for name, value in rest.items())
    return _number(value, unit), _number(target, unit), _ratio(ratio), beside


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"[green]{ratio:.2f}" if ratio >= 1 else f"[red]{ratio:.2f} (miss)"


def _number(value: Any, unit: str) -> str:
    if isinstance(value, int | float):
        return f"{value:,.4g} {unit}".strip() if abs(value) < 1000 else f"{value:,.0f} {unit}".strip()
    return "" if value is None else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
