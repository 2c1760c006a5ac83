"""``python -m impl.queue server.properties``: run one broker on this machine until SIGTERM or SIGINT.

The configuration has Kafka's names; ``--override key=value`` sets a key over it, as for Kafka.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from impl import machine, properties
from impl.host import Program
from impl.properties import ConfigError
from impl.queue import config as configuration
from impl.queue.server import serve


def main(arguments: Sequence[str], *, program: Program = serve) -> int:
    """Run ``program`` as the broker that ``arguments`` describe; an exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        values = _values(arguments)
        config = configuration.parse(values)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return machine.run(program, config.listeners[0].host or "127.0.0.1", config.log_dir, values)


def _values(arguments: Sequence[str]) -> dict[str, str]:
    if not arguments or arguments[0].startswith("-"):
        raise ConfigError("give the path of a server.properties")
    values = properties.read(machine.read_text(arguments[0]))
    rest = list(arguments[1:])
    while rest:
        if len(rest) < 2 or rest[0] != "--override" or "=" not in rest[1]:
            raise ConfigError(f"argument {rest[0]!r} is not understood; give --override key=value")
        key, _, value = rest[1].partition("=")
        values[key] = value
        del rest[:2]
    return values


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
