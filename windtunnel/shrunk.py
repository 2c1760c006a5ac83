"""What a campaign found, made small: the smallest seed of each group of failures is shrunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nemesis.schedule_file import from_json, write
from windtunnel.campaign import Finding, Tally
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.shrink import Case
from windtunnel.shrinking import shrink_run
from windtunnel.spec import TestSpec

BUDGET_RUNS = 200
MOST_GROUPS = 12


def shrink_groups(
    tally: Tally,
    spec: TestSpec,
    *,
    known: Mapping[str, Mapping[str, Any]],
    budget: int = BUDGET_RUNS,
    on_run: Callable[[str, int, Case], None] = lambda signature, runs, smallest: None,
) -> Iterator[dict[str, Any]]:
    """Shrink the smallest seed of each invalid group, of the first dozen; an entry each for the log.

    Groups whose smallest seed is ``known`` already are passed over, and seeds that cannot be shrunk.
    """
    for signature, findings in list(tally.by_signature().items())[:MOST_GROUPS]:
        finding = smallest_of(findings)
        if finding.valid is not False or known.get(signature, {}).get("seed") == finding.seed:
            continue

        def report(runs: int, case: Case, signature: str = signature) -> None:
            on_run(signature, runs, case)

        try:
            smallest, shrunk = shrink_run(
                spec.with_seed(finding.seed), signature=signature, budget=budget, on_run=report
            )
        except BadInputError:  # it does not fail again: the campaign says that it is not deterministic
            continue
        yield {
            "signature": signature,
            "seed": finding.seed,
            "spec": smallest.to_dict(),
            "runs": shrunk.runs,
            "complete": shrunk.complete,
        }


def smallest_of(findings: list[Finding]) -> Finding:
    """The one with the fewest faults; of several the one that failed earliest."""

    def size(one: Finding) -> tuple[int, float, int]:
        return one.faults, float("inf") if one.failed_at_s is None else one.failed_at_s, one.seed

    return min(findings, key=size)


def keep_schedule(directory: Path, entry: Mapping[str, Any]) -> str:
    """Write the schedule of an entry into ``directory``; the command that runs what was shrunk."""
    spec = TestSpec.from_dict(entry["spec"], where="the log")
    name = re.sub(r"[^\w]+", "-", f"{spec.mutant or spec.workload}-{spec.seed}-{entry['signature']}")
    path = directory / f"shrunk-{name[:120].strip('-')}.json"
    try:
        write(path, tuple(from_json(fault) for fault in spec.schedule or ()))
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}.") from None
    return repeat_line(spec, schedule=path)
