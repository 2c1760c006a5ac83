from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as Xml

import orjson
import pytest
from jsonschema import Draft202012Validator, ValidationError

from reports.github import summary, workflow_commands
from reports.junit import junit
from reports.material import read
from reports.perfetto import perfetto
from reports.schema import results_schema
from tests.reports.samples import failing_lock, history, lock_rows, material
from windtunnel.cli import invoke
from windtunnel.spec import TestSpec
from windtunnel.stored import run_stored

EVIL = "a\x00b</failure>\r\n::error::x|y % \ud800"
MUTANT = TestSpec(workload="snowflake", seed=1, mutant="snowflake-no-clock-guard")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, directory = run_stored(MUTANT, tmp_path_factory.mktemp("store"))
    return directory.path


def test_junit_has_a_case_per_workload_and_checker_and_the_repeat_command(run: Path) -> None:
    suite = Xml.fromstring(junit([read(run)]).encode())[0]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {"unique-ids", "monotonic", "snowflake", "progress", "fault-coverage"}
    assert {case.get("classname") for case in cases.values()} == {"snowflake"}
    failure = cases["monotonic"].find("failure")
    assert failure is not None
    assert failure.get("type") == "non-monotonic"
    assert "repeat by: windtunnel run snowflake --seed 1 --mutant" in (failure.text or "")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("5", "1", "0")


def test_junit_counts_unknown_as_an_error() -> None:
    unknown = material(
        history([]), **{"valid?": "unknown", "mutual-exclusion": {"valid?": "unknown", "reason": "r"}}
    )
    root = Xml.fromstring(junit([unknown]).encode())
    assert root.get("errors") == "1"
    error = root.find(".//error")
    assert error is not None
    assert error.get("message") == "r"


def test_junit_is_well_formed_whatever_the_run_says() -> None:
    text = junit([material(history([]), **{"valid?": False, EVIL: {"valid?": False, "reason": EVIL}})])
    assert Xml.fromstring(text.encode()).find(".//failure") is not None


def test_github_marks_what_failed_in_one_line_each(run: Path) -> None:
    lines = workflow_commands(read(run)).splitlines()
    assert 1 <= len(lines) <= 10
    assert all(line.startswith("::error title=snowflake%2C with ") for line in lines)
    assert all(line.endswith("--mutant snowflake-no-clock-guard") for line in lines)


def test_no_value_of_a_run_can_become_a_command_of_github() -> None:
    evil = material(history([]), **{"valid?": "unknown", EVIL: {"valid?": "unknown", "reason": EVIL}})
    (line,) = workflow_commands(evil).splitlines()
    assert line.startswith("::warning title=")
    assert line.count("::") >= 2
    assert "\n" not in summary(evil).split("| checker |")[1].split("\n")[2][:-1]


def test_the_summary_has_verdict_repeat_command_and_faults() -> None:
    text = summary(failing_lock())
    assert text.startswith("### ✗ lock, seed 7: invalid")
    assert "\n    windtunnel run lock --seed 7\n" in text
    assert re.search(r"\| 0 \| partition \| n1, n2 \| yes \| 7 packets dropped \|", text)


def test_a_trace_has_every_operation_on_the_track_of_its_process() -> None:
    run_ = failing_lock()
    trace = orjson.loads(perfetto(run_))
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(slices) == len(run_.history.operations())
    held = next(one for one in slices if one["ts"] == 12_200_000)
    assert (held["tid"], held["dur"], held["name"]) == (3, 900_000, "acquire")
    assert held["args"]["value"] == '{"token":25}'


def test_slices_of_a_track_never_overlap() -> None:
    end: dict[int, int] = {}
    events = orjson.loads(perfetto(material(history(lock_rows()))))["traceEvents"]
    for event in sorted((one for one in events if one["ph"] == "X"), key=lambda one: one["ts"]):
        assert event["ts"] >= end.get(event["tid"], 0)
        end[event["tid"]] = event["ts"] + event["dur"]


