"""Every exit code, every kind of bad input, and the lines that a failure is repeated by."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from windtunnel.cli.app import explain

Cli = Callable[..., "object"]
QUICK = ("--time-limit", 3, "--nodes", 3)
MUTANT = ("run", "uuid", "--mutant", "uuid4-seeded-by-pid", *QUICK)
OPS = b"""\
{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}
{"index":1,"time":9,"process":0,"type":"ok","f":"write","value":1}
{"index":2,"time":20,"process":1,"type":"invoke","f":"read"}
{"index":3,"time":29,"process":1,"type":"ok","f":"read","value":%d}
"""


def read_json(path: Path) -> dict:
    return orjson.loads(path.read_bytes())


def repeat_words(out: str) -> list[str]:
    (line,) = [line for line in out.splitlines() if line.startswith("repeat by ")]
    return shlex.split(line.removeprefix("repeat by "))


# --- verdicts ---------------------------------------------------------------------------------


def test_a_valid_run_exits_0_and_leaves_everything_needed_to_repeat_it(cli, tmp_path: Path) -> None:
    said = cli("run", "snowflake", "--seed", 1, *QUICK)
    assert said.code == 0
    run = tmp_path / "store" / "snowflake" / "latest"
    assert read_json(run / "test.json")["spec"]["seed"] == 1
    assert read_json(run / "results.json")["valid?"] is True
    assert read_json(run / "results.json")["digest"] in said.out
    assert (run / "history.jsonl").stat().st_size > 0
    assert {log.name for log in (run / "logs").iterdir()} == {"n1.log", "n2.log", "n3.log"}
    assert "windtunnel run snowflake --seed 1 --nodes 3 --time-limit 3" in said.text


def test_an_invalid_run_exits_1_with_the_sentence_the_witness_and_the_line_that_repeats_it(cli) -> None:
    said = cli(*MUTANT, "--faults", "none")
    assert said.code == 1
    assert "duplicated: ID" in said.text
    assert "(op " in said.text
    words = repeat_words(said.out)
    assert words[:3] == ["windtunnel", "run", "uuid"]
    again = cli(*words[1:])
    assert again.code == 1
    digest = next(line for line in said.out.splitlines() if line.startswith("digest")).split(";")[0]
    assert digest in again.out


def test_a_vacuous_run_exits_2_with_the_reason(cli, tmp_path: Path) -> None:
    schedule = tmp_path / "late.json"
    schedule.write_text('[{"at_s": 100, "kind": "kill", "nodes": ["n1"], "duration_s": 1}]')
    said = cli("run", "uuid", *QUICK, "--schedule", schedule)
    assert said.code == 2
    assert "none of the 1 planned faults took effect" in said.text


def test_ctrl_c_heals_keeps_the_history_judges_it_and_exits_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "windtunnel", "run", "uuid", "--time-limit", "100000"]
    run = tmp_path / "store" / "uuid" / "latest"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        while not (run / "history.jsonl").exists() or not (run / "history.jsonl").stat().st_size:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    assert read_json(run / "results.json")["interrupted"] is True
    events = [orjson.loads(line) for line in (run / "history.jsonl").read_bytes().splitlines()]
    begun = [event["process"] for event in events if event["type"] == "invoke"]
    ended = [event["process"] for event in events if event["type"] in ("ok", "fail", "info")]
    assert len(begun) == len([process for process in ended if process != "nemesis"])


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("run snowflak", "unknown workload 'snowflak': did you mean 'snowflake'?"),
        ("run snowflake --faults kil", "unknown fault 'kil'; did you mean 'kill'?"),
        ("run snowflake --targets on", "unknown target 'on'; did you mean 'one'?"),
        ("run snowflake --mutant snowflake-no-clock", "did you mean 'snowflake-no-clock-guard'?"),
        ("run uuid --mutant snowflake-no-clock-guard", "workload uuid has no mutant"),
        ("run snowflake --cluster simm", "unknown cluster 'simm': did you mean 'sim'?"),
        ("run snowflake --nodes 0", "0 nodes: a cluster has at least one."),
        ("run snowflake --nodes a,a", "name each node once"),
        ("run snowflake --nodes a,,b", "give a number, or names with commas"),
        ("run snowflake --nodes client,b", "'client' is the machine of the clients"),
        ("run snowflake --concurrency 0", "concurrency is 0: it must be above 0."),
        ("run snowflake --time-limit -1", "time_limit_s is -1.0: it must be above 0."),
        ("run snowflake --option reserve", "write it as name=value"),
        ("run snowflake --option reserv_ms=1", "did you mean 'reserve_ms'?"),
        ("run snowflake --schedule gone.json", "gone.json: No such file"),
        ("run snowflake --seed x", "Invalid value for '--seed'"),
        ("run snowflake --sed 1", "No such option: --sed"),
        ("run", "Missing argument 'workload'"),
        ("runn snowflake", "No such command 'runn'"),
        ("check gone.jsonl --workload uuid", "gone.jsonl"),
        ("check gone", "gone is no run"),
        ("check gone --workload uuidd", "unknown workload 'uuidd': did you mean 'uuid'?"),
        ("check gone --model cas-registr", "unknown model 'cas-registr': did you mean 'cas-register'?"),
        ("check gone --model mutex --workload uuid", "exclude each other"),
        ("replay gone", "gone is no run"),
        ("shrink gone", "gone is no run"),
        ("campaign snowflake --seeds 5:1", "--seeds '5:1' holds no seed"),
        ("campaign snowflake --shard 2/2", "--shard '2/2'"),
        ("campaign snowflak", "did you mean 'snowflake'?"),
    ],
)
def test_bad_input_exits_254_and_says_what_is_wrong_and_what_would_be_right(
    cli, arguments: str, sentence: str
) -> None:
    said = cli(*arguments.split())
    assert said.code == 254
    assert sentence.lower() in said.text.replace("│", "").lower()


@pytest.mark.parametrize(
    ("schedule", "place"),
    [
        ("[{]", "bad.json:1:"),
        ('[\n {"at_s": 1, "kind": "kil", "nodes": ["n1"], "duration_s": 1}]', "bad.json:2: fault 0"),
        ('[\n\n {"at_s": 1, "kind": "kill", "nodes": ["n9"], "duration_s": 1}]', "bad.json:3: fault 0"),
        ('[\n {"at_s": 1, "kind": "kill", "node": ["n1"], "duration_s": 1}]', "bad.json:2: fault 0"),
    ],
)
def test_a_malformed_schedule_is_refused_with_file_line_and_reason(
    cli, tmp_path: Path, schedule: str, place: str
) -> None:
    (tmp_path / "bad.json").write_text(schedule)
    said = cli("run", "snowflake", "--schedule", "bad.json")
    assert said.code == 254
    assert place in said.text
    assert not (tmp_path / "store").exists()


def test_a_malformed_history_is_refused_with_file_line_and_reason(cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(OPS.replace(b'"ok","f":"write"', b'"okay","f":"write"') % 1)
    said = cli("check", path, "--model", "register")
    assert said.code == 254
    assert "bad.jsonl, line 2" in said.text


def test_a_torn_last_line_is_dropped_with_a_warning(cli, tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_bytes(OPS % 1 + b'{"index":4,"ti')
    said = cli("check", path, "--model", "register")
    assert said.code == 0
    assert "warning" in said.text
    assert "line 5" in said.text


def test_an_empty_history_is_unknown_with_the_reason(cli, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    for how in (("--model", "register"), ("--workload", "snowflake")):
        said = cli("check", path, *how)
        assert said.code == 2
        assert "no " in said.text


def test_a_store_that_takes_no_files_is_said_at_the_start(cli, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the store is to be")
    said = cli("run", "snowflake", "--store", "full/store")
    assert said.code == 254
    assert "full/store cannot keep this run" in said.text
    assert "digest" not in said.text


def test_a_campaign_log_that_cannot_be_written_is_said_at_the_start(cli, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where the log is to be")
    said = cli("campaign", "uuid", "--seeds", "0:1", "--out", "full/log.jsonl")
    assert said.code == 254
    assert "full/log.jsonl: File exists; choose another with --out." in said.text


def test_a_crash_is_255_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(ZeroDivisionError("by nobody")) == 255
    assert "ZeroDivisionError: by nobody" in capsys.readouterr().err


def test_a_run_directory_that_was_tampered_with_is_refused_by_file_and_field(
    cli, tmp_path: Path
) -> None:
    cli("run", "uuid", *QUICK)
    path = tmp_path / "store" / "latest" / "test.json"
    test = read_json(path)
    path.write_bytes(orjson.dumps({**test, "spec": {**test["spec"], "rate": "fast"}}))
    said = cli("replay", "store/latest")
    assert said.code == 254
    assert "test.json" in said.text


# --- check ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "code"), [(1, 0), (2, 1)])
def test_a_history_is_checked_against_a_model(cli, tmp_path: Path, value: int, code: int) -> None:
    path = tmp_path / "register.jsonl"
    path.write_bytes(OPS % value)
    assert cli("check", path, "--model", "register").code == code


def test_the_initial_value_of_a_model_can_be_given(cli, tmp_path: Path) -> None:
    path = tmp_path / "register.jsonl"
    path.write_bytes(b"".join((OPS % 7).splitlines(keepends=True)[2:]))
    assert cli("check", path, "--model", "register", "--initial", "7").code == 0
    assert cli("check", path, "--model", "register", "--initial", "8").code == 1


def test_a_run_directory_is_a_history_too_and_gets_the_same_verdict(cli) -> None:
    assert cli(*MUTANT).code == 1
    assert cli("check", "store/latest").code == 1
    assert cli("check", "store/latest", "--workload", "uuid").code == 1
    assert cli("check", "store/latest/history.jsonl", "--workload", "uuid").code == 1


# --- replay, shrink, campaign, list -----------------------------------------------------------


@pytest.mark.parametrize("form", ["jepsen-edn", "jepsen-json", "jsonl"])
def test_a_run_in_another_format_gets_the_same_verdict(cli, tmp_path: Path, form: str) -> None:
    cli("run", "snowflake", "--seed", 1, "--time-limit", 5)
    assert cli("convert", "store/latest", "--to", form, "--out", "converted").code == 0
    assert cli("check", "store/latest").code == 0
    judged = cli("check", "converted", "--workload", "snowflake")
    assert "INVALID" not in judged.out
    assert "duplicated-count 0" in judged.text


def test_a_format_that_cannot_hold_a_history_says_so(cli, tmp_path: Path) -> None:
    text = '{"index":0,"time":1,"process":0,"type":"invoke","f":"read","key":"x"}\n'
    (tmp_path / "keyed.jsonl").write_text(text)
    assert cli("convert", "keyed.jsonl", "--to", "jepsen-ed", "--out", "x").code == 254
    refused = cli("convert", "keyed.jsonl", "--to", "knossos-edn", "--out", "x")
    assert (refused.code, "knossos-edn" in refused.text) == (254, True)


def test_replay_runs_twice_in_fresh_processes_and_finds_the_recorded_digest(cli, tmp_path: Path) -> None:
    assert cli(*MUTANT).code == 1
    said = cli("replay", "store/latest")
    assert said.code == 1
    digest = read_json(tmp_path / "store" / "latest" / "results.json")["digest"]
    assert said.out.count(digest) == 3
    assert "the same run" in said.text


def test_replay_says_when_it_is_not_the_same_run(cli, tmp_path: Path) -> None:
    cli("run", "uuid", *QUICK)
    path = tmp_path / "store" / "latest" / "results.json"
    path.write_bytes(orjson.dumps(read_json(path) | {"digest": "another"}))
    said = cli("replay", "store/latest")
    assert said.code == 2
    assert "not the same run" in said.text


def test_shrink_writes_the_smallest_schedule_and_the_line_that_repeats_it(cli, tmp_path: Path) -> None:
    mutant = "uuid4-same-stream-after-restart"
    assert cli("run", "uuid", "--seed", 2, "--mutant", mutant).code == 1
    said = cli("shrink", "store/latest")
    assert said.code == 1
    assert len(read_json(tmp_path / "store" / "latest" / "shrunk.json")) == 1
    assert cli(*repeat_words(said.out)[1:]).code == 1


def test_a_run_that_does_not_fail_is_not_shrunk(cli) -> None:
    cli("run", "uuid", *QUICK)
    said = cli("shrink", "store/latest")
    assert said.code == 254
    assert "does not fail" in said.text


def test_a_campaign_groups_failures_and_prints_the_line_that_repeats_each(cli) -> None:
    said = cli("campaign", *MUTANT[1:], "--seeds", "1:5", "--jobs", 1)
    assert said.code == 1
    assert "unique-ids: duplicated: 4 seeds" in said.text
    line = next(line for line in said.out.splitlines() if "windtunnel run" in line)
    assert "not deterministic" not in said.text
    assert cli(*shlex.split(line)[1:]).code == 1
    again = cli("campaign", *MUTANT[1:], "--seeds", "1:5", "--jobs", 1)
    assert "4 seeds stand in" in again.text
    assert "unique-ids: duplicated: 4 seeds" in again.text


def test_list_names_everything_with_a_line_about_it(cli) -> None:
    said = cli("list")
    assert said.code == 0
    for name in ("snowflake", "partition", "minority", "uuid4-seeded-by-pid", "cas-register", "sim"):
        assert name in said.text


@pytest.mark.parametrize("command", ["", "run", "check", "replay", "shrink", "campaign", "list", "demo"])
def test_every_command_has_help(cli, command: str) -> None:
    said = cli(*command.split(), "--help")
    assert said.code == 0
    assert "Usage: windtunnel" in said.text


def test_the_version_is_said(cli) -> None:
    said = cli("--version")
    assert said.code == 0
    assert "windtunnel 0." in said.text
