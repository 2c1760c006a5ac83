"""Delays as commands, the reasons why there are none, and the tree of classes on a real kernel."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cluster.local import launcher
from cluster.real import netem
from cluster.real.netem import Lane, Slowed
from tests.support.realclusters import require

LANE = Lane("n1", "eth0", (("-d", "10.0.0.2"), ("-d", "10.0.0.3")))
SLOWED = Slowed(("n1", "n2"), LANE, 11, 0.2, 0.05)
STEADY = Slowed(("n1", "client"), LANE, 2, 1.0, 0.0)


def test_a_link_is_slowed_down_in_a_class_and_a_queue_of_its_own() -> None:
    assert netem.tree("eth0") == ["qdisc add dev eth0 root handle 1: htb"]
    assert SLOWED.start() == [
        "class add dev eth0 parent 1: classid 1:b htb rate 100gbit quantum 60000",
        "qdisc add dev eth0 parent 1:b handle b: netem limit 100000 delay 225.000ms 25.000ms",
    ]
    assert STEADY.start()[1].endswith("parent 1:2 handle 2: netem limit 100000 delay 1000.000ms")


def test_its_delay_changes_in_place_and_all_of_it_goes() -> None:
    assert SLOWED.change() == [
        "qdisc change dev eth0 parent 1:b handle b: netem limit 100000 delay 225.000ms 25.000ms"
    ]
    assert SLOWED.end() == [
        "qdisc del dev eth0 parent 1:b handle b:",
        "class del dev eth0 parent 1: classid 1:b",
    ]


def test_a_rule_for_each_match_sends_its_packets_there() -> None:
    assert SLOWED.rules("wt-a1-slow", "-A") == [
        f'-A wt-a1-slow -d 10.0.0.{last} -m comment --comment "n1>n2 slow" -j CLASSIFY --set-class 1:b'
        for last in (2, 3)
    ]
    assert netem.chain_creation("wt-a1-slow").splitlines() == [
        "*mangle",
        ":wt-a1-slow - [0:0]",
        "-I POSTROUTING 1 -j wt-a1-slow",
        "COMMIT",
    ]


def test_packets_are_counted_by_the_queue_that_they_passed() -> None:
    printed = json.dumps(
        [
            {"kind": "htb", "handle": "1:", "packets": 99},
            {"kind": "netem", "handle": "b:", "packets": 7},
            {"kind": "noqueue", "handle": "0:", "packets": 0},
        ]
    )
    assert netem.counted(printed, [SLOWED, STEADY]) == {("n1", "n2"): 7, ("n1", "client"): 0}
    assert netem.counted("", [SLOWED]) == {("n1", "n2"): 0}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Error: Specified qdisc kind is unknown.", "load the module sch_netem"),
        ("sh: 1: tc: not found", "install Debian's iproute2"),
        ("RTNETLINK answers: Operation not permitted", "failed (RTNETLINK answers: Operation not"),
        ("", "no reason was given"),
    ],
)
def test_what_the_trial_complains_of_becomes_a_reason(said: str, reason: str) -> None:
    assert reason in netem.reason(said)


def test_rules_send_packets_into_their_class_on_this_kernel() -> None:
    """With a plain queue in place of netem's, which not every kernel has."""
    require("local")
    plain = [line.partition(" netem")[0] for line in (*netem.tree("lo"), *_on_lo().start())]
    plain[-1] += " pfifo limit 1000"
    script = "\n".join(
        (
            f"tc -batch - <<'END'\n{chr(10).join(plain)}\nEND",
            f"iptables-restore --noflush <<'END'\n{netem.chain_creation('slow')}END",
            f"iptables-restore --noflush <<'END'\n{netem.table(_on_lo().rules('slow', '-A'))}END",
            f"{sys.executable} -c '{_SEND}'",
            " ".join(netem.read("lo")),
            f"iptables-restore --noflush <<'END'\n{netem.table(_on_lo().rules('slow', '-D'))}END",
            f"tc -batch - <<'END'\n{chr(10).join(_on_lo().end())}\nEND",
        )
    )
    argv = [sys.executable, launcher.__file__, "sh", "-e", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert netem.counted(done.stdout, [_on_lo()]) == {("n1", "n2"): 3}


_SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end, \\
     socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
    taker.bind(("127.0.0.12", 9))
    for address in ["127.0.0.12"] * 3 + ["127.0.0.1"] * 5:
        end.sendto(b"", (address, 9))
"""


def _on_lo() -> Slowed:
    return Slowed(("n1", "n2"), Lane("n1", "lo", (("-d", "127.0.0.12"),)), 11, 0.2, 0.05)
