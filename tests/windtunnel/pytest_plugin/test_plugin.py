"""The plugin as its users meet it: whole sessions of pytest, in directories of their own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

import windtunnel.pytest_plugin.tunnel  # noqa: F401 - numpy cannot be imported anew by each inner session
from windtunnel.cli import invoke


@pytest.fixture(autouse=True)
def _no_hash_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns of other tests in this process set it for their workers; repeat lines tell it."""
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)


pytest_plugins = ["pytester"]

SERVICE = '''
import asyncio
from functools import partial

import pytest

import windtunnel as wt

async def serve(host, durable, reader, writer):
    """Numbers from a file; without `durable` a power cut takes the last ones back."""
    while await reader.readline():
        taken = host.disk.open("taken")
        taken.append(b"x")
        number = taken.size()
        if durable:
            await taken.fsync()
        writer.write(b"%d\\n" % (10 * number + int(host.name[1:])))
        await writer.drain()
    writer.close()

async def node(host, durable=True):
    await asyncio.start_server(partial(serve, host, durable), host.name, 7000)

async def forgetful(host):
    await node(host, durable=False)

class Client:
    def __init__(self, context):
        nodes = list(context.endpoints.items())
        self.node, self.endpoint = nodes[context.process % len(nodes)]

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(*self.endpoint)

    async def invoke(self, op):
        self.writer.write(b"next\\n")
        line = await self.reader.readline()
        if not line:
            raise ConnectionResetError
        return op.completed("ok", value=int(line), node=self.node)

    async def close(self):
        self.writer.close()

IDS = wt.workload(
    client=Client, generator=wt.repeat("next"), checker=wt.unique_ids(), progress="next"
)
'''
GOOD = """
@pytest.mark.windtunnel(nodes=3, nemesis="kill,power", seeds=4, time_limit_s=8)
def test_good(windtunnel):
    passed = windtunnel.run(wt.system(node), IDS)
    assert passed.seeds == (0, 1, 2, 3)
"""
BAD = """
@pytest.mark.windtunnel(nodes=3, nemesis="power", seeds=range(5, 9), time_limit_s=10)
def test_bad(windtunnel):
    windtunnel.run(wt.system(forgetful), IDS)
"""
DIGEST = re.compile(r"digest +(\w{32})")
REPEAT = re.compile(r"repeat by (pytest .*)")


@pytest.fixture
def ids(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_ids=SERVICE + GOOD + BAD)
    return pytester


def digest(text: str) -> str:
    found = DIGEST.search(text)
    assert found is not None, text
    return found.group(1)


def test_a_service_of_ones_own_passes_and_its_bug_fails_with_witness_and_repeat_line(
    ids: pytest.Pytester,
) -> None:
    result = ids.runpytest("-p", "no:xdist")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "seed 5 is INVALID: duplicated: ID * was handed out 2 times, by n* (op *) and again by n*",
            "*unique-ids*INVALID*",
            "*ok*next*",
            "*power*process gone: n*",
            "report    store/test_bad/*/report.html",
            "repeat by pytest test_ids.py::test_bad --windtunnel-seed 5",
            "*windtunnel*",
            "5 seeds in 2 tests",
        ]
    )


def test_the_repeat_line_runs_the_same_run_in_another_process_with_any_hash_seed(
    ids: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    first = "\n".join(ids.runpytest("-p", "no:xdist").outlines)
    line = REPEAT.search(first)
    assert line is not None
    for hash_seed in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(line.group(1))],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"},
            cwd=ids.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        assert digest(done.stdout) == digest(first)
        assert "not deterministic" not in done.stdout
        assert f"PYTHONHASHSEED={hash_seed} pytest test_ids.py::test_bad" in done.stdout


