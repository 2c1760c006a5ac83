"""``make zkcli-diff``: the same commands through Debian's ``zkCli.sh``, to ours and to the real servers.

``python -m tests.outside.zkcli``: three servers of one kind after the other, with the same ports; the
commands are those in ``zkcli_script.txt``. What they print has to be equal, command by command, and so
have the watches that fire, in their order; zxids, session numbers and times are not looked at. Prints
the differences; ends with 1 if there are any, 2 if Debian's package is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

from tests.impl.coordination import debian_zookeeper
from tests.impl.coordination.processes import Layout, Program, Servers, ours

CLIENT = Path("/usr/share/zookeeper/bin/zkCli.sh")
MISSING = debian_zookeeper.MISSING or (None if CLIENT.exists() else f"there is no {CLIENT} here")
SCRIPT = Path(__file__).with_name("zkcli_script.txt")
_MARK, _MARKED = "printwatches", "printwatches is "
_CLIENT_S = 60
_ASIDE = (
    (re.compile(r"([cmp]Zxid = )0x[0-9a-f]+"), r"\1ZXID"),
    (re.compile(r"([cm]time = ).+"), r"\1TIME"),
    (re.compile(r"(ephemeralOwner = )0x(?!0\b|8000000000000000|ff0000)[0-9a-f]+"), r"\1SESSION"),
)


class Printed(NamedTuple):
    """What a script printed: by command; and the events apart, as another thread prints them."""

    answers: list[tuple[str, list[str]]]
    events: list[str]


def main() -> int:
    """Compare and tell; an exit code."""
    if MISSING:
        print(MISSING, file=sys.stderr)
        return 2
    commands = SCRIPT.read_text().splitlines()
    with tempfile.TemporaryDirectory(prefix="zkcli-") as folder:
        real, own = both(Path(folder), commands)
    differences = compare(real, own)
    print("\n".join(differences) or "no difference")
    print(f"{len(commands)} commands, {len(real.events)} events, {len(differences)} lines of difference")
    return int(bool(differences))


def both(folder: Path, commands: list[str]) -> tuple[Printed, Printed]:
    """What ``commands`` print when they go to the real servers, and when they go to ours."""
    layout = Layout.free(3)
    real = _printed(folder / "real", debian_zookeeper.program, layout, commands)
    return real, _printed(folder / "own", ours, layout, commands)


def _printed(folder: Path, program: Program, layout: Layout, commands: list[str]) -> Printed:
    settings = "extendedTypesEnabled=true\nadmin.enableServer=false\n4lw.commands.whitelist=*\n"
    servers = Servers(folder, 3, settings, program=program, layout=layout)
    try:
        return run(servers.ports[0], commands)
    finally:
        servers.end()


def run(port: int, commands: list[str]) -> Printed:
    """What ``commands`` print at the server with the client port ``port``."""
    marked = "".join(f"{command}\n{_MARK}\n" for command in ("", *commands))
    ended = subprocess.run(
        [str(CLIENT), "-waitforconnection", "-server", f"127.0.0.1:{port}"],
        input=marked + "quit\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_CLIENT_S,
        check=False,
    )
    return parse(ended.stdout, commands)


def parse(output: str, commands: list[str]) -> Printed:
    """Split what the client printed. Raises ValueError if it did not get through the commands."""
    lines = [line for line in output.splitlines() if line.strip() and line != "WATCHER::"]
    events = [line for line in lines if line.startswith("WatchedEvent ")]
    answers: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(_MARKED):
            answers.append([])
        elif not line.startswith("WatchedEvent "):
            answers[-1].append(_without_what_differs(line))
    if len(answers) < len(commands) + 2:
        raise ValueError(f"zkCli answered {len(answers) - 2} of {len(commands)} commands:\n{output}")
    ordered = [
        sorted(each) if command == "whoami" else each  # the real server keeps a set
        for command, each in zip(commands, answers[1:], strict=False)
    ]
    return Printed(list(zip(commands, ordered, strict=True)), events)


def _without_what_differs(line: str) -> str:
    for pattern, instead in _ASIDE:
        line = pattern.sub(instead, line)
    return line


def compare(real: Printed, own: Printed) -> list[str]:
    """The lines of a diff from what the real servers gave to what ours did; none if they agree."""
    return list(unified_diff(_lines(real), _lines(own), "real", "ours", lineterm="", n=2))


def _lines(printed: Printed) -> list[str]:
    answers = [
        f"{mark}{line}"
        for command, answer in printed.answers
        for mark, line in (("> ", command), *(("", each) for each in answer))
    ]
    return [*answers, "events:", *printed.events]


if __name__ == "__main__":
    sys.exit(main())
