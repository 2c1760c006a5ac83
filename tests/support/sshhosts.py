"""Five containers that run sshd, as hosts for the ``ssh`` backend: each with its own key and user.

They have the libraries of our node programs. ``root`` comes in by the key of the test; ``deputy`` too,
and may become root by sudo; ``guest`` may not.
"""

from __future__ import annotations

import io
import secrets
import socket
import tarfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from cluster.api import System
from cluster.docker import image, layers
from cluster.docker.daemon import MARK, RUN, connect
from cluster.docker.remains import down
from cluster.systems.registry import FOREIGN

PACKAGES = ("openssh-server", "sudo")
_SSHD = """\
set -e
mkdir -p /run/sshd /root/.ssh
for user in deputy guest; do useradd --create-home --shell /bin/sh $user; done
for home in /root /home/deputy /home/guest; do
    mkdir -p $home/.ssh && cp /tmp/authorized_keys $home/.ssh/ && chmod 700 $home/.ssh
done
chown -R deputy: /home/deputy && chown -R guest: /home/guest
echo 'deputy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deputy
rm -f /etc/ssh/ssh_host_*
cp /tmp/host_key /etc/ssh/ssh_host_ecdsa_key && chmod 600 /etc/ssh/ssh_host_ecdsa_key
echo /opt/windtunnel/lib >/usr/lib/python3/dist-packages/windtunnel.pth
exec /usr/sbin/sshd -D -e
"""
_CAPABILITIES = (
    *("NET_ADMIN", "SYS_ADMIN", "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"),
    *("SYS_CHROOT", "AUDIT_WRITE", "NET_BIND_SERVICE"),
)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts that run. ``entries`` is the inventory's ``[nodes]``; ``known_hosts`` has their keys."""

    place: Path
    run_id: str
    entries: Mapping[str, Mapping[str, Any]]

    @property
    def key(self) -> Path:
        return self.place / "key"

    @property
    def known_hosts(self) -> Path:
        return self.place / "known_hosts"

    def inventory(self, name: str = "hosts.toml", **top: Any) -> Path:
        """An inventory file of them all, whose top is ``top`` beside what makes it work."""
        values = {"user": "root", "key": str(self.key), "known_hosts": str(self.known_hosts), **top}
        lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
        for node, entry in self.entries.items():
            lines += [f"[nodes.{node}]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
        path = self.place / name
        path.write_text("\n".join([*lines, ""]))
        return path

    def run(self, node: str, *argv: str) -> str:
        """What a command on a host prints."""
        done = connect().containers.get(f"windtunnel-{self.run_id}-{node}").exec_run(list(argv))
        return bytes(done.output).decode()


def image_tag(system: System | None = None, *, say: layers.Say = lambda line: None) -> str:
    """The image of the hosts, made unless it is there: with ``system`` if one is given.

    Raises ClusterError.
    """
    client = connect()
    if system is None or not system.packages:  # what is ours, a run brings along
        base, name = image.base_tag(), "sshd"
    else:
        base, name = image.image_of(client, system, say=say), f"sshd-{system.name}"
    return layers.with_packages(client, base, name, PACKAGES, say)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What all hosts of a run have in common."""

    run_id: str
    network: str
    image: str
    authorized: str
    ports: tuple[int, ...]

    @property
    def labels(self) -> dict[str, str]:
        return {MARK: "1", RUN: self.run_id}


@contextmanager
def ssh_hosts(place: Path, nodes: tuple[str, ...], *, system: System | None = None) -> Iterator[Hosts]:
    """Hosts for ``nodes``, reached on 127.0.0.1, that have what ``system`` needs; ours unless given."""
    client, run_id = connect(), f"ssh{secrets.token_hex(3)}"
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(place / "key"))
    terms = _Terms(
        run_id=run_id,
        network=f"windtunnel-{run_id}",
        image=image_tag(system),
        authorized=f"{key.get_name()} {key.get_base64()}\n",
        ports=(8080,) if system is None else tuple(system.ports.values()),
    )
    try:
        client.networks.create(terms.network, driver="bridge", labels=terms.labels)
        with ThreadPoolExecutor(len(nodes)) as pool:
            made = list(pool.map(lambda node: _host(node, terms), nodes))
        (place / "known_hosts").write_text("".join(line for _, line in made))
        entries = dict(zip(nodes, (entry for entry, _ in made), strict=True))
        for entry in entries.values():
            _wait_for_sshd(int(entry["port"]))
        yield Hosts(place, run_id, entries)
    finally:
        down(run_id, client)


def _host(node: str, terms: _Terms) -> tuple[dict[str, Any], str]:
    """A host that starts: what the inventory says of it, and its line of known_hosts."""
    host_key, private = paramiko.ECDSAKey.generate(), io.StringIO()
    host_key.write_private_key(private)
    container = connect().containers.create(
        terms.image,
        ["sh", "-c", _SSHD],
        name=f"windtunnel-{terms.run_id}-{node}",
        hostname=node,
        labels=terms.labels,
        network=terms.network,
        ports={f"{port}/tcp": ("127.0.0.1", 0) for port in (22, *terms.ports)},
        init=True,
        cap_drop=["ALL"],
        cap_add=list(_CAPABILITIES),
    )
    files = {"authorized_keys": terms.authorized, "host_key": private.getvalue()}
    container.put_archive("/tmp", _tar(files))
    container.start()
    container.reload()
    settings = container.attrs["NetworkSettings"]
    ports = {port: int(settings["Ports"][f"{port}/tcp"][0]["HostPort"]) for port in (22, *terms.ports)}
    port = ports.pop(22)
    address = settings["Networks"][terms.network]["IPAddress"]
    entry = {"host": "127.0.0.1", "port": port, "address": address, "ports": ports}
    return entry, f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n"


def _wait_for_sshd(port: int) -> None:
    """Until it greets: Docker's proxy takes connections before it listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
            if connection.recv(3) == b"SSH":
                return
        time.sleep(0.05)
    raise TimeoutError(f"no sshd on port {port}")


def _tar(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {each}" for key, each in value.items()) + " }"
    return str(value) if isinstance(value, int) else f'"{value}"'


if __name__ == "__main__":
    print(image_tag(say=print), *(image_tag(make(("n1",)), say=print) for make in FOREIGN.values()))
