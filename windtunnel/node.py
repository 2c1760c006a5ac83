"""``python -m windtunnel.node MODULE:FUNCTION CONFIG.json``: a node of one's own test."""

from __future__ import annotations

import importlib
import operator
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from impl.machine import main
from windtunnel.own import as_program

USAGE = "give MODULE:FUNCTION and the path of one configuration file"


def run(arguments: Sequence[str]) -> int:
    """Run the node until SIGTERM or SIGINT; an exit code, and why on stderr if it cannot run."""
    if not arguments or ":" not in arguments[0]:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        program = found(arguments[0])
    except (ImportError, AttributeError) as error:
        print(f"the node's function {arguments[0]} cannot be found: {error}", file=sys.stderr)
        return 2
    return main(as_program(program), arguments[1:])


def found(place: str) -> Callable[..., Awaitable[Any]]:
    """The function at ``module:name``. Raises ImportError or AttributeError."""
    module, _, name = place.partition(":")
    function: Callable[..., Awaitable[Any]] = operator.attrgetter(name)(importlib.import_module(module))
    return function


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
