"""Real processes, sockets and disks, with kazoo, a client that others wrote."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.retry import KazooRetry
from kazoo.security import make_digest_acl

from impl.coordination.protocol.records import CONNECT_REQUEST, ConnectRequest
from tests.impl.coordination.processes import ROOT, Servers, ask
from tests.support.ports import free_port

MAX_FRAME = 0xFFFFF


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("single"), 1)
    yield servers
    assert servers.stop() == [0]


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("three"), 3)
    yield servers
    servers.stop()


def connected(servers: Servers, **options) -> KazooClient:
    retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5)
    client = KazooClient(servers.hosts, connection_retry=retry, command_retry=retry, **options)
    client.start(timeout=15)
    return client


@pytest.fixture(params=["single", "three"])
def zk(request) -> Iterator[KazooClient]:
    client = connected(request.getfixturevalue(request.param))
    client.ensure_path("/test")
    yield client
    client.delete("/test", recursive=True)
    client.stop()
    client.close()


def test_znodes_are_made_read_changed_and_deleted(zk: KazooClient) -> None:
    assert zk.create("/test/a", b"one") == "/test/a"
    data, stat = zk.get("/test/a")
    assert (data, stat.version, stat.czxid) == (b"one", 0, stat.mzxid)
    assert zk.set("/test/a", b"two", version=0).version == 1
    with pytest.raises(BadVersionError):
        zk.set("/test/a", b"three", version=0)
    with pytest.raises(NodeExistsError):
        zk.create("/test/a")
    zk.create("/test/a/b")
    with pytest.raises(NotEmptyError):
        zk.delete("/test/a")
    assert zk.get_children("/test/a", include_data=True)[1].cversion == 1
    zk.delete("/test/a", recursive=True)
    with pytest.raises(NoNodeError):
        zk.get("/test/a")
    assert zk.exists("/test/a") is None


def test_suffixes_ephemerals_and_transactions(zk: KazooClient) -> None:
    names = [zk.create("/test/s-", sequence=True, ephemeral=True) for _ in range(3)]
    assert names == [f"/test/s-{number:010d}" for number in range(3)]
    assert zk.get(names[0])[1].ephemeralOwner == zk.client_id[0]
    transaction = zk.transaction()
    transaction.create("/test/t", b"x")
    transaction.check("/test/t", 0)
    transaction.set_data("/test/t", b"y")
    assert transaction.commit()[:2] == ["/test/t", True]
    transaction = zk.transaction()
    transaction.delete("/test/t")
    transaction.check("/test", 99)
    assert [type(each) for each in transaction.commit()] == [RolledBackError, BadVersionError]
    assert zk.get("/test/t")[0] == b"y"


def test_a_watch_tells_another_client(zk: KazooClient, request) -> None:
    other = connected(request.getfixturevalue(request.node.callspec.params["zk"]))
    zk.create("/test/w", b"1")
    other.sync("/test/w")
    told = threading.Event()
    assert other.get("/test/w", watch=lambda event: told.set())[0] == b"1"
    zk.set("/test/w", b"2")
    assert told.wait(5)
    assert other.get("/test/w")[0] == b"2"
    other.stop()
    other.close()


def test_acls_are_enforced(zk: KazooClient, request) -> None:
    zk.create("/test/acl", b"secret", acl=[make_digest_acl("ann", "pw", all=True)])
    with pytest.raises(NoAuthError):
        zk.get("/test/acl")
    zk.add_auth("digest", "ann:pw")
    assert zk.get("/test/acl")[0] == b"secret"


def test_the_four_letter_words_are_answered(single: Servers) -> None:
    port = single.ports[0]
    assert ask(port, b"ruok") == "imok"
    assert ask(port, b"isro") == "rw"
    for word, wanted in {
        b"srvr": "Mode: standalone",
        b"stat": "Clients:",
        b"mntr": "zk_server_state\tstandalone",
        b"envi": "zookeeper.version=3.8.0",
        b"conf": f"clientPort={port}",
        b"cons": "127.0.0.1",
    }.items():
        assert wanted in ask(port, word)


def test_a_client_goes_on_after_its_leader_was_killed(three: Servers) -> None:
    client = connected(three, timeout=4)
    client.create("/kept", b"1", ephemeral=True)
    session = client.client_id[0]
    leader = three.leader()
    three.kill(leader)
    client.retry(client.set, "/kept", b"2")
    assert client.client_id[0] == session
    three.start(leader)
    three.wait()
    for port in three.ports:
        at = KazooClient(f"127.0.0.1:{port}")
        at.start(timeout=15)
        at.sync("/kept")
        assert at.get("/kept")[0] == b"2"
        at.stop()
        at.close()
    client.stop()
    client.close()


# --- frames that no client sends ------------------------------------------------------------------

GARBAGE = st.binary(max_size=60)
HELLO = CONNECT_REQUEST.encode(ConnectRequest(0, 0, 4000, 0, bytes(16)))


def framed(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def closed_after(port: int, data: bytes) -> bool:
    """Whether the server closes the connection after ``data`` of its own accord."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        connection.sendall(data)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            return True
        return True


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">i", -1),
        struct.pack(">i", MAX_FRAME + 1),
        struct.pack(">i", 0),
        framed(b"\0" * 5),
        framed(HELLO) + struct.pack(">i", MAX_FRAME + 1),
        framed(HELLO) + framed(b"abc"),
        framed(HELLO) + framed(struct.pack(">ii", 1, 4711)),
        framed(CONNECT_REQUEST.encode(ConnectRequest(0, 1 << 60, 4000, 0, bytes(16)))),
        framed(CONNECT_REQUEST.encode(ConnectRequest(0, 0, 4000, 99, b"wrong password.."))),
    ],
)
def test_frames_that_end_a_connection(single: Servers, data: bytes) -> None:
    assert closed_after(single.ports[0], data)
    assert ask(single.ports[0], b"ruok") == "imok"


