"""Packet filter rules as text, and their counters read back."""

from __future__ import annotations

from cluster.real.rules import Chains, Match, Rule, dropped

CHAINS = Chains("a1b2c3", "n2")
CUT = Rule(("n1", "n2"), "cut", Match("n2", "INPUT", ("-s", "10.0.0.1")))
LOSE = Rule(("n2", "client"), "lose", Match("n2", "OUTPUT", ("-d", "10.0.0.254")), 0.25)
SAVED = """\
*filter
:INPUT ACCEPT [5:500]
:wt-a1b2c3-n2-in - [0:0]
[12:720] -A INPUT -j wt-a1b2c3-n2-in
[7:420] -A wt-a1b2c3-n2-in -s 10.0.0.1/32 -m comment --comment "n1>n2 cut" -j DROP
[2:120] -A wt-a1b2c3-n2-in -s 10.0.0.1/32 -m comment --comment "n1>n2 lose" -j DROP
[1:60] -A wt-a1b2c3-n2-out -d 10.0.0.9/32 -m comment --comment "n2>client lose" -j DROP
[9:540] -A wt-another-n2-in -s 10.0.0.1/32 -m comment --comment "n1>n2 cut" -j DROP
[3:180] -A wt-a1b2c3-n2-in -s 10.0.0.7/32 -j DROP
COMMIT
"""


def test_a_change_removes_and_adds_all_its_rules_at_once() -> None:
    assert CHAINS.change(add=[CUT], remove=[LOSE]).splitlines() == [
        "*filter",
        "-D wt-a1b2c3-n2-out -d 10.0.0.254 -m statistic --mode random --probability 0.250000"
        ' -m comment --comment "n2>client lose" -j DROP',
        '-A wt-a1b2c3-n2-in -s 10.0.0.1 -m comment --comment "n1>n2 cut" -j DROP',
        "COMMIT",
    ]


def test_chains_come_before_all_other_rules_and_go_without_a_trace() -> None:
    made = CHAINS.creation().splitlines()
    assert "-I INPUT 1 -j wt-a1b2c3-n2-in" in made
    assert "-I OUTPUT 1 -j wt-a1b2c3-n2-out" in made
    assert [" ".join(argv[3:]) for argv in CHAINS.undo()] == [
        "-D INPUT -j wt-a1b2c3-n2-in",
        "-F wt-a1b2c3-n2-in",
        "-X wt-a1b2c3-n2-in",
        "-D OUTPUT -j wt-a1b2c3-n2-out",
        "-F wt-a1b2c3-n2-out",
        "-X wt-a1b2c3-n2-out",
    ]


def test_names_of_chains_fit_into_what_the_kernel_takes() -> None:
    assert len(Chains("a1b2c3", "node-12345678").name("OUTPUT")) <= 28


def test_only_the_rules_of_this_run_and_node_are_counted_by_link_and_verb() -> None:
    assert dropped(SAVED, CHAINS) == {
        (("n1", "n2"), "cut"): 7,
        (("n1", "n2"), "lose"): 2,
        (("n2", "client"), "lose"): 1,
    }
