"""The page of a run: one HTML file that needs nothing else, neither a network nor a server."""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from history.errors import StoreError
from reports.material import Material, read
from reports.timeline import BUDGET_BYTES
from reports.view import Page, view

SCRIPTS = (
    "columns.js",
    "scene.js",
    "parcel.js",
    "palette.js",
    "timeline.js",
    "strips.js",
    "panes.js",
    "page.js",
)
"""In the order in which they are put together to one script."""
STYLE = "page.css"
TEMPLATE = "page.html.j2"


def write(run: Path | Material, path: Path, *, budget_bytes: int | None = BUDGET_BYTES) -> Page:
    """Write the page of ``run``, a run directory or what was read from one, to ``path``.

    ``budget_bytes`` is how large the file may become; above it operations far from any trouble are left
    out, and the page says so. Returns what is on it. Raises StoreError if ``run`` is none or ``path``
    cannot be written.
    """
    material = read(run) if isinstance(run, Path) else run
    page = view(material, budget_bytes=budget_bytes)
    _write(path, html(page))
    return page


def html(page: Page) -> str:
    """The text of the page."""
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            page=page,
            script=Markup(script()),
            style=Markup(style()),
            policy=policy(),
        )
    )


@cache
def script() -> str:
    """All of the page's JavaScript."""
    joined = "\n".join(map(_asset, SCRIPTS))
    return f'"use strict";\n(() => {{\n{_terse(joined)}\n}})();\n'


def _terse(text: str) -> str:
    """Without indentation, empty lines and lines of comment: what only matters in the checkout."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@cache
def style() -> str:
    """The style sheet."""
    return _terse(_asset(STYLE))


@cache
def policy() -> str:
    """The content security policy: this script, this style sheet, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(script())}'; style-src '{_digest(style())}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _asset(name: str) -> str:
    return (files("reports") / "assets" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
