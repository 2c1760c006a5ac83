"""The page of a run: one HTML file that needs nothing else, neither a network nor a server."""

from __future__ import annotations

from pathlib import Path

from reports.material import Material, read
from reports.rendering import rendered, write_text
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
TEMPLATE = "page.html.j2"


def write(run: Path | Material, path: Path, *, budget_bytes: int | None = BUDGET_BYTES) -> Page:
    """Write the page of ``run``, a run directory or what was read from one, to ``path``.

    ``budget_bytes`` is how large the file may become; above it operations far from any trouble are left
    out, and the page says so. Returns what is on it. Raises StoreError if ``run`` is none or ``path``
    cannot be written.
    """
    material = read(run) if isinstance(run, Path) else run
    page = view(material, budget_bytes=budget_bytes)
    write_text(path, html(page))
    return page


def html(page: Page) -> str:
    """The text of the page."""
    return rendered(TEMPLATE, SCRIPTS, page=page)
