"""Whoever reads a page need not know the names of anomalies: each has its rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import checkers
from reports.rules import RULES

_NAMING = {"Anomaly", "_anomaly", "found", "contradiction"}


def named(source: str) -> Iterator[str]:
    """The anomalies that a checker's source names where it makes them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _NAMING:
            given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "name")]
            yield from (one.value for one in given if isinstance(one, ast.Constant))


def test_every_anomaly_that_a_checker_finds_has_its_rule() -> None:
    sources = Path(checkers.__path__[0]).rglob("*.py")
    names = {name for path in sources for name in named(path.read_text())}
    assert len(names) > 50
    assert names - set(RULES) == set()


def test_a_rule_is_one_sentence() -> None:
    for rule in RULES.values():
        assert rule[0].isupper()
        assert rule.endswith(".")
        assert len(rule) <= 120
