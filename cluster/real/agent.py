"""The agent: runs on each node beside the system under test, and does there what the harness asks.

A program of its own, in the standard library alone, as its source is handed to the node's
``python3 -c``. It reads requests from its standard input and answers on its standard output, one JSON
object per line: ``{"id": 1, "do": "state"}`` is answered by ``{"id": 1, "ok": {...}}`` or
``{"id": 1, "error": sentence}``.

When its input ends, because the harness has closed it or is dead, it kills the node's process, runs the
commands of ``undo``, removes its directory if so told by a second word on its command line, and exits:
nothing of a run outlives its harness.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

_GONE_WITHIN_S = 5.0
_STEP_S = 0.002
_PROBE = "import time; print(time.time_ns() - time.monotonic_ns())"
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


class Node:
    """The process under test on this machine, its wall clock, and what is to be undone at the end.

    The clock was set at ``set_ns``, by this machine, to be ``offset_s`` off and to run at ``rate``. True
    time is the harness's: this machine is ``ahead_s`` ahead of it.
    """

    def __init__(self, directory: str, *, remove: bool = False) -> None:
        self.directory, self.remove = directory, remove
        self.process: subprocess.Popen[bytes] | None = None
        self.starts: list[tuple[int, int]] = []
        self.started_ns = 0
        self.offset_s, self.rate, self.set_ns = 0.0, 1.0, 0
        self.ahead_s = 0.0
        self.writer: threading.Thread | None = None
        self.undo: list[list[str]] = []
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
        self._write_clock(time.time_ns())

    # --- the process --------------------------------------------------------------------------

    def start(self, argv: list[str], env: dict[str, str]) -> dict[str, object]:
        """Start the process in a session of its own; nothing happens when it runs."""
        if not self._running():
            self._write_clock(time.time_ns())
            self.process = subprocess.Popen(
                argv,
                env={**os.environ, **env, **self._faketime()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.writer = threading.Thread(target=self._keep_log, args=(self.process,), daemon=True)
            self.writer.start()
            self.started_ns = time.time_ns()
            self.starts.append((self.process.pid, _stat(self.process.pid)[1]))
            self._write_clock(self.started_ns)
        return self.state()

    def signal(self, number: int, until: str = "") -> dict[str, object]:
        """Send a signal to all of the node's processes; wait until it is ``gone`` or ``stopped``."""
        if self.process is not None and self._running():
            os.killpg(self.process.pid, number)
            deadline = time.monotonic() + _GONE_WITHIN_S
            while not self._reached(until) and time.monotonic() < deadline:
                time.sleep(_STEP_S)
        return self.state()

    def state(self) -> dict[str, object]:
        """What the kernel says of the process, and how often one was started."""
        if self.process is None or not self._running():
            return {
                "running": False,
                "paused": False,
                "incarnation": len(self.starts),
                "exit": self._exit(),
            }
        letter, started = _stat(self.process.pid)
        paused = letter in "Tt"
        same = self.starts[-1] == (self.process.pid, started)
        return {"running": same, "paused": paused, "incarnation": len(self.starts), "exit": None}

    def _keep_log(self, process: subprocess.Popen[bytes]) -> None:
        """Date each line when it is written, by true time: the node has a faked clock."""
        assert process.stdout is not None
        with process.stdout, open("node.log", "ab", buffering=0) as log:
            for line in process.stdout:
                now = time.time() - self.ahead_s
                date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
                log.write(b"%s.%06dZ %s\n" % (date.encode(), now % 1 * 1e6, line.rstrip(b"\n")))

    def _running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _exit(self) -> int | None:
        return None if self.process is None else self.process.returncode

    def _reached(self, until: str) -> bool:
        if until == "gone":
            return not self._running()
        if until == "stopped":
            return not self._running() or bool(self.state()["paused"])
        return True

    # --- the clock ----------------------------------------------------------------------------

    def now(self) -> dict[str, object]:
        """This machine's clock."""
        return {"now_ns": time.time_ns()}

    def true_time(self, ahead_s: float) -> dict[str, object]:
        """How far this machine is ahead of the harness; the node's clock shows the harness's time."""
        self.ahead_s = ahead_s
        self._write_clock(time.time_ns())
        return {}

    def skew(self, offset_s: float, rate: float) -> dict[str, object]:
        """Set the wall clock of the node to true time + ``offset_s``, running at ``rate`` from now."""
        self.offset_s, self.rate, self.set_ns = offset_s, rate, time.time_ns()
        self._write_clock(self.started_ns if self._running() else self.set_ns)
        return {}

    def clock(self) -> dict[str, object]:
        """The node's wall clock minus true time, in seconds, read by a process that shares its clock.

        Both clocks are read as their distance from the monotonic one, which is never faked: how long
        the reading takes does not matter.
        """
        env = {**os.environ, **self._faketime()}
        if self.process is not None and self._running():
            pid = self.process.pid
            if os.path.exists(f"/dev/shm/faketime_shm_{pid}"):
                env["FAKETIME_SHARED"] = f"/faketime_sem_{pid} /faketime_shm_{pid}"
        else:
            self._write_clock(time.time_ns())
        argv = [sys.executable, "-I", "-S", "-c", _PROBE]
        read = subprocess.run(argv, env=env, stdout=subprocess.PIPE, timeout=10, check=True)
        true_ns = time.time_ns() - time.monotonic_ns() - int(self.ahead_s * 1e9)
        return {"offset_s": (int(read.stdout) - true_ns) / 1e9}

    def _write_clock(self, started_ns: int) -> None:
        """For libfaketime a clock with a rate is ``start + offset + rate * (now - start)``.

        ``start`` is that of the process. The rate is always written, as a running process would else
        keep its old one.
        """
        offset_s = self.offset_s - self.ahead_s + (self.rate - 1) * (started_ns - self.set_ns) / 1e9
        with open("clock.new", "w") as file:
            file.write(f"{offset_s:+.9f} x{self.rate:.6f}\n")
        os.rename("clock.new", "clock")

    def _faketime(self) -> dict[str, str]:
        library = faketime_library()
        if not library:
            return {}
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": os.path.join(self.directory, "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it, waits of threads turn into busy loops
        }

    # --- the machine --------------------------------------------------------------------------

    def run(self, argv: list[str], input: str = "", timeout_s: float = 30.0) -> dict[str, object]:
        """Run a command to its end."""
        done = subprocess.run(
            argv, input=input.encode(), capture_output=True, timeout=timeout_s, check=False
        )
        return {"code": done.returncode, "out": _text(done.stdout), "err": _text(done.stderr)}

    def write(self, path: str, data: str) -> dict[str, object]:
        """Put ``data``, in base64, in place of ``path``, relative to the node's directory."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(base64.b64decode(data))
        os.rename(path + ".new", path)
        return {}

    def append(self, path: str, text: str) -> dict[str, object]:
        """Add ``text`` at the end of a file."""
        with open(path, "a") as file:
            file.write(text)
        return {}

    def wipe(self, patterns: list[str]) -> dict[str, object]:
        """Remove files and directories below the node's own."""
        for path in (path for pattern in patterns for path in glob.glob(pattern)):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        return {}

    def unpack(self, path: str, target: str) -> dict[str, object]:
        """Unpack a wheel, or a tar archive of libraries, that was written before; it goes away."""
        if path.endswith(".whl"):
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(target)
        else:
            with tarfile.open(path) as archive:
                archive.extractall(target)
        os.unlink(path)
        return {}

    def lacking(self, needs: list[str]) -> dict[str, object]:
        """Which of these programs, by name, and files, by path, this machine has not."""
        there = {
            need: os.path.exists(need) if "/" in need else bool(shutil.which(need)) for need in needs
        }
        return {"lacking": [need for need, found in there.items() if not found]}

    def log(self, paths: list[str] | None = None) -> dict[str, object]:
        """What the process has written so far, in all its incarnations: its output, and these files."""
        if self.writer is not None and not self._running():
            self.writer.join(_GONE_WITHIN_S)  # the last words of the dead
        texts = {}
        for path in ("node.log", *(paths or ())):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    texts[path] = _text(file.read())
        further = "".join(
            f"\n==> {path} <==\n{text}" for path, text in texts.items() if path != "node.log"
        )
        return {"text": texts.get("node.log", "") + further}

    def at_end(self, undo: list[list[str]]) -> dict[str, object]:
        """The commands that undo what was done to this machine, to be run when the input ends."""
        self.undo = undo
        return {}

    def end(self) -> None:
        """Undo everything."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGKILL, "gone")
        for argv in self.undo:
            subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        for pid, _ in self.starts:
            for path in (f"/dev/shm/faketime_shm_{pid}", f"/dev/shm/sem.faketime_sem_{pid}"):
                if os.path.exists(path):
                    os.unlink(path)
        if self.remove:
            shutil.rmtree(self.directory, ignore_errors=True)


def faketime_library() -> str:
    """The path of libfaketime on this machine; empty when there is none."""
    return next((path for pattern in LIBRARIES for path in sorted(glob.glob(pattern))), "")


def serve(node: Node) -> None:
    """Answer requests until the input ends."""
    begun: list[bytes] = []
    while True:
        select.select([0], [], [])
        data = os.read(0, 1 << 20)
        if not data:
            return
        first, *others = data.split(b"\n")
        begun.append(first)
        for begins in others:
            _reply(_answer(node, json.loads(b"".join(begun))))
            begun = [begins]


def _answer(node: Node, request: dict[str, object]) -> dict[str, object]:
    number, verb = request.pop("id"), str(request.pop("do"))
    try:
        return {"id": number, "ok": getattr(node, verb)(**request)}
    except Exception as error:  # whatever goes wrong here is the harness's to judge
        return {"id": number, "error": f"{verb}: {type(error).__name__}: {error}"}


def _reply(answer: dict[str, object]) -> None:
    rest = memoryview(json.dumps(answer).encode() + b"\n")
    while rest:
        rest = rest[os.write(1, rest) :]


def _stat(pid: int) -> tuple[str, int]:
    """State and start time, in clock ticks since boot, of a process: fields 3 and 22 of proc(5)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _stay(number: int, frame: object) -> None:
    """Ctrl-C and SIGTERM are the harness's to answer; its end is the end of the input."""


def main(directory: str, remove: str = "") -> None:
    """Serve on the standard streams, then undo everything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stay)  # not SIG_IGN: the node's process would inherit that
    node = Node(directory, remove=remove == "remove")
    try:
        serve(node)
    finally:
        node.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
