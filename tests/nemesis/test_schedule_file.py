from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.errors import ScheduleError
from nemesis.fault import Fault
from nemesis.kinds import KINDS
from nemesis.schedule import draw
from nemesis.schedule_file import dumps, parse, read, write

NODES = ("n1", "n2", "n3", "n4", "n5")
KILL = '{"at_s": 1, "kind": "kill", "nodes": ["n1"], "duration_s": 2}'


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_a_schedule_survives_its_file(seed: int) -> None:
    schedule = draw(seed, kinds=KINDS, nodes=NODES, time_limit_s=60, targets=["one", "primaries"])
    assert parse(dumps(schedule), source="drawn.json", nodes=NODES) == schedule


def test_a_file_has_one_fault_per_line(tmp_path: Path) -> None:
    schedule = (Fault(1.5, "kill", ("n1",), 2.0), Fault(3.0, "clock-reset", ("n2",), 0.0))
    write(tmp_path / "s.json", schedule)
    assert (tmp_path / "s.json").read_text().splitlines() == [
        "[",
        '  {"at_s":1.5,"kind":"kill","nodes":["n1"],"duration_s":2.0,"args":{}},',
        '  {"at_s":3.0,"kind":"clock-reset","nodes":["n2"],"duration_s":0.0,"args":{}}',
        "]",
    ]
    assert read(tmp_path / "s.json", nodes=NODES) == schedule


def test_arguments_may_be_left_out_and_the_list_may_be_empty() -> None:
    assert parse(f" [{KILL}]\n", source="s", nodes=NODES) == (Fault(1, "kill", ("n1",), 2),)
    assert parse("[]", source="s", nodes=NODES) == ()
    assert parse(dumps(()), source="s", nodes=NODES) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.json:1: a schedule is a list of faults and begins with '['"),
        ("\n\n{}", "s.json:3: a schedule is a list of faults and begins with '['"),
        (f"[\n{KILL}\n{KILL}]", "s.json:3: ',' or ']' is expected after a fault"),
        (f"[\n{KILL}", "s.json:2: ',' or ']' is expected after a fault"),
        (f"[\n{KILL},\n]", "s.json:3: Expecting value"),
        (f"[{KILL}]\n\nx", "s.json:3: something stands after the schedule's end"),
        ('[\n{"at_s": 1,\n"kind" "kill"}]', "s.json:3: Expecting ':' delimiter"),
        ("[\n\n7]", "s.json:3: fault 0: this is 7; a fault is an object with at_s, kind"),
        (f'[\n{KILL},\n{{"kind": "kill"}}]', "s.json:3: fault 1: the field 'at_s' is missing"),
        ('[{"at": 1}]', "s.json:1: fault 0: unknown field 'at'; did you mean 'at_s'?"),
        (f"[{KILL.replace('1,', 'NaN,')}]", "s.json:1: fault 0: at_s is nan; it must be a number of"),
        (f"[{KILL.replace('2', 'null')}]", "duration_s is None; it must be a number of seconds"),
        (f"[{KILL.replace('[', '').replace(']', '')}]", "nodes is 'n1'; it must be a list of names"),
        ("[" + KILL.replace("2", '2, "args": []') + "]", "args is []; it must be an object"),
        ("[" + KILL.replace('"kill"', "7") + "]", "kind is 7; it must be the name of a kind"),
        (f"[\n{KILL.replace('kill', 'kil')}]", "s.json:2: fault 0: unknown kind 'kil'; did you mean"),
        (f"[\n{KILL.replace('n1', 'n6')}]", "s.json:2: fault 0: unknown node 'n6'; did you mean"),
    ],
)
def test_what_is_malformed_is_said_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text, source="s.json", nodes=NODES)
    assert message in str(caught.value)


def test_a_file_that_is_not_text_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"[\n\xff]")
    with pytest.raises(ScheduleError, match=r"s\.json:2: this is not UTF-8"):
        read(path, nodes=NODES)
