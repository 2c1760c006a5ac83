"""The one line that repeats a run: only what differs from the defaults, ready to paste into a shell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from windtunnel.spec import TestSpec, node_names

_PLAIN = (
    "concurrency",
    "rate",
    "time_limit_s",
    "op_timeout_s",
    "ops",
    "mutant",
    "system",
    "backend",
    "inventory",
)
_FLAGS = {"time_limit_s": "time-limit", "op_timeout_s": "op-timeout", "backend": "cluster"}


def repeat_line(spec: TestSpec, *, schedule: Path | None = None) -> str:
    """``windtunnel run …`` for ``spec``; ``schedule`` is the file that holds its explicit schedule."""
    default = TestSpec(workload=spec.workload)
    words = ["windtunnel", "run", spec.workload, "--seed", str(spec.seed)]
    if spec.nodes != default.nodes:
        plain = spec.nodes == node_names(len(spec.nodes))
        words += ["--nodes", str(len(spec.nodes)) if plain else ",".join(spec.nodes)]
    for name in _PLAIN:
        if (value := getattr(spec, name)) != getattr(default, name):
            words += [
                f"--{_FLAGS.get(name, name)}",
                f"{value:g}" if isinstance(value, float) else str(value),
            ]
    for name, value in spec.options.items():
        words += ["--option", f"{name}={value}"]
    if schedule is not None:
        words += ["--schedule", str(schedule)]
    elif spec.faults != default.faults:
        words += ["--faults", ",".join(spec.faults)]
    if schedule is None and spec.targets != default.targets:
        words += ["--targets", ",".join(spec.targets)]
    return hash_seed(usual="0") + shlex.join(words)


def campaign_line(spec: TestSpec, seeds: range) -> str:
    """``windtunnel campaign …`` for the same test over ``seeds``."""
    line = repeat_line(spec).replace("windtunnel run", "windtunnel campaign", 1)
    return line.replace(f"--seed {spec.seed}", f"--seeds {seeds.start}:{seeds.stop}", 1)


def hash_seed(*, usual: str) -> str:
    """What a command must begin with, unless the variable is not set or has the ``usual`` value."""
    value = os.environ.get("PYTHONHASHSEED", usual)
    return "" if value == usual else f"PYTHONHASHSEED={value} "
