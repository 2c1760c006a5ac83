"""SIGKILL at random moments: ``python -m tests.sigkills --cluster docker --times 10``.

Starts a run under every fault, kills its harness at a moment that is drawn between its first breath
and its middle, has ``windtunnel cluster down --all`` remove what was left, and looks for what is left
all the same: containers, networks, processes, rules, directories, network namespaces. Ends with 1 if
anything is.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tests.support.realclusters import ROOT, alone, left, python

CLUSTERS = ("local", "docker", "ssh")
LONGEST_S = 12.0
NODES = ("n1", "n2", "n3")
_SETTLED_WITHIN_S = 15.0
_FAULTS = [
    {"at_s": 0.2, "kind": "partition", "nodes": ["n1"], "duration_s": 60, "args": {"grudge": "one"}},
    {"at_s": 0.4, "kind": "pause", "nodes": ["n2"], "duration_s": 60},
    {"at_s": 0.6, "kind": "clock-bump", "nodes": ["n1"], "duration_s": 60, "args": {"offset_s": 9}},
    {"at_s": 0.8, "kind": "kill", "nodes": ["n3"], "duration_s": 3},
]
_OF_CONTAINERS = [
    {"at_s": 1.5, "kind": "kill-container", "nodes": ["n1"], "duration_s": 2},
    {"at_s": 4.5, "kind": "freeze", "nodes": ["n3"], "duration_s": 60},
]


def main(arguments: list[str]) -> int:
    """Kill as often as ``arguments`` say; the exit code."""
    asked = _parsed(arguments)
    drawn = random.Random(asked.seed)
    worst = 0
    with (
        alone(),
        tempfile.TemporaryDirectory(prefix="windtunnel-sigkills-") as place,
        _hosts(asked.cluster, Path(place)) as (further, remains),
    ):
        before = namespaces()
        for number in range(1, asked.times + 1):
            after_s = drawn.uniform(0.1, LONGEST_S)
            removed = killed(asked.cluster, Path(place), after_s, further)
            found = settled(lambda: [*remains(), *(namespaces() - before)])
            worst = max(worst, len(found))
            said = f"{removed}; left: {', '.join(found) or 'nothing'}"
            print(f"{number}: killed after {after_s:.1f} s: {said}", flush=True)
    return int(worst > 0)


def killed(cluster: str, place: Path, after_s: float, further: list[str]) -> str:
    """Start a run, kill it, clean up as a person would; what the clean-up said."""
    faults = _FAULTS + (_OF_CONTAINERS if cluster == "docker" else [])
    (place / "faults.json").write_bytes(orjson.dumps(faults))
    line = "-m windtunnel run snowflake --nodes 3 --rate 50 --time-limit 1000 --schedule faults.json"
    process = python(*line.split(), "--cluster", cluster, *further, cwd=place)
    try:
        process.wait(after_s)
        raise RuntimeError(f"the run ended by itself: {process.communicate()}")
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    if cluster == "local":
        return "nothing to remove"
    with python("-m", "windtunnel", "cluster", "down", "--all", *_only(cluster, further)) as down:
        out, err = down.communicate(timeout=120)
    return (out + err).strip()


def settled(remains: Callable[[], list[str]]) -> list[str]:
    """What is left when nothing goes away any more: agents hear a moment later of what happened."""
    deadline_s = time.monotonic() + _SETTLED_WITHIN_S
    while (found := remains()) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return found


def namespaces() -> set[str]:
    """The network namespaces in which processes of this machine live."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(os.readlink(place))
        except OSError:  # gone, or not ours to see
            continue
    return found


@contextmanager
def _hosts(cluster: str, place: Path) -> Iterator[tuple[list[str], Callable[[], list[str]]]]:
    """What a run is told beside the backend, and who says what is left."""
    if cluster != "ssh":
        yield [], lambda: left(cluster)
        return
    from tests.support.sshhosts import ssh_hosts

    look = "ls -d /var/lib/windtunnel/*; iptables-save | grep wt-; grep -l FAKETIME /proc/[0-9]*/environ"
    with ssh_hosts(place, NODES) as hosts:

        def remains() -> list[str]:
            said = [hosts.run(node, "sh", "-c", f"({look}) 2>/dev/null") for node in NODES]
            return [line for text in said for line in text.splitlines()]

        yield ["--inventory", str(hosts.inventory())], remains


def _only(cluster: str, further: list[str]) -> list[str]:
    return further if cluster == "ssh" else []


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sigkills", description=__doc__)
    parser.add_argument("--cluster", choices=CLUSTERS, default="docker")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="decides the moments")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
