"""``python -m impl.coordination zoo.cfg``: run one server on this machine until SIGTERM or SIGINT.

The configuration is a standard ``zoo.cfg``; the server's number stands in the file ``myid`` in its
``dataDir``. Keys can be given before it as well, ``-Dkey=value``, as for ZooKeeper.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from impl import machine, properties
from impl.coordination import config as configuration
from impl.coordination.server import serve
from impl.coordination.storage.apart import log_apart
from impl.host import Disk, Program
from impl.properties import ConfigError
from impl.quick_loop import new_loop

_DIRECTORY = "version-2"


def main(arguments: Sequence[str], *, program: Program = serve) -> int:
    """Run ``program`` as the server that ``arguments`` describe; an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        values = _values(arguments)
        address = _address(values)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    directory, logs = (f"{values[key]}/{_DIRECTORY}" for key in ("dataDir", "dataLogDir"))
    disk = partial(_disk, logs=logs if logs != directory else "")
    return machine.run(program, address, directory, values, new_loop=new_loop, disk=disk)


def _disk(rest: Disk, logs: str) -> Disk:
    return log_apart(rest, machine.DirectoryDisk(logs)) if logs else rest


def _values(arguments: Sequence[str]) -> dict[str, Any]:
    if not arguments or arguments[-1].startswith("-"):
        raise ConfigError("give the path of a zoo.cfg")
    values: dict[str, Any] = {}
    for argument in arguments[:-1]:
        key, _, value = argument.removeprefix("-D").partition("=")
        values[key] = value
    values |= properties.read(machine.read_text(arguments[-1]))
    if "dataDir" not in values:
        raise ConfigError(
            f"{arguments[-1]} lacks 'dataDir'; set it to the directory for the server's data"
        )
    values.setdefault("dataLogDir", values["dataDir"])
    if any(key.startswith("server.") for key in values):
        values["myid"] = machine.read_text(f"{values['dataDir']}/myid").strip()
    return values


def _address(values: dict[str, Any]) -> str:
    """Where clients are listened to: as configured, else by the name that peers use, else locally."""
    checked = configuration.parse(values)
    return checked.client_address or checked.servers[checked.me].host or "127.0.0.1"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
