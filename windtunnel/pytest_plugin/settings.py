"""What one test runs: its mark, and the options of the command line that take the place of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from nemesis.schedule_file import from_json, read, to_json
from windtunnel.campaign import parse_duration, parse_seeds
from windtunnel.commands import hash_seed
from windtunnel.names import BadInputError, suggestion
from windtunnel.spec import TestSpec, node_names

MARK = "windtunnel"
STORE = "store"
KEYWORDS = {
    "workload": "a registered workload's name, or a function of its options",
    "nemesis": "fault kinds or families, as a text with commas or a list",
    "targets": "what drawn faults may hit, likewise",
    "schedule": "faults as in a schedule file, in place of drawn ones",
    "seeds": "how many, or a range",
    "nodes": "how many, or their names",
    "concurrency": "clients at a time",
    "rate": "operations per second, over all clients",
    "time_limit_s": "seconds of each run",
    "op_timeout_s": "seconds until an operation counts as info",
    "ops": "at most so many operations",
    "mutant": "a known-bad variant",
    "cluster": "where nodes run",
    "options": "options of the workload, by name",
}
_SAME = ("concurrency", "rate", "time_limit_s", "op_timeout_s", "ops", "mutant", "options")
_OVERRIDES = ("time_limit", "cluster", "nemesis", "schedule", "concurrency", "ops")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``spec`` is the test without its seed; ``workload`` what the mark names, if anything.

    ``for_s`` bounds the real time in which seeds are begun; ``words`` are the options that were given on
    the command line and change a run.
    """

    spec: TestSpec
    seeds: range
    workload: Any = None
    for_s: float | None = None
    shrink: bool = False
    store: Path = Path(STORE)
    words: tuple[str, ...] = field(default_factory=tuple)


def settings_of(node: pytest.Item, name: str) -> Settings:
    """The settings of a test; ``name`` stands for its workload. Raises BadInputError, ScheduleError."""
    mark = _merged(node)
    given = {key: node.config.getoption(f"windtunnel_{key}") for key in _OVERRIDES}
    spec = _overridden(_spec(mark, name), given)
    seeds, alone = _seeds(mark, node.config, spec.backend)
    for_text = node.config.getoption("windtunnel_for")
    return Settings(
        spec=spec,
        seeds=seeds,
        workload=mark.get("workload"),
        for_s=None if for_text is None or alone else parse_duration(for_text, "--windtunnel-for"),
        shrink=bool(node.config.getoption("windtunnel_shrink")),
        store=Path(node.config.getoption("windtunnel_store") or STORE),
        words=tuple(
            word
            for key, value in given.items()
            if value is not None
            for word in (f"--windtunnel-{key.replace('_', '-')}", _plain(value))
        ),
    )


def repeat_line(node: pytest.Item, settings: Settings, *, smallest: tuple[TestSpec, Path] | None) -> str:
    """The command that runs this seed of this test again; ``smallest`` is a shrunk test and its file."""
    words = ["pytest", _from_here(node), "--windtunnel-seed", str(settings.spec.seed)]
    if smallest is None:
        words += settings.words
    else:
        spec, schedule = smallest
        words += ["--windtunnel-schedule", str(schedule)]
        words += ["--windtunnel-time-limit", f"{spec.time_limit_s:g}"]
        words += ["--windtunnel-concurrency", str(spec.concurrency)]
        words += [] if spec.ops is None else ["--windtunnel-ops", str(spec.ops)]
    return hash_seed(usual="random") + shlex.join(words)


def _from_here(node: pytest.Item) -> str:
    """The test's id, relative to the directory in which pytest was called."""
    path, colons, name = str(node.nodeid).partition("::")
    here = node.config.invocation_params.dir
    return f"{os.path.relpath(node.config.rootpath / path, here)}{colons}{name}"


def _merged(node: pytest.Item) -> dict[str, Any]:
    """The marks of module, class and function, the nearest first."""
    merged: dict[str, Any] = {}
    for mark in node.iter_markers(MARK):
        if mark.args:
            raise BadInputError(f"@pytest.mark.{MARK} takes names: {', '.join(KEYWORDS)}.")
        for name in mark.kwargs:
            if name not in KEYWORDS:
                raise BadInputError(f"@pytest.mark.{MARK} has no {name!r}: {suggestion(name, KEYWORDS)}")
        merged = {**mark.kwargs, **merged}
    return merged


def _spec(mark: Mapping[str, Any], name: str) -> TestSpec:
    changes: dict[str, Any] = {key: mark[key] for key in _SAME if key in mark}
    if "nodes" in mark:
        nodes = mark["nodes"]
        changes["nodes"] = node_names(nodes) if isinstance(nodes, int) else tuple(nodes)
    if "nemesis" in mark:
        changes["faults"] = _names(mark["nemesis"]) or ("none",)
    if "targets" in mark:
        changes["targets"] = _names(mark["targets"])
    if mark.get("schedule") is not None:
        changes["schedule"] = tuple(to_json(from_json(fault)) for fault in mark["schedule"])
    workload = mark.get("workload")
    name = workload if isinstance(workload, str) else name
    return TestSpec(workload=name, backend=mark.get("cluster", "sim"), **changes)


def _overridden(spec: TestSpec, given: Mapping[str, Any]) -> TestSpec:
    changes = {key: given[key] for key in ("concurrency", "ops") if given[key] is not None}
    if given["time_limit"] is not None:
        changes["time_limit_s"] = given["time_limit"]
    if given["cluster"] is not None:
        changes["backend"] = given["cluster"]
    if given["nemesis"] is not None:
        changes |= {"faults": _names(given["nemesis"]) or ("none",), "schedule": None}
    if given["schedule"] is not None:
        changes["schedule"] = _schedule(Path(given["schedule"]), spec.nodes)
    return replace(spec, **changes)


def _schedule(path: Path, nodes: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    try:
        return tuple(to_json(fault) for fault in read(path, nodes=nodes))
    except OSError as error:
        raise BadInputError(f"--windtunnel-schedule {path}: {error.strerror}.") from None


def _seeds(mark: Mapping[str, Any], config: pytest.Config, backend: str) -> tuple[range, bool]:
    """Which seeds, and whether it is one that was asked for by its number."""
    if (seed := config.getoption("windtunnel_seed")) is not None:
        return range(seed, seed + 1), True
    if (text := config.getoption("windtunnel_seeds")) is not None:
        return _parsed(text), False
    if backend != "sim":  # half a minute each, so more than one must be asked for
        return range(1), False
    seeds = mark.get("seeds", 1)
    if isinstance(seeds, int):
        seeds = range(seeds)
    if not isinstance(seeds, range) or not seeds or min(seeds) < 0:
        raise BadInputError(f"seeds={mark['seeds']!r}: give a number above 0, or a range of seeds.")
    return seeds, False


def _parsed(text: str) -> range:
    try:
        return parse_seeds(text if ":" in text else f"0:{text}")
    except BadInputError as error:
        raise BadInputError(str(error).replace("--seeds", "--windtunnel-seeds", 1)) from None


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in names if name.strip())


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
