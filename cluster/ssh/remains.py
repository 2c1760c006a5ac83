"""What agents that could not end in order left on hosts: found by name, and removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cluster.ssh.connection import Connection
from cluster.ssh.inventory import Host, Inventory

_REMOVE = r"""
import glob, os, re, shutil, signal, subprocess
root, removed = "/var/lib/windtunnel", []
mark = root.encode() + b"/"
for place in glob.glob("/proc/[0-9]*"):
    pid = int(place[6:])
    try:
        words = open(place + "/cmdline", "rb").read().split(b"\0")
        environment = open(place + "/environ", "rb").read()
    except OSError:
        continue
    agent = any(word.startswith(mark) for word in words)
    node = b"FAKETIME_TIMESTAMP_FILE=" + mark in environment
    if (agent or node) and pid != os.getpid():
        os.kill(pid, signal.SIGKILL)
        removed.append("process %d" % pid)
saved = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True).stdout
for chain in re.findall(r"^:(wt-\S+)", saved, re.M):
    hook = "INPUT" if chain.endswith("-in") else "OUTPUT"
    for command in (["-D", hook, "-j", chain], ["-F", chain], ["-X", chain]):
        subprocess.run(["iptables", "-w", "5", *command], stderr=subprocess.DEVNULL)
    removed.append("chain " + chain)
for directory in glob.glob(root + "/*"):
    shutil.rmtree(directory, ignore_errors=True)
    removed.append(directory)
print(*removed, sep="\n", end="\n" if removed else "")
"""


def down_all(inventory: Inventory) -> list[str]:
    """Remove processes, rules and directories of all runs on all hosts. Raises ClusterError."""
    with ThreadPoolExecutor(len(inventory.hosts)) as pool:
        return [line for lines in pool.map(_clean, inventory.hosts.values()) for line in lines]


def _clean(host: Host) -> list[str]:
    connection = Connection(host)
    try:
        connection.require_root()
        done = connection.run_as_root(["python3", "-I", "-c", _REMOVE])
    finally:
        connection.close()
    return [f"{line} of {host.node}" for line in done.out.splitlines()]
