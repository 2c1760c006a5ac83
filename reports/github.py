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
    return "".join(f"{line}\n" for line in lines[:MAX_ANNOTATIONS])


def summary(run: Material) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``: verdict, repeat command, checkers and faults."""
    verdict = run.verdict
    blocks = [f"### {SYMBOLS[verdict.valid]} {_markdown(run.title)}: {WORDS[verdict.valid]}"]
    if verdict.anomalies:
        first = verdict.anomalies[0]
        blocks.append(f"**{_markdown(first.name)}**: {_markdown(first.message)}")
    elif verdict.reason:
        blocks.append(_markdown(verdict.reason))
    if run.repeat:
        blocks.append(f"Repeat it by:\n\n    {safe(run.repeat)}")
    blocks.append(_table("checker|verdict|anomalies|", [_checker(part) for part in leaves(verdict)]))
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
        blocks.append(_table("fault|kind|nodes|landed|what it did", rows))
    return "\n\n".join(blocks) + "\n"


def _failures(part: Verdict) -> list[str]:
    return [f"{one.name}: {one.message}" for one in part.anomalies] or ["invalid"]


def _command(kind: str, run: Material, part: Verdict, text: str) -> str:
    said = safe(text) + (f"\nrepeat by: {safe(run.repeat)}" if run.repeat else "")
    title = safe(f"{run.title}: {part.checker}")
    return f"::{kind} title={_property(title)}::{_data(said)}"


def _data(text: str) -> str:
    """As the toolkit of GitHub's actions escapes the message of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _checker(part: Verdict) -> list[str]:
    verdict = f"{SYMBOLS[part.valid]} {WORDS[part.valid]}"
    return [part.checker, verdict, str(len(part.anomalies) or ""), part.reason or ""]


def _table(head: str, rows: list[list[str]]) -> str:
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *([_markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", safe(text))
