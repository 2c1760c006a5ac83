from __future__ import annotations

import pytest

from windtunnel.places import broken_at

BROKEN = """12.0 INFO serving
12.5 Traceback (most recent call last):
  File "/usr/lib/python3.11/asyncio/runners.py", line 190, in run
    return runner.run(main)
  File "/somewhere/impl/coordination/storage/log.py", line 88, in append
    self._file.append(data)
  File "/somewhere/cluster/sim/disk.py", line 12, in append
    raise OSError(28, "No space left on device")
OSError: [Errno 28] No space left on device
13.0 exited
"""


def test_the_place_is_the_innermost_frame_that_is_no_librarys_and_no_simulators() -> None:
    assert (
        broken_at({"n1": "all well\n", "n2": BROKEN}) == "impl/coordination/storage/log.py:88 in append"
    )


def test_of_two_tracebacks_the_last_counts() -> None:
    later = BROKEN.replace("line 88, in append", "line 7, in roll")
    assert broken_at({"n1": BROKEN + later}) == "impl/coordination/storage/log.py:7 in roll"


def test_of_code_of_ones_own_the_last_parts_of_the_path_are_told() -> None:
    log = BROKEN.replace("/somewhere/impl/coordination/storage/log.py", "/home/me/service/node.py")
    assert broken_at({"n1": log}) == "me/service/node.py:88 in append"


@pytest.mark.parametrize("log", ["", "Traceback (most recent call last)\n", "killed\n"])
def test_where_nothing_broke_there_is_no_place(log: str) -> None:
    assert broken_at({"n1": log}) == ""
