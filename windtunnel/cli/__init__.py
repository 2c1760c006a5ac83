"""The command line: ``windtunnel COMMAND``. Here it starts, and what happens becomes an exit code.

0 valid, 1 invalid, 2 unknown, 130 Ctrl-C, 254 bad input, 255 crash.

Commands that simulate run with ``PYTHONHASHSEED=0``: unless the variable is set, the process replaces
itself by one that has it, before anything heavy is imported. Our own code gives the same digest for any
value; a foreign library under test may iterate over a set of strings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

HASH_SEED = "PYTHONHASHSEED"
SIMULATING = ("run", "replay", "shrink", "campaign", "mutants", "demo")


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    arguments = sys.argv[1:]
    if HASH_SEED not in os.environ and any(name in arguments for name in SIMULATING):
        environment = {**os.environ, HASH_SEED: "0"}
        os.execve(sys.executable, [sys.executable, "-m", "windtunnel", *arguments], environment)
    code = invoke(arguments)
    sys.stdout.flush()
    sys.exit(code)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command in this process and return its exit code."""
    from windtunnel import exits
    from windtunnel.cli.app import app, explain

    try:
        app(list(arguments), prog_name="windtunnel")
    except exits.Finished as finished:
        return finished.code
    except SystemExit as exit_:  # what Typer ends with; 2 is its code for wrong usage
        return exits.BAD_INPUT if exit_.code == 2 else int(exit_.code or 0)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:  # the last one to say what happened
        return explain(error)
    return exits.VALID
