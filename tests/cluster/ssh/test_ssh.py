"""Hosts over SSH, here containers that run sshd: whole runs, what is left, and what is refused."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import paramiko
import pytest

from cluster.real.errors import ClusterError
from cluster.ssh import down_all, read_inventory, ssh_cluster
from cluster.ssh.connection import Connection
from cluster.ssh.inventory import Host
from cluster.systems.ids import ids_system
from tests.cluster.real.test_runs import EVERYTHING, finish, results, wait_for_operations
from tests.support.realclusters import alone, python, require
from tests.support.sshhosts import Hosts, ssh_hosts

NODES = ("n1", "n2", "n3", "n4", "n5")
LEFT = (
    "ls -d /var/lib/windtunnel/*; iptables-save | grep wt-; cat /proc/[0-9]*/environ | grep -c FAKETIME"
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    require("ssh")
    with alone(), ssh_hosts(tmp_path_factory.mktemp("ssh"), NODES) as made:
        yield made


def start(hosts: Hosts, place: Path, *arguments: str, schedule: Any = (), **top: Any) -> Any:
    (place / "faults.json").write_bytes(orjson.dumps(schedule))
    inventory = str(hosts.inventory(**top))
    line = "-m windtunnel run snowflake --rate 50 --cluster ssh --schedule faults.json --inventory"
    return python(*line.split(), inventory, *arguments, cwd=place)


def left(hosts: Hosts) -> dict[str, str]:
    """What a run left on the hosts: directories, rules, processes."""
    return {node: said for node in NODES if (said := _left(hosts, node)) != "0"}


def _left(hosts: Hosts, node: str) -> str:
    return hosts.run(node, "sh", "-c", f"({LEFT}) 2>/dev/null").strip()


def until_nothing_is_left(hosts: Hosts) -> None:
    """Agents whose harness was killed hear of it when the connection ends."""
    for _ in range(100):
        if not left(hosts):
            return
    pytest.fail(f"left on hosts: {left(hosts)}")


def host(hosts: Hosts, **changes: Any) -> Host:
    return replace(read_inventory(hosts.inventory()).hosts["n1"], **changes)


def refused(one: Host) -> str:
    with pytest.raises(ClusterError) as caught:
        Connection(one).require_root()
    said = str(caught.value)
    assert said.startswith("n1: ")
    assert said.endswith(".")
    assert "\n" not in said
    return said


def test_correct_nodes_are_valid_under_every_fault_by_way_of_sudo(hosts: Hosts, tmp_path: Path) -> None:
    process = start(hosts, tmp_path, "--time-limit", "6", schedule=EVERYTHING, user="deputy")
    said = finish(process)
    assert process.returncode == 0, said
    coverage = results(tmp_path)["fault-coverage"]
    assert coverage["planned"] == coverage["landed"] == len(EVERYTHING)
    assert results(tmp_path)["stats"]["next"]["ok-count"] > 50
    assert (tmp_path / "store" / "latest" / "logs" / "n5.log").exists()
    assert left(hosts) == {}


def test_a_broken_node_is_caught_and_ctrl_c_undoes_everything(hosts: Hosts, tmp_path: Path) -> None:
    mutant = ("--mutant", "snowflake-two-nodes-of-one-id", "--time-limit", "1000")
    process = start(hosts, tmp_path, *mutant, schedule=EVERYTHING)
    wait_for_operations(process, tmp_path)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert process.returncode == 130, said
    assert results(tmp_path)["interrupted"] is True
    assert results(tmp_path)["valid?"] is False
    assert left(hosts) == {}


def test_hosts_undo_everything_when_the_harness_is_killed(hosts: Hosts, tmp_path: Path) -> None:
    process = start(hosts, tmp_path, "--time-limit", "1000", schedule=EVERYTHING)
    wait_for_operations(process, tmp_path)
    assert set(left(hosts)) == set(NODES)
    process.kill()
    finish(process)
    until_nothing_is_left(hosts)


def test_what_killed_agents_left_is_removed_from_all_hosts(hosts: Hosts, tmp_path: Path) -> None:
    process = start(hosts, tmp_path, "--time-limit", "1000", schedule=EVERYTHING)
    wait_for_operations(process, tmp_path)
    for node in NODES:
        hosts.run(node, "pkill", "-9", "-f", "python3 -I -S -c")
    process.kill()
    finish(process)
    assert set(left(hosts)) == set(NODES)
    inventory = hosts.inventory()
    with python("-m", "windtunnel", "cluster", "down", "--all", "--inventory", str(inventory)) as down:
        said = finish(down)
    assert "process" in said
    assert "chain wt-" in said
    assert left(hosts) == {}
    assert down_all(read_inventory(inventory)) == []


def test_no_password_and_no_key_stands_on_any_command_line(hosts: Hosts) -> None:
    hosts.run("n1", "sh", "-c", "echo deputy:open-sesame | chpasswd; echo 'Defaults timestamp_timeout=0'"
              " >/etc/sudoers.d/zz; echo 'deputy ALL=(ALL) ALL' >/etc/sudoers.d/deputy")  # fmt: skip
    one = host(hosts, user="deputy", sudo_password="open-sesame")
    connection = Connection(one)
    connection.require_root()
    seen = connection.run_as_root(["sh", "-c", "id -u; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])
    connection.close()
    assert seen.out.startswith("0\n")
    assert "sudo" in seen.out
    assert "open-sesame" not in seen.out
    assert "sudo refuses deputy@127.0.0.1" in refused(replace(one, sudo_password="wrong"))
    assert "name a variable that has it as sudo_password_env" in refused(
        replace(one, sudo_password=None)
    )
    hosts.run("n1", "sh", "-c", "echo 'deputy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deputy")


def test_libraries_that_a_host_has_not_are_brought_along(hosts: Hosts, tmp_path: Path) -> None:
    has = "/usr/lib/python3/dist-packages/windtunnel.pth"
    hosts.run("n1", "mv", has, "/root/")
    process = start(hosts, tmp_path, "--nodes", "1", "--time-limit", "1")
    said = finish(process)
    hosts.run("n1", "mv", "/root/windtunnel.pth", has)
    assert process.returncode == 0, said
    assert left(hosts) == {}


def test_a_user_who_may_not_become_root_is_refused(hosts: Hosts) -> None:
    assert "sudo refuses guest@127.0.0.1" in refused(host(hosts, user="guest"))


def test_a_host_that_cannot_be_reached_is_named(hosts: Hosts) -> None:
    assert "port 1 cannot be reached (Connection refused): does sshd run" in refused(host(hosts, port=1))
    said = refused(host(hosts, host="no-such-host.invalid"))
    assert "the name no-such-host.invalid is unknown" in said


def test_a_host_key_that_has_changed_or_is_unknown_is_refused_unless_told_otherwise(
    hosts: Hosts, tmp_path: Path
) -> None:
    name = f"[127.0.0.1]:{hosts.entries['n1']['port']}"
    other = paramiko.ECDSAKey.generate()
    changed = tmp_path / "changed"
    changed.write_text(f"{name} {other.get_name()} {other.get_base64()}\n")
    said = refused(host(hosts, known_hosts=changed))
    assert f"the host key of 127.0.0.1 is not the one in {changed}" in said
    unknown = host(hosts, known_hosts=tmp_path / "empty")
    assert f"127.0.0.1 is not in {tmp_path / 'empty'}: add its key" in refused(unknown)
    Connection(replace(unknown, any_host_key=True)).close()


def test_a_key_that_cannot_be_used_is_named(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    assert f"root@127.0.0.1 port {hosts.entries['n1']['port']} refuses the key {key}" in refused(
        host(hosts, key=key)
    )
    assert f"the key {tmp_path / 'none'} cannot be read: No such file" in refused(
        host(hosts, key=tmp_path / "none")
    )
    paramiko.ECDSAKey.generate().write_private_key_file(str(key), password="secret")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "has a passphrase: give it to an SSH agent" in refused(host(hosts, key=key))
    key.write_text("no key")
    assert "is no private key that can be used" in refused(host(hosts, key=key))


def test_what_a_host_lacks_is_named_with_the_package(hosts: Hosts) -> None:
    nodes = ("n1", "n2")
    system = replace(ids_system("uuid4", nodes=nodes), needs=("nosuchd",), packages=("nosuch-server",))
    cluster = ssh_cluster(system, read_inventory(hosts.inventory()), nodes=nodes)
    with pytest.raises(ClusterError, match=r"lacks nosuchd: install Debian's nosuch-server there"):
        cluster.run(cluster.start)
    assert left(hosts) == {}


def test_a_host_that_vanishes_before_the_run_is_said_and_the_others_are_left_clean(
    hosts: Hosts, tmp_path: Path
) -> None:
    inventory = hosts.inventory()
    text = inventory.read_text().replace(f"port = {hosts.entries['n5']['port']}", "port = 1")
    inventory.write_text(text)
    line = f"-m windtunnel run snowflake --cluster ssh --time-limit 1 --inventory {inventory}"
    with python(*line.split(), cwd=tmp_path) as process:
        said = finish(process)
    assert process.returncode in (254, 255)
    assert "n5: root@127.0.0.1 port 1 cannot be reached" in said
    assert left(hosts) == {}


def test_the_hosts_are_as_they_were(hosts: Hosts) -> None:
    assert "n2" not in hosts.run("n1", "cat", "/etc/hosts")
    done = subprocess.run(["ps", "ax"], capture_output=True, text=True, check=False)
    assert "/var/lib/windtunnel/" not in done.stdout
