"""``python -m impl.mutants NAME CONFIG``: run one known-bad node on this machine.

The configuration is what the right node of its kind takes: a JSON file, a ``zoo.cfg`` or a
``server.properties``; or that of several services, as ``impl.node`` takes it: the others are right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType

from impl import machine, node
from impl.coordination import __main__ as coordination
from impl.mutants.mutant import COORDINATION, QUEUE, Mutant
from impl.mutants.registry import MUTANTS
from impl.queue import __main__ as queue


def main(mutant: Mutant, arguments: Sequence[str]) -> int:
    """Run ``mutant`` as ``arguments`` say; an exit code."""
    if _of_several_services(arguments):
        services = MappingProxyType({**node.SERVICES, mutant.service: mutant.program})
        return machine.main(partial(node.serve, services=services), arguments)
    if mutant.kind == COORDINATION:
        return coordination.main(arguments, program=mutant.program)
    if mutant.kind == QUEUE:
        return queue.main(arguments, program=mutant.program)
    return machine.main(mutant.program, arguments)


def _of_several_services(arguments: Sequence[str]) -> bool:
    """Whether the configuration is such a one; what cannot be read is said by whoever needs it."""
    try:
        config = json.loads(machine.read_text(arguments[-1]))
    except (IndexError, OSError, ValueError):
        return False
    return isinstance(config, dict) and "services" in config


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in MUTANTS:
        sys.exit(f"there is no mutant {name!r}; known are {', '.join(MUTANTS)}")
    sys.exit(main(MUTANTS[name], sys.argv[2:]))
