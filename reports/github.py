"""What GitHub Actions shows of a run: annotations, and the summary of the step in Markdown."""

from __future__ import annotations

import re

from checkers.verdict import Verdict
from reports.faults import faults
from reports.material import Material
from reports.text import safe
from reports.verdicts import SYMBOLS, WORDS, leaves

MAX_ANNOTATIONS = 10
"""GitHub shows ten annotations of a kind per step."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~&-])")


def workflow_commands(run: Material) -> str:
    """Annotations, a line each, to be printed: errors for what is invalid, warnings for unknown."""
    lines: list[str] = []
    for part in leaves(run.verdict):
        if part.valid is False:
            lines += [_command("error", run, part, text) for text in _failures(part)]
        elif part.valid == "unknown":
            lines.append(_command("warning", run, part, part.reason or "unknown"))
    lines += [command("warning", title=f"{run.title}: {run.name}", text=one) for one in run.problems]
    return "".join(f"{line}\n" for line in lines[:MAX_ANNOTATIONS])


def summary(run: Material) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``: verdict, repeat command, checkers and faults."""
    verdict = run.verdict
    blocks = [f"### {SYMBOLS[verdict.valid]} {markdown(run.title)}: {WORDS[verdict.valid]}"]
    if verdict.anomalies:
        first = verdict.anomalies[0]
        blocks.append(f"**{markdown(first.name)}**: {markdown(first.message)}")
    elif verdict.reason:
        blocks.append(markdown(verdict.reason))
    if run.repeat:
        blocks.append(f"Repeat it by:\n\n    {safe(run.repeat)}")
    blocks += [f"Could not be read: {markdown(problem)}" for problem in run.problems]
    blocks.append(table("checker|verdict|anomalies|", [_checker(part) for part in leaves(verdict)]))
    if thrown := faults(run.history):
        rows = [
            [
                str(one.number),
                one.kind,
                ", ".join(one.nodes),
                "yes" if one.landed else "no",
                one.evidence,
            ]
            for one in thrown
        ]
        blocks.append(table("fault|kind|nodes|landed|what it did", rows))
    return "\n\n".join(blocks) + "\n"


def _failures(part: Verdict) -> list[str]:
    return [f"{one.name}: {one.message}" for one in part.anomalies] or ["invalid"]


def command(kind: str, *, title: str, text: str) -> str:
    """One annotation: a line that GitHub's runner reads, whatever the texts hold."""
    said = "\n".join(map(safe, text.splitlines()))
    return f"::{kind} title={_property(safe(title))}::{_data(said)}"


def _command(kind: str, run: Material, part: Verdict, text: str) -> str:
    said = safe(text) + (f"\nrepeat by: {safe(run.repeat)}" if run.repeat else "")
    return command(kind, title=f"{run.title}: {part.checker}", text=said)


def _data(text: str) -> str:
    """As the toolkit of GitHub's actions escapes the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _checker(part: Verdict) -> list[str]:
    verdict = f"{SYMBOLS[part.valid]} {WORDS[part.valid]}"
    return [part.checker, verdict, str(len(part.anomalies) or ""), part.reason or ""]


def table(head: str, rows: list[list[str]]) -> str:
    """A table in Markdown; the columns of ``head`` are parted by bars."""
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *([markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(text: str) -> str:
    """``text`` with everything escaped that Markdown would take for its own."""
    return _MARKDOWN.sub(r"\\\1", safe(text))
