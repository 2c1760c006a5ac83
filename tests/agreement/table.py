"""The table of ``docs/agreement.md``: a row for each marked mutant, a column for each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import dropwhile

from impl.mutants.mutant import Mutant
from tests.agreement.run import Found
from tests.support.realclusters import ROOT

PAGE = ROOT / "docs" / "agreement.md"
CLUSTERS = ("sim", "local", "docker")
_HEAD = f"| mutant | workload | checker | {' | '.join(f'`{cluster}`' for cluster in CLUSTERS)} |"
_RULE = "|---|---|---|" + "---|" * len(CLUSTERS)
NOT_RUN = "not run"

Cells = Mapping[str, Mapping[str, str]]
"""What each mutant's row says, by cluster."""


def cell(found: Found) -> str:
    """A verdict and its anomalies, as the table has it."""
    names = ", ".join(f"`{name}`" for name in found.anomalies)
    return f"{found.verdict}: {names}" if names else found.verdict


def agrees(cells: Mapping[str, str]) -> bool:
    """Whether every cluster caught it, by the checker that is meant to."""
    return all(cells.get(cluster, "").startswith("invalid: ") for cluster in CLUSTERS)


def read() -> dict[str, dict[str, str]]:
    """The table as it stands."""
    rows = [_columns(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return {
        row[0].strip("`"): dict(zip(CLUSTERS, row[3:], strict=True))
        for row in rows
        if len(row) == 3 + len(CLUSTERS) and row[0].startswith("`")
    }


def write(mutants: Sequence[Mutant], cells: Cells) -> None:
    """Put the table into the page, in place of the one that is there."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_HEAD)
    after = dropwhile(lambda line: not line or line.startswith("|"), rest.splitlines())
    rows = [_row(mutant, cells.get(mutant.name, {})) for mutant in mutants]
    text = "\n".join([_HEAD, _RULE, *rows, "", *after, ""])
    PAGE.write_text(before + text, encoding="utf-8")


def _row(mutant: Mutant, cells: Mapping[str, str]) -> str:
    said = (cells.get(cluster, NOT_RUN) for cluster in CLUSTERS)
    words = (f"`{mutant.name}`", f"`{mutant.workload}`", f"`{mutant.caught_by}`", *said)
    return f"| {' | '.join(words)} |"


def _columns(line: str) -> list[str]:
    return [word.strip() for word in line.strip("|").split(" | ")] if line.startswith("| ") else []
