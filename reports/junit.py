"""JUnit XML: a test case per workload and checker, with the command that repeats the run."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from checkers.verdict import Verdict
from reports.material import Material
from reports.text import safe
from reports.verdicts import leaves

MAX_ANOMALIES = 20


def junit(runs: Sequence[Material]) -> str:
    """The document for ``runs``, one suite each. Invalid is a failure, unknown is an error."""
    root = Xml.Element("testsuites", {"name": "windtunnel", **_totals(runs)})
    for run in runs:
        root.append(_suite(run))
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _totals(runs: Sequence[Material]) -> dict[str, str]:
    parts = [part for run in runs for part in leaves(run.verdict)]
    return {
        "tests": str(len(parts)),
        "failures": str(sum(part.valid is False for part in parts)),
        "errors": str(sum(part.valid == "unknown" for part in parts)),
    }


def _suite(run: Material) -> Xml.Element:
    suite = Xml.Element("testsuite", {"name": safe(run.title), **_totals([run])})
    cpu_s = run.results.get("cpu_s")
    if isinstance(cpu_s, int | float):
        suite.set("time", f"{cpu_s:.3f}")
    properties = Xml.SubElement(suite, "properties")
    for name, value in _properties(run):
        Xml.SubElement(properties, "property", name=name, value=safe(value))
    for part in leaves(run.verdict):
        suite.append(_case(run, part))
    if run.problems:
        Xml.SubElement(suite, "system-err").text = "\n".join(map(safe, run.problems))
    return suite


def _properties(run: Material) -> list[tuple[str, str]]:
    told = {
        "seed": run.spec.get("seed"),
        "digest": run.results.get("digest"),
        "repeat": run.repeat,
        "run": run.name,
        **run.versions,
    }
    return [(str(name), str(value)) for name, value in told.items() if value is not None]


def _case(run: Material, part: Verdict) -> Xml.Element:
    case = Xml.Element("testcase", classname=safe(run.workload), name=safe(part.checker))
    if part.valid is False:
        first = part.anomalies[0] if part.anomalies else None
        message = first.message if first else "invalid"
        failure = Xml.SubElement(case, "failure", message=safe(message))
        failure.set("type", safe(first.name) if first else "invalid")
        failure.text = _text(run, part)
    elif part.valid == "unknown":
        error = Xml.SubElement(case, "error", message=safe(part.reason or "unknown"), type="unknown")
        error.text = _text(run, part)
    return case


def _text(run: Material, part: Verdict) -> str:
    lines = [f"{one.name}: {one.message}" for one in part.anomalies[:MAX_ANOMALIES]]
    if len(part.anomalies) > MAX_ANOMALIES:
        lines.append(f"and {len(part.anomalies) - MAX_ANOMALIES} more")
    lines += [part.reason] if part.reason else []
    lines += [f"repeat by: {run.repeat}"] if run.repeat else []
    return "\n".join(map(safe, lines))
