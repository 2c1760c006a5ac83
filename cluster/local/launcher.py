"""``python launcher.py ARGV``: run a command in private user, network, mount and PID namespaces.

A program of its own, in the standard library alone: a process can enter a user namespace only while it
has one thread, which is no longer so once numpy is imported. Inside, the command has a process 1 above
it; when the command ends, is killed, or this launcher is killed, the kernel ends all that is inside, and
with the last process the namespaces, their addresses and packet filter rules go.

There, ``/run`` and ``/dev/shm`` are private and empty; the loopback is up. Signals that would end the
launcher are handed to the command. Exit code: the command's, 128 + n after signal n, 254 with one
sentence when the namespaces cannot be had.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from typing import NoReturn

INSIDE = "WINDTUNNEL_NAMESPACE"
BAD_INPUT = 254
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_NEWUSER, _NEWNET, _NEWNS, _NEWPID = 0x10000000, 0x40000000, 0x00020000, 0x20000000
_MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x4000, 0x40000, 2, 4, 8
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(argv: Sequence[str]) -> int:
    """Run ``argv`` inside; return its exit code."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        _unshare()
    except OSError as error:
        return _refuse(error)
    init = os.fork()
    if init == 0:
        _init(argv)
    return _wait(init)


def _wait(child: int) -> int:
    """Hand signals to ``child`` until it ends; reap whatever else ends."""
    for number in _FORWARDED:
        signal.signal(number, lambda number, frame: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _unshare() -> None:
    """The namespaces, in which we are root whoever we are outside."""
    user, group = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNET | _NEWNS | _NEWPID)
    for path, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(text)


def _init(argv: Sequence[str]) -> NoReturn:
    """Process 1: prepare the namespaces, start the command, and end with it."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()  # a terminal's Ctrl-C goes to the launcher alone, which hands it on
    try:
        _mounts()
        _loopback_up()
    except OSError as error:
        os._exit(_refuse(error))
    command = os.fork()
    if command == 0:
        _become(argv)
    os._exit(_wait(command))


def _become(argv: Sequence[str]) -> NoReturn:
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    try:
        os.execvpe(argv[0], list(argv), {**os.environ, INSIDE: "1", "PATH": path})
    except OSError as error:
        print(f"windtunnel: {argv[0]} cannot be run: {error.strerror}.", file=sys.stderr, flush=True)
        os._exit(BAD_INPUT)


def _mounts() -> None:
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    # Private, as locks, sockets of resolvers and semaphores of the machine are there.
    _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV)
    _mount("tmpfs", "/dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV)


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sh22x", answer)[1] | _IFF_UP
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags))


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    kind_bytes = kind.encode() if kind else None
    _call("mount", source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _refuse(error: OSError) -> int:
    print(f"windtunnel: private namespaces cannot be had here ({error.strerror}).", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
