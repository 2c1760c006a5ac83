"""Recorded histories of real systems get the verdict that their publishers gave."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from checkers.linearizable import linearizable
from checkers.models import MODELS
from history import formats
from history.history import History

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / os.environ.get("WINDTUNNEL_HISTORIES", "../shared/histories")
INITIAL = {"nil": None, "0": 0, '""': ""}
TABLE = FOLDER / "verdicts.csv"

if not TABLE.is_file():
    pytest.skip(f"no published histories in {FOLDER}", allow_module_level=True)


def published():
    with TABLE.open(newline="") as table:
        return [pytest.param(row, id=row["file"]) for row in csv.DictReader(table)]


def check(row, history):
    model = MODELS["kv" if row["model"].startswith("kv") else row["model"]]
    return linearizable(model=model, initial=INITIAL[row["initial"]])(history, {})


@pytest.mark.parametrize("row", published())
def test_a_published_history_gets_its_verdict(row):
    verdict = check(row, formats.read(FOLDER / row["file"]))
    assert verdict.valid is (row["linearizable"] == "true")
    if row["culprit_op_index"]:
        assert verdict.anomalies[0].ops[-1] == int(row["culprit_op_index"])


@pytest.mark.parametrize("row", [row for row in published() if row.values[0]["file"].startswith("etcd")])
def test_the_verdict_of_etcd_stands_where_a_failed_cas_observes(row):
    """Porcupine's model: a failed cas of these logs saw another value than it expected."""
    history = formats.read(FOLDER / row["file"])
    observing = History.from_ops(
        [replace(op, error="mismatch") if op.type == "fail" and op.f == "cas" else op for op in history],
        strict=False,
    )
    assert check(row, observing).valid is (row["linearizable"] == "true")
