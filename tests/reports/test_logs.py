from __future__ import annotations

from cluster.sim.world import WALL_START_NS
from reports.logs import MAX_LINES, logs


def test_lines_of_the_simulator_count_from_its_beginning() -> None:
    (log,) = logs(
        {"n1": "0.500000 started\n2.000000 killed\n"}, start_wall_ns=WALL_START_NS + 1_500_000_000
    )
    assert log.times_us == (-1, 500_000)
    assert log.lines == ("started", "killed")


def test_lines_with_a_wall_clock_count_from_the_start_of_the_run() -> None:
    text = "2026-01-01T00:00:02.250Z up\n2026-01-01 02:00:03,5+02:00 served\n"
    (log,) = logs({"n1": text}, start_wall_ns=WALL_START_NS)
    assert log.times_us == (2_250_000, 3_500_000)
    assert log.lines == ("up", "served")


def test_a_line_without_a_time_goes_with_the_line_before_it() -> None:
    (log,) = logs({"n1": "banner\n1.0 Traceback:\n  File x\n"}, start_wall_ns=WALL_START_NS)
    assert log.times_us == (-1, 1_000_000, 1_000_000)
    assert log.lines[2] == "  File x"


def test_of_a_long_log_the_end_is_kept() -> None:
    (log,) = logs({"n1": "".join(f"{n}.0 line\n" for n in range(MAX_LINES + 10))}, start_wall_ns=None)
    assert (len(log.lines), log.left_out) == (MAX_LINES, 10)
    assert log.times_us[0] == 10_000_000


def test_a_time_that_is_none_does_not_break_the_log() -> None:
    (log,) = logs({"n1": "2026-99-99T00:00:00Z odd\n"}, start_wall_ns=WALL_START_NS)
    assert log.lines == ("odd",)