def test_the_report_is_a_property_of_junit_and_an_extra_of_pytest_html(ids: pytest.Pytester) -> None:
    pytest.importorskip("pytest_html")
    ids.runpytest("-p", "no:xdist", "--junitxml=junit.xml", "--html=all.html")
    told = {
        one.get("name"): one.get("value") or ""
        for case in Xml.parse(ids.path / "junit.xml").getroot().iter("testcase")
        if case.get("name") == "test_bad"
        for one in case.iter("property")
    }
    page = ids.path / told["windtunnel_report"]
    assert page.stat().st_size > 50_000
    assert told["windtunnel_repeat"] == "pytest test_ids.py::test_bad --windtunnel-seed 5"
    assert re.fullmatch(r"\w{32}", told["windtunnel_digest"])
    assert told["windtunnel_seeds"] == "1"
    assert told["windtunnel_report"] in (ids.path / "all.html").read_text()


def test_with_xdist_reports_and_failing_seeds_come_home(ids: pytest.Pytester) -> None:
    result = ids.runpytest_subprocess("-n", "2", "--windtunnel-seeds", "5:7")
    result.stdout.fnmatch_lines(["*repeat by pytest test_ids.py::test_bad --windtunnel-seed 5"])
    assert "seeds in 2 tests" in result.stdout.str()
    ids.makepyfile(test_ids=SERVICE + GOOD + BAD.replace("5, 9", "4, 9"))
    again = ids.runpytest_subprocess("-n", "2", "--lf", "-k", "bad")
    again.assert_outcomes(failed=1)
    assert "--windtunnel-seed 5" in again.stdout.str()


def test_a_seed_that_failed_is_tried_first_until_it_passes(ids: pytest.Pytester) -> None:
    everything = BAD.replace("range(5, 9)", "range(0, 9)")
    ids.makepyfile(test_ids=SERVICE + everything)
    ids.runpytest("-p", "no:xdist", "--windtunnel-seed", "7").assert_outcomes(failed=1)
    ids.runpytest("-p", "no:xdist").stdout.fnmatch_lines(["seed 7 is INVALID*"])
    ids.makepyfile(test_ids=SERVICE + everything.replace("forgetful", "node"))
    ids.runpytest("-p", "no:xdist", "--windtunnel-seeds", "6:8").assert_outcomes(passed=1)
    ids.makepyfile(test_ids=SERVICE + everything)
    ids.runpytest("-p", "no:xdist").stdout.fnmatch_lines(["seed 0 is INVALID*"])


def test_options_take_the_place_of_the_mark(ids: pytest.Pytester) -> None:
    many = ids.runpytest("-p", "no:xdist", "-k", "good", "--windtunnel-seeds", "2")
    assert "assert (0, 1) == (0, 1, 2, 3)" in many.stdout.str()
    calm = ids.runpytest("-p", "no:xdist", "-k", "bad", "--windtunnel-nemesis", "none")
    calm.assert_outcomes(passed=1)
    short = ids.runpytest("-p", "no:xdist", "-k", "good", "--windtunnel-for", "0.001s")
    assert "assert (0,) == (0, 1, 2, 3)" in short.stdout.str()


def test_a_failure_shrinks_to_a_schedule_that_repeats_it(ids: pytest.Pytester) -> None:
    first = "\n".join(ids.runpytest("-p", "no:xdist", "-k", "bad", "--windtunnel-shrink").outlines)
    assert re.search(r"shrunk in \d+ runs to 1 faults: .*shrunk.json", first)
    line = REPEAT.findall(first)[1]
    again = ids.runpytest("-p", "no:xdist", *shlex.split(line)[1:])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*unique-ids*INVALID*", "fault-coverage*planned 1, landed 1"])


def test_a_registered_workload_needs_its_name_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.windtunnel(workload="uuid", seeds=2, time_limit_s=5)
        class TestAll:
            def test_right(self, windtunnel):
                windtunnel.run()

            @pytest.mark.windtunnel(mutant="uuid4-seeded-by-pid")
            def test_mutant(self, windtunnel):
                windtunnel.run()
        """
    )
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["seed 0 is INVALID: duplicated*"])


def test_faults_without_effect_in_every_seed_are_no_test(pytester: pytest.Pytester) -> None:
    """The nodes never speak to each other, so that a partition among them drops nothing."""
    cut = {
        "at_s": 1,
        "kind": "partition",
        "nodes": ["n1"],
        "duration_s": 2,
        "args": {"grudge": "halves"},
    }
    pytester.makepyfile(
        SERVICE
        + f"""