def test_a_trace_has_faults_and_anomalies() -> None:
    events = orjson.loads(perfetto(failing_lock()))["traceEvents"]
    assert [(one["name"], one["ts"]) for one in events if one["ph"] in "be"] == [
        ("partition", 11_900_000),
        ("partition", 16_000_000),
    ]
    assert [one["name"] for one in events if one["ph"] == "i"] == ["two-holders"]


@pytest.mark.parametrize(
    "spec",
    [
        MUTANT,
        TestSpec(workload="uuid", seed=2, time_limit_s=3),
        TestSpec(workload="autoincrement", ops=1),
    ],
)
def test_results_keep_to_the_published_schema(tmp_path: Path, spec: TestSpec) -> None:
    _, directory = run_stored(spec, tmp_path)
    schema = results_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(directory.read_results())


def test_the_schema_refuses_what_is_no_result(run: Path) -> None:
    validator = Draft202012Validator(results_schema())
    results = read(run).results
    for change in (
        {"valid?": "maybe"},
        {"results-version": 2},
        {"monotonic": {"valid?": 1}},
        {"stats": {"x": {}}},
    ):
        with pytest.raises(ValidationError):
            validator.validate({**results, **change})


def test_the_command_line_writes_page_and_exports(
    run: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert invoke(["report", str(run)]) == 0
    assert (run / "report.html").stat().st_size > 50_000
    assert invoke(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == (run / "report.html").read_bytes()
    assert invoke(["export", str(run), "--format", "junit", "--out", str(tmp_path / "junit.xml")]) == 0
    assert Xml.parse(tmp_path / "junit.xml").getroot().tag == "testsuites"
    capsysbinary.readouterr()
    assert invoke(["export", str(run), "--format", "perfetto"]) == 0
    assert orjson.loads(capsysbinary.readouterr().out)["traceEvents"]


def test_github_export_appends_to_the_step_summary(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    step = tmp_path / "summary.md"
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    assert invoke(["export", str(run), "--format", "github"]) == 0
    assert step.read_text().startswith("before\n### ✗ snowflake")
    assert capsysbinary.readouterr().out.startswith(b"::error ")


def test_an_unknown_format_is_bad_input(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["export", str(run), "--format", "junti"]) == 254
    assert "did you mean 'junit'?" in capsys.readouterr().err


@pytest.fixture
def store(tmp_path: Path, run: Path) -> Path:
    """A whole run, one with half of its results, one without a history, and foreign files."""
    place = tmp_path / "store"
    for name in ("whole", "half", "bare"):
        shutil.copytree(run, place / "snowflake" / name)
    results = place / "snowflake" / "half" / "results.json"
    results.write_bytes(results.read_bytes()[:200])
    (place / "snowflake" / "bare" / "test.json").unlink()
    (place / "snowflake" / "bare" / "history.jsonl").unlink()
    (place / "notes.txt").write_text("hello")
    (place / "campaigns").mkdir()
    return place


def test_a_store_is_exported_whole_and_its_broken_runs_are_errors_that_say_why(
    store: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert invoke(["export", "--format", "junit", str(store)]) == 0
    root = Xml.fromstring(capsysbinary.readouterr().out)
    told = {
        next(one.get("value") for one in suite.iter("property") if one.get("name") == "run"): suite
        for suite in root
    }
    assert set(told) == {"whole", "half", "bare"}
    assert told["whole"].get("failures") == "1"
    assert told["whole"].find("system-err") is None
    for name, said in (("half", "is not JSON"), ("bare", "there is no test.json")):
        assert (told[name].get("errors"), told[name].get("failures")) == ("1", "0")
        assert said in (told[name].findtext("system-err") or "")


def test_github_is_told_of_broken_runs(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert invoke(["export", "--format", "github", str(store)]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert sum(line.startswith("::error ") for line in lines) >= 1
    assert sum("is not JSON" in line for line in lines) == 1
    assert (tmp_path / "summary.md").read_text().count("### ") == 3


def test_a_trace_is_of_one_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["export", "--format", "perfetto", str(store)]) == 254
    assert "takes one run, and these are 3" in capsys.readouterr().err
    assert invoke(["export", "--format", "junit", str(store / "campaigns")]) == 254
