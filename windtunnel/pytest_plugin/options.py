"""The options of the command line: each takes the place of what the mark of a test says."""

from __future__ import annotations

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare them; those that are not given are None."""
    group = parser.getgroup("windtunnel", "windtunnel: a system under faults, from many seeds")
    add = group.addoption
    add("--windtunnel-seeds", metavar="N|A:B", help="how many seeds of each test, or which")
    add("--windtunnel-seed", type=int, metavar="N", help="this seed alone: repeats a failure")
    add("--windtunnel-for", metavar="TIME", help="begin no further seed of a test after 90, 5m or 1h")
    add("--windtunnel-time-limit", type=float, metavar="S", help="seconds of each run, in its time")
    add("--windtunnel-cluster", metavar="NAME", help="where nodes run: sim, local or docker")
    add("--windtunnel-nemesis", metavar="FAULTS", help="fault kinds or families with commas")
    add("--windtunnel-schedule", metavar="FILE", help="a schedule file, in place of drawn faults")
    add("--windtunnel-concurrency", type=int, metavar="N", help="clients at a time")
    add("--windtunnel-ops", type=int, metavar="N", help="invoke at most this many operations")
    add("--windtunnel-shrink", action="store_true", help="find the smallest run that fails alike")
    add("--windtunnel-store", metavar="DIR", help="where failing runs are kept (default: store)")
