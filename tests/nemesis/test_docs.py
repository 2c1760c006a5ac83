from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemesis.kinds import FAMILIES, KINDS
from nemesis.partitions import GRUDGES
from nemesis.schedule import draw
from nemesis.targets import TARGETS
from tests.nemesis.fakes import NODES, FakeCluster, outcomes, play

PAGE = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
ROWS = {row.split("`")[1]: row for row in PAGE.splitlines() if row.startswith("| `")}


@pytest.mark.parametrize("name", KINDS)
def test_the_page_says_of_each_kind_what_its_declaration_says(name: str) -> None:
    declared = KINDS[name]
    said = ROWS[name]
    assert declared.doc in said
    assert declared.proof in said
    assert all(f"`{verb}`" in said for verb in declared.verbs)
    assert all(f"`{parameter.name}`" in said for parameter in declared.parameters)


def test_the_page_names_every_grudge_target_and_family() -> None:
    for grudge in GRUDGES.values():
        assert f"| `{grudge.name}` | {grudge.named} | {grudge.least_nodes} |" in PAGE
    for name in (*TARGETS, *FAMILIES):
        assert f"`{name}`" in PAGE


def test_the_kind_that_the_page_adds_works(monkeypatch: pytest.MonkeyPatch) -> None:
    code = PAGE.split("```python\n")[1].split("```")[0]
    module: dict[str, Any] = {}
    exec(code, module)
    monkeypatch.setitem(KINDS, "flap", module["FLAP"])
    cluster = FakeCluster()
    history = play(draw(1, kinds=["flap"], nodes=NODES, time_limit_s=20.0), cluster)
    assert outcomes(history)[0]["landed"]
    assert len(cluster.verb_times("heal")) > 1
    assert cluster.weather() == {}
