"""Do simulator and real clusters agree on the mutants? ``python -m tests.agreement --cluster local``.

Runs each mutant that is marked as seen on real clusters in the simulator and on the clusters that are
named, under the same schedule and the same load, and writes what each side found into the table of
``docs/agreement.md``; what was not run keeps what it says. Ends with 1 if a mutant was not caught by the
checker that is meant for it.
"""

from __future__ import annotations

import argparse
import sys

from impl.mutants.mutant import Mutant
from tests.agreement import table
from tests.agreement.run import found
from tests.agreement.trials import marked, trial_of

_TRIES = 3


def main(arguments: list[str]) -> int:
    """Run what ``arguments`` name; the exit code."""
    asked = _parsed(arguments)
    cells = table.read()
    missed = 0
    for mutant in [each for each in marked() if not asked.mutants or each.name in asked.mutants]:
        for cluster in asked.cluster:
            said = _run(mutant, cluster)
            cells.setdefault(mutant.name, {})[cluster] = said
            table.write(marked(), cells)
            missed += not said.startswith("invalid: ")
            print(f"{mutant.name} on {cluster}: {said}", flush=True)
    return int(missed > 0)


def _run(mutant: Mutant, cluster: str) -> str:
    """What it found; on a machine that is too busy for nodes to start, or not at all, asked again."""
    for _ in range(_TRIES):
        try:
            return table.cell(found(mutant, trial_of(mutant), cluster))
        except RuntimeError as error:
            print(error, file=sys.stderr, flush=True)
    return "no verdict"


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=__doc__)
    parser.add_argument("mutants", nargs="*", help="only these (all that are marked)")
    parser.add_argument(
        "--cluster",
        action="append",
        choices=table.CLUSTERS,
        help="where, may be given several times (everywhere)",
    )
    asked = parser.parse_args(arguments)
    asked.cluster = asked.cluster or list(table.CLUSTERS)
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
