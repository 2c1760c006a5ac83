"""Templates, scripts and the style sheet put together to pages that need nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from history.errors import StoreError

STYLE = "page.css"


def rendered(template: str, scripts: tuple[str, ...], **values: Any) -> str:
    """The text of a page: ``template`` with ``values``, the scripts, the style sheet and the policy."""
    return (
        _environment()
        .get_template(template)
        .render(
            script=Markup(script(scripts)),
            style=Markup(style()),
            policy=policy(scripts),
            **values,
        )
    )


def write_text(path: Path, text: str) -> None:
    """Whole or not at all. Raises StoreError if ``path`` cannot be written."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None


@cache
def script(names: tuple[str, ...]) -> str:
    """The scripts of these names as one."""
    joined = "\n".join(map(_asset, names))
    return f'"use strict";\n(() => {{\n{_terse(joined)}\n}})();\n'


@cache
def style() -> str:
    """The style sheet."""
    return _terse(_asset(STYLE))


@cache
def policy(scripts: tuple[str, ...]) -> str:
    """The content security policy: this script, this style sheet, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(script(scripts))}'; style-src '{_digest(style())}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _terse(text: str) -> str:
    """Without indentation, empty lines and lines of comment: what only matters in the checkout."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


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
