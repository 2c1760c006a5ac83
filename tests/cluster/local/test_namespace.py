"""What ``local`` needs of a machine is named beforehand; what runs inside ends with the harness."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.local import launcher, local_cluster, namespace
from cluster.real.errors import ClusterError
from cluster.systems.ids import ids_system
from tests.support.realclusters import require


def launched(*command: str, **options: object) -> subprocess.Popen[str]:
    argv = [sys.executable, launcher.__file__, *command]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_tools_that_are_missing_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(launcher, "SBIN", str(tmp_path))
    with pytest.raises(ClusterError, match=r"install Debian's iptables, mount, util-linux.*apt-get"):
        namespace.require()


def test_a_harness_outside_of_the_namespaces_is_told_how_to_enter() -> None:
    nodes = ("n1",)
    with pytest.raises(ClusterError, match=r"call cluster\.local\.enter\(\) first"):
        local_cluster(ids_system("uuid4", nodes=nodes), nodes=nodes).checked()


def test_inside_there_is_a_loopback_and_nothing_else_of_the_machine() -> None:
    require("local")
    script = "cat /proc/net/dev; ls /dev/shm /run; readlink /proc/self/ns/net; ls -d /proc/[0-9]*"
    with launched("sh", "-c", script) as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    interfaces = [
        line.split(":")[0].strip() for line in out.splitlines() if ":" in line and "|" not in line
    ]
    assert [name for name in interfaces if name not in ("net", "/dev/shm", "/run")] == ["lo"]
    assert out.count("/proc/") <= 5
    assert str(Path("/proc/self/ns/net").readlink()) not in out


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_the_commands(script: str, code: int) -> None:
    require("local")
    with launched("sh", "-c", script) as process:
        process.communicate(timeout=20)
    assert process.returncode == code


def test_a_signal_is_handed_on() -> None:
    require("local")
    script = "trap 'echo heard; exit 5' INT; echo ready; sleep 60 & wait"
    with launched("sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("heard\n", 5)


def test_all_inside_dies_with_a_launcher_that_is_killed() -> None:
    require("local")
    with launched("sh", "-c", "setsid sleep 4711 & echo ready; wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.communicate(timeout=20)  # ends when the last holder of the pipe is gone


def test_a_command_that_is_not_there_is_said() -> None:
    require("local")
    with launched("no-such-command") as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 254
    assert err == "windtunnel: no-such-command cannot be run: No such file or directory.\n"
