"""``make kazoo-suite``: kazoo's own tests against three processes of ours, or of Debian's ZooKeeper.

``python -m tests.outside.kazoo_suite [--server ours|debian] [PYTEST ARGUMENT ...]``, for example
``kazoo.tests.test_lock``. The tests are those in kazoo's wheel, in the environment ``.kazoo-suite``.
They start servers by calling ``java``: the first on the PATH is ``tests.outside.java``. What fails and
what is skipped is told by name; the last line is ``N passed, N failed, N skipped``. Ends with 0 if
nothing failed but what is said not to be there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from shutil import which

from tests.impl.coordination.debian_zookeeper import CLASSPATH, MISSING
from tests.impl.coordination.processes import ROOT
from tests.outside.outcomes import OPTIONS, parse, run_all, told, unexpected

PYTHON = ROOT / ".kazoo-suite" / "bin" / "python"
NOT_THERE = ("test_sasl.", "test_client.TestReconfig.")
"""What ours does not have: tests whose names begin so may fail."""
_ALL = "kazoo.tests"
_SUITE_S = 3600
_PORTS_APART = 10


def main(arguments: list[str]) -> int:
    """Run the suite and tell; an exit code."""
    parser = argparse.ArgumentParser(prog="kazoo-suite", description=__doc__)
    parser.add_argument("--server", choices=("ours", "debian"), default="ours")
    asked, further = parser.parse_known_args(arguments)
    if asked.server == "debian" and MISSING:
        print(MISSING, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="kazoo-suite-") as folder:
        report = Path(folder) / "report.xml"
        code = _run(asked.server, Path(folder), report, further)
        if not report.exists():
            print(f"kazoo's tests ended with code {code} and no report", file=sys.stderr)
            return 2
        outcomes = parse(report.read_text(), _ALL)
    for line in told(outcomes):
        print(line)
    return int(bool(unexpected(outcomes, NOT_THERE)) or not outcomes)


def _run(server: str, folder: Path, report: Path, further: list[str]) -> int:
    """Run pytest; all that it started is gone when this returns."""
    chosen = further if any(map(_is_module, further)) else [*further, _ALL]
    words = (PYTHON, "-m", "pytest", *OPTIONS, "--timeout=300", f"--junitxml={report}", "--pyargs")
    return run_all([*words, *chosen], folder, _environment(server, folder), _SUITE_S)


def _is_module(argument: str) -> bool:
    return argument.startswith(_ALL)


def _environment(server: str, folder: Path) -> dict[str, str]:
    shim = folder / "bin" / "java"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{PYTHON}" "{ROOT / "tests" / "outside" / "java.py"}" "$@"\n')
    shim.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{shim.parent}:{os.environ['PATH']}",
        "CI": "1",  # without it the test of the server's version is skipped
        "ZOOKEEPER_VERSION": "3.8.0",
        "ZOOKEEPER_CLASSPATH": CLASSPATH,
        "ZOOKEEPER_PORT_OFFSET": str(_first_port()),
        "WINDTUNNEL_SERVER": server,
        "WINDTUNNEL_ROOT": str(ROOT),
        "WINDTUNNEL_PYTHON": sys.executable,
        "WINDTUNNEL_JAVA": which("java") or "java",
        "TMPDIR": str(folder),
    }


def _first_port() -> int:
    """Kazoo takes 25 ports from here on: below those that connections are given, and free."""
    import socket

    for first in range(20000, 30000, 100):
        sockets = []
        try:
            for port in range(first, first + 3 * _PORTS_APART):
                each = socket.socket()
                sockets.append(each)
                each.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise OSError(f"no {3 * _PORTS_APART} ports in a row are free from 20000 to 30000: end some servers")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
