"""Campaigns for continuous integration: JUnit XML, annotations and a step summary of GitHub Actions.

A campaign of a mutant passes when the mutant was caught.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as Xml

from checkers.verdict import Validity
from reports.campaign import Campaign, Group, Kill, kill_matrix
from reports.github import MAX_ANNOTATIONS, command, markdown, table
from reports.text import safe

Told = Sequence[tuple[Campaign, Sequence[Group]]]
"""Campaigns, each with its groups of failures."""


class Case(NamedTuple):
    """What one test case says: ``kind`` is ``failure``, ``error`` or, if it passed, empty."""

    campaign: Campaign
    name: str
    kind: str = ""
    message: str = ""
    text: str = ""


def passed(told: Told) -> Validity:
    """False if a seed was invalid or a mutant missed; ``unknown`` if a seed was, or none was run."""
    kinds = {case.kind for case in _cases(told)}
    if "failure" in kinds:
        return False
    return "unknown" if "error" in kinds or not told else True


def junit(told: Told) -> str:
    """The document: a suite per campaign, in it a case per checker that failed, one if none did."""
    cases = list(_cases(told))
    root = Xml.Element("testsuites", {"name": "windtunnel campaigns", **_totals(cases)})
    for campaign, _ in told:
        own = [case for case in cases if case.campaign is campaign]
        suite = Xml.SubElement(root, "testsuite", {"name": safe(campaign.title), **_totals(own)})
        suite.set("time", f"{campaign.cpu_s:.3f}")
        properties = Xml.SubElement(suite, "properties")
        for name, value in _facts(campaign):
            Xml.SubElement(properties, "property", name=name, value=safe(value))
        for case in own:
            suite.append(_element(case))
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def workflow_commands(told: Told) -> str:
    """Annotations, a line each, to be printed: errors for what failed, warnings for unknown."""
    lines = [
        command(
            "error" if case.kind == "failure" else "warning",
            title=f"{case.campaign.title}: {case.name}",
            text=case.text,
        )
        for case in _cases(told)
        if case.kind
    ]
    return "".join(f"{line}\n" for line in lines[:MAX_ANNOTATIONS])


def summary(told: Told, problems: Sequence[str] = ()) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``: campaigns, what failed, how to repeat it, the mutants."""
    rows = [
        [
            one.title,
            f"{one.seeds:,}",
            f"{one.invalid:,}",
            f"{one.unknown:,}",
            f"{one.seeds_per_cpu_hour:,.0f}",
            _share(one),
        ]
        for one, _ in told
    ]
    blocks = [table("campaign|seeds|invalid|unknown|seeds per CPU hour|faults landed", rows)]
    for case in _cases(told):
        if case.kind:
            text = "\n".join(f"    {line}" for line in case.text.splitlines())
            blocks += [f"**{markdown(case.campaign.title)}: {markdown(case.name)}**", text]
    checkers, kills = kill_matrix([one for one, _ in told])
    if kills:
        blocks.append(table("|".join(["mutant", *checkers]), [_kill_row(kill) for kill in kills]))
    blocks += [f"Left out: {markdown(problem)}" for problem in problems]
    return "\n\n".join(blocks) + "\n"


def _cases(told: Told) -> Iterator[Case]:
    for campaign, groups in told:
        if not campaign.seeds:
            yield Case(campaign, "seeds", "error", "no seed was run", "no seed was run")
        elif campaign.mutant:
            yield _caught(campaign)
        elif not groups:
            yield Case(campaign, "all checkers")
        else:
            yield from _failed(campaign, groups)


def _failed(campaign: Campaign, groups: Sequence[Group]) -> Iterator[Case]:
    for checker in dict.fromkeys(group.checker for group in groups):
        own = [group for group in groups if group.checker == checker]
        kind = "failure" if any(group.verdict == "invalid" for group in own) else "error"
        message = f"{own[0].anomaly}: {own[0].message}"
        yield Case(campaign, checker, kind, message, "\n".join(map(_group_text, own)))


def _caught(campaign: Campaign) -> Case:
    if campaign.invalid:
        return Case(campaign, "caught")
    text = f"no checker found {campaign.mutant} in {campaign.seeds} seeds"
    return Case(campaign, "caught", "failure", text, text)


def _group_text(group: Group) -> str:
    lines = [f"{group.anomaly}: {group.count} seeds; {group.message}", f"repeat by: {group.repeat}"]
    if group.shrunk and group.shrunk.repeat:
        lines += [f"shrunk to {group.shrunk.size}", f"repeat by: {group.shrunk.repeat}"]
    return "\n".join(map(safe, lines))


def _totals(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.kind == "failure" for case in cases)),
        "errors": str(sum(case.kind == "error" for case in cases)),
    }


def _facts(campaign: Campaign) -> list[tuple[str, str]]:
    told = {
        "seeds": campaign.seeds,
        "invalid": campaign.invalid,
        "unknown": campaign.unknown,
        "faults landed": _share(campaign),
        "log": campaign.name,
        **campaign.versions,
    }
    return [(safe(str(name)), str(value)) for name, value in told.items()]


def _element(case: Case) -> Xml.Element:
    element = Xml.Element("testcase", classname=safe(case.campaign.title), name=safe(case.name))
    if case.kind:
        kind = "invalid" if case.kind == "failure" else "unknown"
        Xml.SubElement(element, case.kind, message=safe(case.message), type=kind).text = case.text
    return element


def _share(campaign: Campaign) -> str:
    return f"{campaign.landed.total():,} of {campaign.begun.total():,}"


def _kill_row(kill: Kill) -> list[str]:
    cells = [f"{cell.count} from seed {cell.first}" if cell else "" for cell in kill.by_checker]
    return [kill.mutant if kill.caught else f"{kill.mutant} (missed)", *cells]