def test_the_largest_frame_is_taken(single: Servers) -> None:
    client = connected(single)
    data = b"x" * (MAX_FRAME - 200)
    client.create("/large", data)
    assert client.get("/large")[0] == data
    client.delete("/large")
    client.stop()
    client.close()


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.booleans(),
    st.lists(GARBAGE | GARBAGE.map(framed), max_size=4),
)
def test_whatever_is_thrown_at_a_server_it_lives(single: Servers, greeted: bool, pieces) -> None:
    with socket.create_connection(("127.0.0.1", single.ports[0]), timeout=3) as connection:
        connection.sendall((framed(HELLO) if greeted else b"") + b"".join(pieces))
    assert ask(single.ports[0], b"ruok") == "imok"
    assert single.processes[1].poll() is None
    assert "Traceback" not in (single.folder / "1" / "log").read_text()


def test_what_requests_took_is_measured(single: Servers) -> None:
    client = connected(single)
    for _ in range(20):
        client.get("/")
    client.ensure_path("/measured")
    port = single.ports[0]
    line = next(each for each in ask(port, b"srvr").splitlines() if each.startswith("Latency"))
    least, mean, greatest = line.removeprefix("Latency min/avg/max: ").split("/")
    assert 0 <= int(least) <= float(mean) <= int(greatest) + 1
    assert float(mean) > 0
    assert f"zk_min_latency\t{least}\n" in ask(port, b"mntr")
    assert "maxlat=" in ask(port, b"cons")
    client.stop()
    client.close()


def test_logs_lie_in_a_directory_of_their_own_if_there_is_one(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    further = f"dataLogDir={logs}\nsnapCount=20\n"
    servers = Servers(tmp_path / "servers", 1, further)
    client = connected(servers)
    for number in range(40):
        client.create(f"/n{number}")
    client.stop()
    client.close()
    assert servers.stop() == [0]
    data = tmp_path / "servers" / "1" / "version-2"
    assert {path.name.split(".")[0] for path in (logs / "version-2").iterdir()} == {"log"}
    assert {path.name.split(".")[0] for path in data.iterdir()} >= {"snapshot", "currentEpoch"}
    assert not [path for path in data.iterdir() if path.name.startswith("log.")]
    servers.start(1)
    servers.wait()
    client = connected(servers)
    assert len(client.get_children("/")) == 41
    client.stop()
    client.close()
    assert servers.stop() == [0]


# --- configuration --------------------------------------------------------------------------------


def test_a_secure_port_speaks_tls(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    options = ["-subj", "/CN=localhost", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")]
    subprocess.run([*command, *options], check=True, capture_output=True)
    pem.write_text((tmp_path / "key").read_text() + (tmp_path / "crt").read_text())
    port = free_port()
    servers = Servers(tmp_path / "servers", 1, f"secureClientPort={port}\nssl.keyStore.location={pem}\n")
    client = KazooClient(f"127.0.0.1:{port}", use_ssl=True, verify_certs=False)
    client.start(timeout=15)
    assert client.create("/tls", b"x") == "/tls"
    client.stop()
    client.close()
    with pytest.raises((ssl.SSLError, OSError)):
        ssl.create_default_context().wrap_socket(
            socket.create_connection(("127.0.0.1", servers.ports[0]), timeout=3),
            server_hostname="localhost",
        )
    assert servers.stop() == [0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clientPort=2181\n", "lacks 'dataDir'"),
        ("dataDir=DATA\n", "lacks 'clientPort'"),
        ("dataDir=DATA\nclientPort=70000\n", "'clientPort' is '70000'"),
        ("dataDir=DATA\nclientPort=2181\ntickTime=fast\n", "'tickTime' is 'fast'"),
        ("dataDir=DATA\nclientPort=2181\nserver.1=a:1\n", "host:port:electionPort"),
        ("dataDir=DATA\nclientPort=2181\nserver.2=a:1:2\n", "no 'server.1'"),
        ("dataDir=DATA\nnonsense\n", "line 2 of the configuration"),
        (
            "dataDir=DATA\nclientPort=0\nsecureClientPort=2281\nssl.keyStore.location=DATA/store.jks\n",
            "store.jks is no PEM file",
        ),
        ("dataDir=DATA\ndataLogDir=DATA/logs\nclientPort=0\nsecureClientPort=2281\n", "move the log.*"),
    ],
)
def test_a_wrong_configuration_is_refused_in_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "myid").write_text("1")
    (tmp_path / "store.jks").write_bytes(b"\xfe\xed\xfe\xed\0\0\0\2")
    if "dataLogDir" in text:
        (tmp_path / "version-2").mkdir()
        (tmp_path / "version-2" / "log.1").write_bytes(b"")
    path = tmp_path / "zoo.cfg"
    path.write_text(text.replace("DATA", str(tmp_path)))
    command = [sys.executable, "-m", "impl.coordination", str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
