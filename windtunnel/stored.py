"""Runs that leave a run directory behind, and what is read back from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from checkers.verdict import Verdict
from history.errors import StoreError
from history.store import RunDirectory, create, open_run
from nemesis.schedule_file import from_json, write
from reports.schema import RESULTS_VERSION
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.near import messages_near
from windtunnel.plan import Workloads, prepare
from windtunnel.runner import Run, run_test
from windtunnel.spec import TestSpec, versions
from windtunnel.stats import stats
from workloads.registry import WORKLOADS

SCHEDULE = "schedule.json"
SHRUNK = "shrunk.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run directory as it was read back; ``facts`` are what the checkers were told."""

    directory: RunDirectory
    spec: TestSpec
    facts: Mapping[str, Any]


def run_stored(
    spec: TestSpec, root: Path, *, workloads: Workloads = WORKLOADS, repeat: str | None = None
) -> tuple[Run, RunDirectory]:
    """Run ``spec`` and keep everything under ``root``.

    The workload's name is looked up in ``workloads``; ``repeat`` is the command that runs it again, if
    that is not ``windtunnel run``.

    Raises BadInputError or ScheduleError for what cannot be run, and StoreError for a store that takes
    no files, all before anything starts.
    """
    plan = prepare(spec, workloads)
    directory = create(root, spec.workload, datetime.now(UTC))

    def keep_test(facts: Mapping[str, Any]) -> None:
        directory.write_test({"spec": spec.to_dict(), "versions": versions(), "facts": facts})

    keep_test({})
    run = run_test(spec, workloads=workloads, history_path=directory.history_path, on_facts=keep_test)
    write(directory.path / SCHEDULE, tuple(from_json(fault) for fault in run.schedule))
    directory.write_logs(run.logs)
    told = results(run, repeat=repeat or _repeat(spec, directory))
    if run.digest is not None and run.verdict.valid is False and not run.interrupted:
        messages, told["repeated"] = messages_near(run, plan.workload.system, workloads=workloads)
        directory.write_messages(messages)
    directory.write_results(told)
    return run, directory


def read_back(path: Path) -> StoredRun:
    """The run at ``path``. Raises StoreError or BadInputError when it cannot be repeated from there."""
    directory = open_run(path)
    test = directory.read_test()
    where = str(directory.path / "test.json")
    if not isinstance(test.get("spec"), dict):
        raise BadInputError(f"{where}: the field 'spec' is missing; the run cannot be repeated from it.")
    spec = TestSpec.from_dict(test["spec"], where=where)
    if spec.workload not in WORKLOADS and (line := _told_repeat(directory)):
        raise BadInputError(f"{where}: its workload is a test's own; repeat it by {line}")
    return StoredRun(
        directory=directory,
        spec=spec,
        facts=test.get("facts") or {},
    )


def _told_repeat(directory: RunDirectory) -> str | None:
    try:
        line = directory.read_results().get("repeat")
    except StoreError:
        return None
    return line if isinstance(line, str) else None


def results(run: Run, *, repeat: str) -> dict[str, Any]:
    """What ``results.json`` holds: the verdict under Jepsen's keys, and how the run went.

    ``reports/schema`` has the schema of it.
    """
    return {
        "results-version": RESULTS_VERSION,
        **verdict_dict(run.verdict),
        "stats": stats(run.history),
        "digest": run.digest,
        "ran_s": run.ran_s,
        "cpu_s": run.cpu_s,
        "interrupted": run.interrupted,
        "repeat": repeat,
    }


def from_here(path: Path) -> Path:
    """Relative to the working directory if it lies below: what is printed is to be pasted."""
    full, here = path.absolute(), Path.cwd()
    return full.relative_to(here) if full.is_relative_to(here) else path


def _repeat(spec: TestSpec, directory: RunDirectory) -> str:
    schedule = None if spec.schedule is None else from_here(directory.path / SCHEDULE)
    return repeat_line(spec, schedule=schedule)


def verdict_dict(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values; its parts by the name of their checker."""
    own: dict[str, Any] = {"valid?": verdict.valid}
    if verdict.reason:
        own["reason"] = verdict.reason
    if verdict.parts:
        return own | {part.checker: verdict_dict(part) for part in verdict.parts}
    return own | dict(verdict.counts) | {"anomalies": [asdict(a) for a in verdict.anomalies]}
