"""Delays as text: queues for ``tc``, and the rules that send the packets of a link to them.

What leaves a machine over a device goes through a tree of classes (tc-htb(8)) that limits nothing. Each
link that is slowed down has a class of its own, to which a rule of the packet filter sends its packets
(``CLASSIFY``), and below it a queue that delays them (tc-netem(8)) and counts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.api import Link

BATCH = ["tc", "-batch", "-"]
"""Takes commands of ``tc`` from its input."""
FIRST = 2
"""Number of the first class: 1 is the tree itself."""
TRIAL = (
    "tc qdisc add dev lo root handle 1: htb"
    " && tc class add dev lo parent 1: classid 1:2 htb rate 100gbit quantum 60000"
    " && iptables -w 5 -t mangle -A POSTROUTING -d 127.99.0.1 -j CLASSIFY --set-class 1:2"
    " && tc qdisc add dev lo parent 1:2 handle 2: netem delay 1ms"
)
"""For a shell in a network namespace that nobody needs: succeeds where links can be slowed down."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Where the packets of a link leave: ``node`` is the machine, ``device`` its network device.

    Each of ``matches`` are arguments of iptables that tell the link's packets from others there.
    """

    node: str
    device: str
    matches: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Slowed:
    """One link that is slowed down in class ``number`` of its lane's device."""

    link: Link
    lane: Lane
    number: int
    delay_s: float
    jitter_s: float

    def rules(self, chain: str, do: str) -> list[str]:
        """Lines for iptables-restore that add (``-A``) or delete (``-D``) its rules in ``chain``."""
        source, destination = self.link
        comment = f'-m comment --comment "{source}>{destination} slow"'
        return [
            f"{do} {chain} {' '.join(match)} {comment} -j CLASSIFY --set-class 1:{self.number:x}"
            for match in self.lane.matches
        ]

    def start(self) -> list[str]:
        """Commands of ``tc`` that make its class and its queue."""
        where = f"dev {self.lane.device} parent 1:"
        return [
            f"class add {where} classid 1:{self.number:x} htb rate 100gbit quantum 60000",
            f"qdisc add {where}{self.number:x} {self._queue()}",
        ]

    def change(self) -> list[str]:
        """Commands that give the queue that is there its delay."""
        return [f"qdisc change dev {self.lane.device} parent 1:{self.number:x} {self._queue()}"]

    def end(self) -> list[str]:
        """Commands that take queue and class away."""
        device, number = self.lane.device, f"{self.number:x}"
        return [
            f"qdisc del dev {device} parent 1:{number} handle {number}:",
            f"class del dev {device} parent 1: classid 1:{number}",
        ]

    def _queue(self) -> str:
        """netem's jitter goes both ways, ours only makes it later."""
        delay_ms, jitter_ms = self.delay_s * 1000, self.jitter_s * 1000
        middle = f"{delay_ms + jitter_ms / 2:.3f}ms"
        spread = f" {jitter_ms / 2:.3f}ms" if jitter_ms else ""
        return f"handle {self.number:x}: netem limit 100000 delay {middle}{spread}"


def tree(device: str) -> list[str]:
    """The command that makes the tree of classes on ``device``, once, before any link is slowed down."""
    return [f"qdisc add dev {device} root handle 1: htb"]


def chain_creation(chain: str) -> str:
    """Text for iptables-restore that makes the chain of the rules."""
    return table([f":{chain} - [0:0]", f"-I POSTROUTING 1 -j {chain}"])


def table(lines: Iterable[str]) -> str:
    """Text for iptables-restore of these lines."""
    return "\n".join(["*mangle", *lines, "COMMIT", ""])


def read(device: str) -> list[str]:
    """The command that prints the counters of all queues of ``device``."""
    return ["tc", "-s", "-j", "qdisc", "show", "dev", device]


def counted(printed: str, slowed: Sequence[Slowed]) -> dict[Link, int]:
    """Packets that have passed the queue of each of ``slowed``, from what ``read`` printed."""
    passed = {
        int(queue["handle"].rstrip(":"), 16): int(queue["packets"])
        for queue in json.loads(printed or "[]")
        if queue.get("handle", "0:") != "0:"
    }
    return {one.link: passed.get(one.number, 0) for one in slowed}


def reason(said: str) -> str:
    """Why links cannot be slowed down, from what the trial complained of."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason was given"]
    if "not found" in lines[0] and "tc" in lines[0]:
        return "tc is missing: install Debian's iproute2"
    if any("qdisc kind is unknown" in line for line in lines):
        return "its kernel has no netem: load the module sch_netem, or take a kernel that has it"
    return f"a trial of netem failed ({lines[0].rstrip('.')})"
