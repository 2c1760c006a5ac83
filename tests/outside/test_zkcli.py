"""Debian's command line client cannot tell our servers from its own, and the comparison can tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.outside import zkcli
from tests.outside.zkcli import Printed, compare, parse

OUTPUT = """Welcome to ZooKeeper!
printwatches is on
[a, b]
printwatches is on

WATCHER::

WatchedEvent state:SyncConnected type:NodeDataChanged path:/a
cZxid = 0x100000004
ctime = Sat Nov 28 19:31:21 UTC 2026
ephemeralOwner = 0x100aa64c2e70000
ephemeralOwner = 0x0
printwatches is on
"""


def test_the_same_commands_print_the_same_on_ours_as_on_the_real_servers(tmp_path: Path) -> None:
    if zkcli.MISSING:
        assert not os.environ.get("CI"), f"CI must have it: {zkcli.MISSING}"
        pytest.skip(zkcli.MISSING)
    commands = zkcli.SCRIPT.read_text().splitlines()
    real, own = zkcli.both(tmp_path, commands)
    assert compare(real, own) == []
    assert len(commands) >= 60
    assert len(real.events) >= 10


def test_output_is_told_apart_by_command_and_events_stand_alone() -> None:
    assert parse(OUTPUT, ["ls /", "get -s /a"]) == Printed(
        [
            ("ls /", ["[a, b]"]),
            (
                "get -s /a",
                ["cZxid = ZXID", "ctime = TIME", "ephemeralOwner = SESSION", "ephemeralOwner = 0x0"],
            ),
        ],
        ["WatchedEvent state:SyncConnected type:NodeDataChanged path:/a"],
    )


def test_what_differs_is_shown_below_its_command() -> None:
    own = OUTPUT.replace("[a, b]", "[a]").replace("NodeDataChanged", "NodeDeleted")
    differences = compare(parse(OUTPUT, ["ls /", "get -s /a"]), parse(own, ["ls /", "get -s /a"]))
    assert {"-[a, b]", "+[a]", " > ls /"} <= set(differences)
    assert any("NodeDeleted" in line for line in differences)


def test_a_client_that_did_not_get_through_its_commands_is_no_result() -> None:
    with pytest.raises(ValueError, match="answered 1 of 3 commands"):
        parse("printwatches is on\nprintwatches is on\n", ["ls /", "ls /a", "ls /b"])
