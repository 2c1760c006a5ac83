"""What a host has: asked once, before anything is done to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import cluster.real.agent
from cluster.api import System
from cluster.real import programs
from cluster.real.errors import ClusterError
from cluster.ssh.connection import Connection

_LEAST_PYTHON = (3, 11)
_TOOLS = {
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "iptables-save": "iptables",
    "mount": "mount",
    "unshare": "util-linux",
    "libfaketime": "libfaketime",
}
_ASK = """\
import glob, importlib.util, json, os, platform, shutil, socket, sys
modules, needs, address, faketime = json.loads(sys.argv[1])
def there(need):
    if need == "libfaketime": return any(glob.glob(path) for path in faketime)
    return os.path.exists(need) if "/" in need else bool(shutil.which(need))
print(json.dumps({
    "python": list(sys.version_info[:2]),
    "machine": platform.machine(),
    "modules": [name for name in modules if importlib.util.find_spec(name) is None],
    "lacking": [need for need in needs if not there(need)],
    "address": socket.gethostbyname(address),
}))
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """Its Python and processor, whether our libraries are missing, and addresses as it sees them.

    ``address`` is its own, ``client`` that of this machine.
    """

    python: str
    machine: str
    lacks_libraries: bool
    address: str
    client: str


def survey(connection: Connection, system: System) -> Survey:
    """Look at the host. Raises ClusterError when it lacks what ``system`` or the faults need."""
    host = connection.host
    came = connection.run(["sh", "-c", "echo $SSH_CONNECTION; command -v python3"])
    client, _, python = came.out.partition("\n")
    if not python.strip():
        raise ClusterError(f"{host.node}: {host} has no python3: install Debian's python3 there.")
    found = _asked(connection, system)
    if packages := _packages(found["lacking"], system):
        raise ClusterError(
            f"{host.node}: {host} lacks {', '.join(found['lacking'])}: install Debian's"
            f" {', '.join(packages)} there (apt-get install {' '.join(packages)})."
        )
    if tuple(found["python"]) < _LEAST_PYTHON and not system.packages:
        raise ClusterError(
            f"{host.node}: {host} has Python {'.'.join(map(str, found['python']))}: our nodes need 3.11."
        )
    return Survey(
        python=".".join(map(str, found["python"])),
        machine=found["machine"],
        lacks_libraries=bool(found["modules"]),
        address=found["address"],
        client=(client.split() or ["127.0.0.1"])[0],
    )


def _packages(lacking: list[str], system: System) -> list[str]:
    """Debian's packages that have what a host lacks."""
    tools = {_TOOLS[need] for need in lacking if need in _TOOLS}
    return [*sorted(tools), *(system.packages if set(lacking) - set(_TOOLS) else ())]


def _asked(connection: Connection, system: System) -> dict[str, Any]:
    host = connection.host
    question = json.dumps(
        [programs.modules(), [*_TOOLS, *system.needs], host.address, cluster.real.agent.LIBRARIES]
    )
    done = connection.run_as_root(["python3", "-I", "-c", _ASK, question])
    try:
        return dict(json.loads(done.out))
    except ValueError:
        said = (done.err.splitlines() or ["nothing"])[-1]
        raise ClusterError(f"{host.node}: python3 on {host} does not work, it says {said!r}.") from None
