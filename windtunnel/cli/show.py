"""How results look in a terminal: the verdict, what proves it, and what the nemesis did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from checkers.verdict import Anomaly, Validity, Verdict
from history.history import History
from history.op import Op
from windtunnel.runner import Run
from windtunnel.stats import stats

ANOMALIES_SHOWN = 3
WITNESS_SHOWN = 8
COUNTS_SHOWN = 6

STYLES: Mapping[Validity, str] = {True: "green", False: "red", "unknown": "yellow"}
WORDS: Mapping[Validity, str] = {True: "valid", False: "INVALID", "unknown": "unknown"}


def styled(valid: Validity) -> str:
    """The verdict as a word in its colour."""
    return f"[bold {STYLES[valid]}]{WORDS[valid]}[/]"


def show_verdict(console: Console, verdict: Verdict, history: History) -> None:
    """Every checker's answer, then the anomalies with the operations that prove them."""
    table = Table("checker", "verdict", "figures", box=None, pad_edge=False, header_style="dim")
    for part in verdict.parts or (verdict,):
        table.add_row(escape(part.checker), styled(part.valid), _figures(part))
    console.print(table)
    for anomaly in verdict.anomalies[:ANOMALIES_SHOWN]:
        show_anomaly(console, anomaly, history)
    if len(verdict.anomalies) > ANOMALIES_SHOWN:
        console.print(f"[dim]… and {len(verdict.anomalies) - ANOMALIES_SHOWN} more anomalies[/]")


def show_anomaly(console: Console, anomaly: Anomaly, history: History) -> None:
    """One anomaly's sentence and its witness."""
    console.print()
    console.print(f"[bold red]{escape(anomaly.name)}[/]: {escape(anomaly.message)}")
    if anomaly.ops:
        console.print(witness_table(anomaly.ops[:WITNESS_SHOWN], history))
    if len(anomaly.ops) > WITNESS_SHOWN:
        console.print(f"[dim]… and {len(anomaly.ops) - WITNESS_SHOWN} more operations[/]")


def witness_table(indices: tuple[int, ...], history: History) -> Table:
    """The events with these indices, in the order in which they are to be read."""
    table = Table(
        "op", "time", "process", "type", "f", "key", "value", "node", box=None, header_style="dim"
    )
    by_index = {int(index): row for row, index in enumerate(history.index)}
    ops = [history[by_index[index]] for index in indices if index in by_index]
    for op in ops:
        table.add_row(*_cells(op))
    return table


def show_run(console: Console, run: Run) -> None:
    """A run from its verdict down to its digest."""
    spec = run.spec
    title = f"[bold]{spec.workload}[/]" + (f" with mutant [bold]{spec.mutant}[/]" if spec.mutant else "")
    console.print(f"{title}, seed {spec.seed}: {styled(run.verdict.valid)}", highlight=False)
    if run.interrupted:
        console.print("[yellow]interrupted[/]: healed, and judged by what there is")
    show_verdict(console, run.verdict, run.history)
    console.print()
    show_faults(console, run.history)
    console.print()
    for f, counts in stats(run.history).items():
        console.print(f"{f}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    pace = f"{run.ran_s:.1f} s in the cluster took {run.cpu_s:.2f} CPU s"
    console.print(f"digest {run.digest}; {pace}" if run.digest else pace, highlight=False)


def show_faults(console: Console, history: History) -> None:
    """What the nemesis did, and what came of it; one row per fault that began."""
    faults = _faults(history)
    if not faults:
        console.print("[dim]no faults[/]")
        return
    table = Table("at", "for", "fault", "nodes", "landed", "measured", box=None, pad_edge=False)
    table.header_style = "dim"
    for fault in faults.values():
        landed = "[green]yes[/]" if fault.get("landed") else "[yellow]no[/]"
        table.add_row(*fault["cells"], landed, escape(str(fault.get("evidence", "not measured"))))
    console.print(table)


def _faults(history: History) -> dict[int, dict[str, Any]]:
    """The last word on each fault, by its number."""
    faults: dict[int, dict[str, Any]] = {}
    for op in history.nemesis():
        if isinstance(op.value, Mapping) and "fault" in op.value:
            fault = faults.setdefault(op.value["fault"], {"cells": _fault_cells(op)})
            fault.update(op.value)
    return faults


def _fault_cells(op: Op) -> tuple[str, ...]:
    args = op.value.get("args") or {}
    kind = op.f if not args else f"{op.f} {' '.join(f'{k}={_short(v)}' for k, v in args.items())}"
    nodes = " ".join(op.value.get("nodes") or ())
    return f"{op.time / 1e9:.1f} s", f"{op.value.get('duration_s', 0):.1f} s", kind, escape(nodes)


def _cells(op: Op) -> tuple[str, ...]:
    values = (op.process, op.type, op.f, op.key, op.value if op.error is None else op.error, op.node)
    time = "" if op.time < 0 else f"{op.time / 1e9:.3f} s"  # foreign histories may have no times
    return (str(op.index), time, *(_short(value) for value in values))


def _figures(verdict: Verdict) -> str:
    if verdict.reason:
        return escape(verdict.reason)
    counts = [
        (name, value) for name, value in verdict.counts.items() if isinstance(value, int | float | str)
    ]
    shown = ", ".join(f"{name} {value}" for name, value in counts[:COUNTS_SHOWN])
    return escape(shown)


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= 40 else f"{text[:39]}…")
