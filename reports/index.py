"""A store at a glance: every run with its verdict, to search, sort, filter and compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from history.errors import StoreError
from history.store import Run, list_runs
from reports import page
from reports.rendering import rendered, write_text
from reports.text import brief, safe
from reports.verdicts import SYMBOLS, VALID, WORDS, from_results, leaves
from workloads.workload import OURS

PAGE = "report.html"
INDEX = "index.html"
SCRIPTS = ("index.js",)
TEMPLATE = "index.html.j2"
CAMPAIGNS = "campaigns"
"""Where the logs of campaigns are kept, beside the runs."""
_FILES = frozenset({INDEX, "latest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One run. ``href`` leads to its page, from the root of the store; empty if it has none.

    ``broken`` says why it cannot be repeated or was not judged, empty if nothing is wrong with it.
    ``told`` are the facts that two runs are compared by, text by name.
    """

    workload: str
    name: str
    verdict: str
    symbol: str
    anomaly: str
    sentence: str
    seed: str
    mutant: str
    system: str
    backend: str
    href: str
    broken: str
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The runs of a store, newest first, and the files in it that are none."""

    title: str
    entries: tuple[Entry, ...]
    foreign: tuple[str, ...]

    @property
    def workloads(self) -> tuple[str, ...]:
        return _different(entry.workload for entry in self.entries)

    @property
    def systems(self) -> tuple[str, ...]:
        return _different(entry.system for entry in self.entries)

    @property
    def backends(self) -> tuple[str, ...]:
        return _different(entry.backend for entry in self.entries)

    @property
    def anomalies(self) -> tuple[str, ...]:
        return _different(entry.anomaly for entry in self.entries)

    @property
    def told(self) -> str:
        """What the entries say of themselves, as JSON that can stand in a page."""
        return (
            orjson.dumps([dict(entry.told) for entry in self.entries]).decode().replace("<", "\\u003c")
        )


def index(store: Path, *, every_page: bool = False) -> Index:
    """What is in the store. With ``every_page`` runs without a page have a link as well."""
    runs = sorted(list_runs(store), key=lambda run: run.name, reverse=True)
    return Index(
        title=safe(store.resolve().name, limit=100),
        entries=tuple(_entry(run, every_page) for run in runs),
        foreign=tuple(_foreign(store)),
    )


def html(found: Index) -> str:
    """The page of an index."""
    return rendered(TEMPLATE, SCRIPTS, index=found, told=Markup(found.told))


def write(store: Path) -> Path:
    """Write ``index.html`` into the store, and the page of every run that has none yet.

    Then the store is a set of static files, for any web server or none. Raises StoreError if something
    cannot be written.
    """
    for run in list_runs(store):
        if not (run.directory.path / PAGE).exists() and (run.directory.path / "test.json").is_file():
            page.write(run.directory.path, run.directory.path / PAGE)
    write_text(store / INDEX, html(index(store)))
    return store / INDEX


def _entry(run: Run, every_page: bool) -> Entry:
    test, no_test = _read(run.directory.read_test)
    results, no_results = _read(run.directory.read_results)
    spec = test.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    verdict = from_results(results)
    first = verdict.anomalies[0] if verdict.anomalies else None
    has_page = (run.directory.path / PAGE).is_file() or (every_page and not no_test)
    return Entry(
        workload=safe(run.workload, limit=100),
        name=safe(run.name, limit=100),
        verdict=WORDS[verdict.valid],
        symbol=SYMBOLS[verdict.valid],
        anomaly=safe(first.name, limit=60) if first else "",
        sentence=brief(first.message if first else verdict.reason or "", 200),
        seed=_text(spec.get("seed")),
        mutant=_text(spec.get("mutant")),
        system=_text(spec.get("system") or OURS),
        backend=_text(spec.get("backend")),
        href=f"{run.workload}/{run.name}/{PAGE}" if has_page else "",
        broken=safe(run.broken or no_results, limit=300),
        told=dict(_told(spec, test, results)),
    )


def _read(read: Any) -> tuple[Mapping[str, Any], str]:
    try:
        return read(), ""
    except StoreError as error:
        return {}, str(error)


def _told(
    spec: Mapping[str, Any], test: Mapping[str, Any], results: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Everything that two runs may differ in, but their logs and histories."""
    for name, value in spec.items():
        yield safe(str(name), limit=60), brief(value, 300)
    versions = test.get("versions")
    for name, value in versions.items() if isinstance(versions, Mapping) else ():
        yield f"version of {safe(str(name), limit=60)}", brief(value, 100)
    for part in leaves(from_results(results)):
        checker = safe(part.checker, limit=60)
        yield f"{checker}: verdict", WORDS[part.valid]
        yield f"{checker}: anomalies", str(len(part.anomalies))
        for name, value in part.counts.items():
            yield f"{checker}: {safe(str(name), limit=60)}", brief(value, 100)
    for name in ("digest", "ran_s", "cpu_s"):
        if name in results:
            yield name, brief(results[name], 100)
    if VALID in results:
        yield "verdict", brief(results[VALID], 20)


def _foreign(store: Path) -> Iterator[str]:
    """What lies where only runs should, and is none."""
    if not store.is_dir():
        return
    folders = (one for one in store.iterdir() if one.is_dir() and not one.is_symlink())
    for folder in (store, *(one for one in folders if one.name != CAMPAIGNS)):
        for path in sorted(folder.iterdir()):
            if not path.is_dir() and path.name not in _FILES and not path.name.startswith("."):
                yield safe(str(path.relative_to(store)), limit=200)


def _text(value: Any) -> str:
    return "" if value is None else brief(str(value), 80)


def _different(texts: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted({text for text in texts if text}))
