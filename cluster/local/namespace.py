"""Getting the harness into private namespaces, and saying beforehand what this machine lacks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

from cluster.api import System
from cluster.local import launcher
from cluster.real import netem
from cluster.real.agent import faketime_library
from cluster.real.errors import ClusterError

_TRIAL_WITHIN_S = 20
_TOOLS = {
    "iptables-restore": "iptables",
    "iptables": "iptables",
    "mount": "mount",
    "unshare": "util-linux",
}
_TRIAL = (
    *("iptables", "-w", "5", "-t", "nat", "-A", "OUTPUT", "-d", "127.99.0.1"),
    *("-m", "conntrack", "--ctorigdst", "127.99.0.1", "--ctdir", "ORIGINAL"),
    *("-m", "comment", "--comment", "trial", "-j", "DNAT", "--to-destination", "127.0.0.1"),
)
_SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": "0",
    "/proc/sys/user/max_user_namespaces": "0",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
}


def inside() -> bool:
    """Whether this process has been started by ``enter``."""
    return launcher.INSIDE in os.environ


def enter(argv: Sequence[str] | None = None) -> None:
    """Start this process again inside private namespaces, from its beginning; returns if it is there.

    ``argv`` takes the place of this process's own command line. Raises ClusterError with everything
    that is missing on this machine.
    """
    if inside():
        return
    require()
    command = [sys.executable, *sys.orig_argv[1:]] if argv is None else list(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    _become([sys.executable, launcher.__file__, *command])


def _become(argv: list[str]) -> NoReturn:
    os.execv(argv[0], argv)


def require() -> None:
    """Raise ClusterError unless everything that ``local`` needs is there."""
    if lacking := list(missing()):
        raise ClusterError(f"--cluster local cannot run on this machine: {'; '.join(lacking)}.")


def require_for(system: System) -> None:
    """Raise ClusterError unless what ``system`` needs is installed on this machine."""
    path = f"{os.environ.get('PATH', os.defpath)}:{launcher.SBIN}"
    lacking = [
        need
        for need in system.needs
        if not (os.path.exists(need) if "/" in need else shutil.which(need, path=path))
    ]
    if lacking:
        packages = " ".join(system.packages)
        raise ClusterError(
            f"--system {system.name} cannot run on this machine, it lacks {', '.join(lacking)}: install"
            f" Debian's packages (apt-get install {packages}), or take --cluster docker."
        )


def missing() -> Iterator[str]:
    """What this machine lacks, each with the way to get it."""
    if sys.platform != "linux":
        yield f"it needs Linux, this is {sys.platform}; take --cluster docker"
        return
    path = f"{os.environ.get('PATH', os.defpath)}:{launcher.SBIN}"
    lacking = sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool, path=path)})
    if not faketime_library():
        lacking.append("libfaketime")
    if lacking:
        yield f"install Debian's {', '.join(lacking)} (apt-get install {' '.join(lacking)})"
        return
    if problem := _trial():
        yield problem


def _trial() -> str | None:
    """Why no namespace with a packet filter of its own can be had, if so."""
    argv = [sys.executable, launcher.__file__, *_TRIAL]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TRIAL_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return f"a trial of private namespaces was not through in {_TRIAL_WITHIN_S} s"
    if done.returncode == 0:
        return None
    said = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
    if done.returncode != launcher.BAD_INPUT:
        return f"the kernel's packet filter does not work in a private namespace ({said})"
    off = [path for path, value in _SWITCHES.items() if _reads(path, value)]
    if off:
        return (
            f"user namespaces are switched off by {' and '.join(off)}; an administrator can allow them"
        )
    return said.removeprefix("windtunnel: ").rstrip(".")


@cache
def why_no_netem() -> str:
    """Why packets cannot be delayed in a private namespace on this machine; empty when they can."""
    own = ["unshare", "--net"] if inside() else [sys.executable, launcher.__file__]
    try:
        done = subprocess.run(
            [*own, "sh", "-c", netem.TRIAL],
            capture_output=True,
            text=True,
            timeout=_TRIAL_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"a trial of netem failed ({error})"
    return "" if done.returncode == 0 else netem.reason(done.stderr)


def _reads(path: str, value: str) -> bool:
    try:
        return Path(path).read_text().strip() == value
    except OSError:
        return False
