"""A connection to one host: who it is, who we are there, and commands run as root."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import paramiko
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from cluster.real.errors import ClusterError
from cluster.ssh.inventory import Host

_CONNECT_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 60.0
_END_WITHIN_S = 15.0
_ALIVE_EVERY_S = 15
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str


class SshStream:
    """The standard streams of a command on a host. ``close`` ends its input; its output ends with it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.recv = channel.recv
        self.sendall = channel.sendall

    def close(self) -> None:
        with suppress(
            OSError, EOFError, SSHException
        ):  # the connection is gone, and the command with it
            self._channel.shutdown_write()

    def ended(self) -> bool:
        """Wait for the command to end; whether it did in time."""
        return bool(self._channel.status_event.wait(_END_WITHIN_S))

    def said(self) -> str:
        """What it has written to its standard error."""
        text = b""
        while self._channel.recv_stderr_ready():
            text += self._channel.recv_stderr(65536)
        return text.decode("utf-8", "replace").strip()


class Connection:
    """An SSH connection to ``host``. Raises ClusterError when it cannot be had."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._client = paramiko.SSHClient()
        try:
            with _explained(host):
                self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        host, client = self.host, self._client
        if host.any_host_key:
            client.set_missing_host_key_policy(_AnyKey())
        else:
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            if host.known_hosts.exists():
                client.load_host_keys(str(host.known_hosts))
        key = _private_key(host)
        client.connect(
            host.host,
            port=host.port,
            username=host.user,
            password=host.password,
            pkey=key,
            allow_agent=key is None,
            look_for_keys=key is None,
            timeout=_CONNECT_WITHIN_S,
            banner_timeout=_CONNECT_WITHIN_S,
            auth_timeout=_CONNECT_WITHIN_S,
        )
        self._transport().set_keepalive(_ALIVE_EVERY_S)

    def run(self, argv: Sequence[str]) -> Done:
        """Run a command as the user we came as, to its end."""
        with _explained(self.host):
            channel = self._transport().open_session(timeout=_ANSWER_WITHIN_S)
            channel.settimeout(_ANSWER_WITHIN_S)
            channel.exec_command(shlex.join(argv))
            channel.shutdown_write()
            out = _whole(channel.recv)
            err = _whole(channel.recv_stderr)
            code = channel.recv_exit_status()
            channel.close()
        return Done(code, out, err)

    def run_as_root(self, argv: Sequence[str]) -> Done:
        """Run a command as root, to its end; its input is empty."""
        stream = self.start_as_root(argv)
        stream.close()
        out = _whole(stream.recv)
        if not stream.ended():
            raise ClusterError(f"{self.host.node}: {argv[0]} on {self.host} does not end.")
        return Done(stream._channel.recv_exit_status(), out, stream.said())

    def start_as_root(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> SshStream:
        """Start a command as root; a password for sudo goes through its input, never in ``argv``."""
        words = ["env", _PATH, *(f"{key}={value}" for key, value in (env or {}).items()), *argv]
        with _explained(self.host):
            channel = self._transport().open_session(timeout=_ANSWER_WITHIN_S)
            channel.exec_command(shlex.join([*self._sudo(), *words]))
            if self._sudo() and self.host.sudo_password is not None:
                channel.sendall(self.host.sudo_password.encode() + b"\n")
        return SshStream(channel)

    def require_root(self) -> None:
        """Raise ClusterError unless root's commands can be run."""
        if not self._sudo():
            return
        done = self.run_as_root(["true"])
        if done.code != 0:
            said = (done.err.splitlines() or [f"exit status {done.code}"])[-1]
            raise ClusterError(
                f"{self.host.node}: sudo refuses {self.host} ({said}): allow it without a password"
                " (NOPASSWD), name a variable that has it as sudo_password_env, or take root as user."
            )

    def _sudo(self) -> list[str]:
        if self.host.user == "root":
            return []
        wants = ["-k", "-S", "-p", ""] if self.host.sudo_password is not None else ["-n"]
        return ["sudo", *wants, "--"]

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport()
        if transport is None:
            raise SSHException("the connection is closed")
        return transport

    def close(self) -> None:
        """End it; commands that still run lose their input."""
        self._client.close()


class _AnyKey(paramiko.MissingHostKeyPolicy):
    """Accepts, and forgets: the inventory says that host keys don't matter."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        return


def _private_key(host: Host) -> paramiko.PKey | None:
    """The key the inventory names; None for those of the SSH agent. Raises ClusterError."""
    if host.key is None:
        return None
    try:
        return paramiko.PKey.from_path(host.key)
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except TypeError:
        if paramiko.Agent().get_keys():
            return None
        why = "has a passphrase: give it to an SSH agent (ssh-add)"
    except (ValueError, SSHException):
        why = "is no private key that can be used: take one of RSA, ECDSA or Ed25519"
    raise ClusterError(f"{host.node}: the key {host.key} {why}.")


def _whole(recv: object) -> str:
    assert callable(recv)
    data = b""
    while more := recv(65536):
        data += more
    return data.decode("utf-8", "replace")


@contextmanager
def _explained(host: Host) -> Iterator[None]:
    """Turn what goes wrong with a connection into a ClusterError that says what to do."""
    try:
        yield
    except (SSHException, OSError, EOFError) as error:
        raise ClusterError(f"{host.node}: {reason(host, error)}.") from error


def reason(host: Host, error: BaseException) -> str:
    """What ``error`` means, and the way out."""
    match error:
        case BadHostKeyException():
            return (
                f"the host key of {host.host} is not the one in {host.known_hosts}: if the machine was"
                " set up anew remove the old key (ssh-keygen -R), if not somebody is in between"
            )
        case AuthenticationException():
            what = "the keys of this user" if host.key is None else f"the key {host.key}"
            return (
                f"{host} refuses {what}: put the public key into its authorized_keys, or correct user"
                " or key in the inventory"
            )
        case socket.gaierror():
            return f"the name {host.host} is unknown: correct host in the inventory"
        case TimeoutError() | NoValidConnectionsError() | ConnectionError() | OSError():
            why = _errors(error)
            return f"{host} cannot be reached ({why}): does sshd run there, and do firewalls let us in"
    if "not found in known_hosts" in str(error):
        return (
            f"{host.host} is not in {host.known_hosts}: add its key (ssh-keyscan, and compare it), or"
            ' say host_keys = "any" in the inventory'
        )
    return f"{host}: {str(error) or type(error).__name__}"


def _errors(error: BaseException) -> str:
    if isinstance(error, NoValidConnectionsError):
        return "; ".join(sorted({_errors(each) for each in error.errors.values()}))
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or "no answer in time")
