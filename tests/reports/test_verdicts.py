from __future__ import annotations

from checkers.verdict import Anomaly, Verdict
from reports.verdicts import from_results, leaves
from windtunnel.stored import verdict_dict

ANOMALY = Anomaly(name="duplicated", message="ID 1 twice", ops=(1, 2), details={"id": 1})


def test_a_verdict_comes_back_from_what_was_stored() -> None:
    parts = (
        Verdict(checker="unique-ids", valid=False, anomalies=(ANOMALY,), counts={"duplicated-count": 1}),
        Verdict(checker="progress", valid="unknown", reason="nothing was tried"),
    )
    whole = Verdict(
        checker="all",
        valid=False,
        anomalies=(ANOMALY,),
        reason="progress: nothing was tried",
        parts=parts,
    )
    assert from_results(verdict_dict(whole)) == whole


def test_no_results_are_unknown_and_say_why() -> None:
    verdict = from_results({})
    assert verdict.valid == "unknown"
    assert verdict.reason is not None
    assert "did not end" in verdict.reason


def test_results_written_by_others_do_not_break_the_page() -> None:
    odd = {
        "valid?": "maybe",
        "stats": {"count": 1},
        "x": {"valid?": False, "anomalies": ["text", {"ops": "no"}]},
    }
    verdict = from_results(odd)
    assert verdict.valid == "unknown"
    assert [one.message for one in verdict.anomalies] == ["text", ""]


def test_the_leaves_are_the_single_checkers() -> None:
    verdict = from_results(
        {"valid?": True, "a": {"valid?": True, "b": {"valid?": True}}, "c": {"valid?": True}}
    )
    assert [leaf.checker for leaf in leaves(verdict)] == ["b", "c"]
