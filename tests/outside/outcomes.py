"""What became of the tests of a suite that others wrote: from its JUnit report to names and sums."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

OPTIONS = (
    "-q",
    "--show-capture=no",
    "--tb=no",
    "--no-summary",
    "-W",
    "ignore",
    "-p",
    "no:cacheprovider",
)
"""What pytest shall not print: names and reasons are told from the report."""
_STATES = ("passed", "skipped", "failed")


class Outcome(NamedTuple):
    """What became of a test: ``passed``, ``failed`` or ``skipped``, and why if it did not pass."""

    name: str
    state: str
    reason: str = ""


def parse(report: str, under: str) -> list[Outcome]:
    """The outcomes in a JUnit report; a test with several entries is as bad as its worst.

    ``under`` is the package of the suite, which names go without.
    """
    worst: dict[str, Outcome] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        found = _outcome(case, under)
        before = worst.get(found.name)
        if before is None or _STATES.index(found.state) > _STATES.index(before.state):
            worst[found.name] = found
    return list(worst.values())


def _outcome(case: ElementTree.Element, under: str) -> Outcome:
    name = f"{case.get('classname')}.{case.get('name')}".rpartition(f"{under}.")[2]
    for kind, state in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(kind)
        if found is not None:
            return Outcome(name, state, " ".join((found.get("message") or "").split())[:160])
    return Outcome(name, "passed")


def told(outcomes: list[Outcome]) -> list[str]:
    """What did not pass, by name and state, and the sums."""
    counts = Counter(each.state for each in outcomes)
    lines = [f"{each.state}: {each.name}: {each.reason}" for each in outcomes if each.state != "passed"]
    sums = ", ".join(f"{counts[state]} {state}" for state in ("passed", "failed", "skipped"))
    return [*sorted(lines), sums]


def unexpected(outcomes: list[Outcome], not_there: tuple[str, ...]) -> list[str]:
    """The tests that failed and had no reason to: their names begin with none of ``not_there``."""
    failed = (each.name for each in outcomes if each.state == "failed")
    return [name for name in failed if not name.startswith(not_there)]


def run_all(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], within_s: float
) -> int:
    """Run pytest; all that it started is gone when this returns."""
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    try:
        return process.wait(timeout=within_s)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