@pytest.mark.windtunnel(nodes=3, seeds=2, time_limit_s=5, schedule=[{cut}])
def test_quiet(windtunnel):
    windtunnel.run(wt.system(node), IDS)
"""
    )
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "seed 1 is unknown: fault-coverage: none of the 1 planned faults took effect*",
            "2 seeds in 1 tests, 2 of them without a fault that landed",
        ]
    )


@pytest.mark.parametrize(
    ("mark", "body", "said"),
    [
        ("seeds=1", "pass", "never called windtunnel.run"),
        ("sedes=1", "windtunnel.run(wt.system(node), IDS)", "no 'sedes': did you mean 'seeds'?"),
        ("seeds=0", "windtunnel.run(wt.system(node), IDS)", "seeds=0: give a number above 0"),
        ("nemesis='kil'", "windtunnel.run(wt.system(node), IDS)", "'kil'"),
        ("workload='uuidd'", "windtunnel.run()", "unknown workload 'uuidd': did you mean 'uuid'?"),
        ("seeds=1", "windtunnel.run()", "needs a workload"),
        ("seeds=1", "windtunnel.run(wt.system(node))", "make the workload by wt.workload"),
        ("seeds=1", "windtunnel.run(node, IDS)", "make the system by wt.system"),
        ("seeds=1", "windtunnel.run(wt.system(node), IDS, rat=1)", "a field of wt.TestSpec"),
        ("cluster='moon'", "windtunnel.run(wt.system(node), IDS)", "'moon'"),
        ("seeds=1", "wt.system(lambda: None)", "cannot be a node"),
        (
            "cluster='docker'",
            "windtunnel.run(wt.system(node), IDS)",
            "and not your code",
        ),
        ("cluster='local'", "windtunnel.run(wt.system(lambda host: 0), IDS)", "no function at"),
        ("cluster='local'", "windtunnel.run(wt.system(node), IDS)", "--windtunnel-cluster local"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_sentence(
    pytester: pytest.Pytester, mark: str, body: str, said: str
) -> None:
    pytester.makepyfile(
        SERVICE + f"\n@pytest.mark.windtunnel({mark})\ndef test_it(windtunnel):\n    {body}\n"
    )
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(failed=1)
    assert said in result.stdout.str()


def test_a_mark_without_the_fixture_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\n@pytest.mark.windtunnel(workload='uuid')\ndef test_it():\n    pass\n"
    )
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*marked windtunnel and does not take the fixture*"])


def test_sessions_without_such_tests_see_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\ndef test_it():\n    assert 'numpy' not in sys.modules\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert "seeds in" not in result.stdout.str()


def test_the_store_may_lie_elsewhere(ids: pytest.Pytester, tmp_path: Path) -> None:
    ids.runpytest("-p", "no:xdist", "-k", "bad", "--windtunnel-store", str(tmp_path / "kept"))
    assert list((tmp_path / "kept" / "test_bad").glob("*/report.html"))


def test_the_command_line_says_how_a_run_of_a_test_is_repeated(
    ids: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    ids.runpytest("-p", "no:xdist", "-k", "bad")
    for command in ("replay", "check", "shrink"):
        assert invoke([command, "store/latest"]) == 254
        said = " ".join(capsys.readouterr().err.split())
        assert "repeat it by pytest test_ids.py::test_bad --windtunnel-seed 5" in said
    assert invoke(["report", "store/latest"]) == 0


def test_real_processes_are_not_for_several_workers(ids: pytest.Pytester) -> None:
    result = ids.runpytest_subprocess("-n", "2", "--windtunnel-cluster", "local")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--windtunnel-cluster local runs one test at a time: leave out -n.*"])
