"""Packet filter rules as text: what drops the packets of a link, and how many each rule has dropped.

Rules stand in two chains of the run's own, for packets that come and go, and carry the link and the
verb as a comment. They are changed by ``iptables-restore``, so that all links of a fault that end at one
machine are cut at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.api import Link

CHANGE = ["iptables-restore", "--wait=5", "--noflush"]
READ = ["iptables-save", "--counters", "--table", "filter"]
_HOOKS = ("INPUT", "OUTPUT")
_COUNTED = re.compile(r'^\[(\d+):\d+\] -A .*--comment "?([^"> ]+)>([^" ]+) (cut|lose)"?')


@dataclass(frozen=True, slots=True)
class Match:
    """Which packets, where: ``node`` is the machine that filters, ``hook`` INPUT or OUTPUT there.

    ``arguments`` are those of iptables that tell the link's packets from others.
    """

    node: str
    hook: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """Drop each packet of ``link`` that ``match`` finds with ``probability``, for ``verb``'s sake."""

    link: Link
    verb: str
    match: Match
    probability: float = 1.0

    def text(self, chains: Chains) -> str:
        """The rule as iptables-restore takes it, without ``-A`` or ``-D``."""
        parts = [chains.name(self.match.hook), *self.match.arguments]
        if self.probability < 1:
            parts += ["-m statistic --mode random --probability", f"{self.probability:.6f}"]
        source, destination = self.link
        comment = f'-m comment --comment "{source}>{destination} {self.verb}"'
        return f"{' '.join(parts)} {comment} -j DROP"


@dataclass(frozen=True, slots=True)
class Chains:
    """The two chains of one node in one run."""

    run: str
    node: str

    def name(self, hook: str) -> str:
        """The chain for packets that pass ``hook``."""
        return f"wt-{self.run}-{self.node}-{'in' if hook == 'INPUT' else 'out'}"

    def creation(self) -> str:
        """Text for ``CHANGE`` that makes them, before all other rules."""
        return _table(
            [f":{self.name(hook)} - [0:0]" for hook in _HOOKS]
            + [f"-I {hook} 1 -j {self.name(hook)}" for hook in _HOOKS]
        )

    def undo(self) -> list[list[str]]:
        """Commands that take them away, whatever is in them."""
        return [
            ["iptables", "-w", "5", *command]
            for hook in _HOOKS
            for command in (
                ["-D", hook, "-j", self.name(hook)],
                ["-F", self.name(hook)],
                ["-X", self.name(hook)],
            )
        ]

    def change(self, *, add: Iterable[Rule] = (), remove: Iterable[Rule] = ()) -> str:
        """Text for ``CHANGE`` that removes some rules and adds others, all at once."""
        lines = [f"-D {rule.text(self)}" for rule in remove]
        return _table(lines + [f"-A {rule.text(self)}" for rule in add])


def dropped(saved: str, chains: Chains) -> Counter[tuple[Link, str]]:
    """Packets dropped by link and verb, from what ``READ`` printed."""
    counts: Counter[tuple[Link, str]] = Counter()
    names = tuple(f"-A {chains.name(hook)} " for hook in _HOOKS)
    for line in saved.splitlines():
        found = _COUNTED.match(line)
        if found and any(name in line for name in names):
            counts[(found[2], found[3]), found[4]] += int(found[1])
    return counts


def _table(lines: Sequence[str]) -> str:
    return "\n".join(["*filter", *lines, "COMMIT", ""])
