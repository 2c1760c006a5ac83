"""What the Docker daemon complains of, as one sentence that ends with the way out."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from docker.errors import APIError, ImageNotFound

from cluster.docker.daemon import connect, explained
from cluster.real.errors import ClusterError
from tests.support.realclusters import python


def caught(error: BaseException) -> ClusterError:
    with pytest.raises(ClusterError) as found, explained("container of n1"):
        raise error
    return found.value


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("driver failed: Bind for 127.0.0.1:80 failed: port is already allocated", "a port on 127"),
        ('Conflict. The container name "/x" is already in use by container "y"', "a name is taken"),
        ("network with name windtunnel-x already exists", "a name is taken"),
        ("write /var/lib/docker/x: no space left on device", "the disk that Docker keeps"),
        ("could not find an available, non-overlapping IPv4 address pool", "no addresses left"),
        ("something else", "something else"),
    ],
)
def test_what_the_daemon_refuses_is_said_with_the_way_out(said: str, sentence: str) -> None:
    error = caught(APIError("500 Server Error", explanation=said))
    assert str(error).startswith("container of n1: ")
    assert sentence in str(error)
    assert str(error).endswith(".")
    assert "\n" not in str(error)


def test_a_missing_image_names_the_command_that_makes_it() -> None:
    error = caught(ImageNotFound("404", explanation="No such image: x:1"))
    assert str(error) == ("container of n1: No such image: x:1; make it with 'windtunnel image build'.")


def test_no_daemon_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ClusterError, match=r"^Docker: no Docker daemon answers: start it, or .*\.$"):
        connect()


def test_a_daemon_that_is_too_old_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with old_daemon(tmp_path / "docker.sock") as address:
        monkeypatch.setenv("DOCKER_HOST", address)
        with pytest.raises(ClusterError, match=r"^the Docker daemon is too old, its API is 1\.39"):
            connect()


@contextmanager
def old_daemon(path: Path) -> Iterator[str]:
    """Something that says of itself, as the daemon of 2018 did, which version it is."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"Version": "18.09.1", "ApiVersion": "1.39", "MinAPIVersion": "1.12"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "a socket"

    with socketserver.UnixStreamServer(str(path), Answer) as daemon:
        thread = threading.Thread(target=daemon.serve_forever, daemon=True)
        thread.start()
        yield f"unix://{path}"
        daemon.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "snowflake", "--cluster", "docker"], "no Docker daemon answers: start it, or take"),
        (["cluster", "up", "--cluster", "docker"], "no Docker daemon answers"),
        (["cluster", "down", "--all"], "no Docker daemon answers"),
        (["cluster", "down"], "say --all"),
        (["image", "build"], "no Docker daemon answers"),
        (["image", "build", "--source", "moon"], "image source 'moon' is unknown: choose from auto"),
        (["run", "snowflake", "--cluster", "ssh"], "--cluster ssh needs --inventory FILE"),
        (
            ["run", "snowflake", "--cluster", "ssh", "--inventory", "none.toml"],
            "inventory none.toml cannot be read",
        ),
        (["run", "snowflake", "--cluster", "moon"], "moon"),
    ],
)
def test_on_the_command_line_it_is_bad_input(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with python("-m", "windtunnel", *arguments, cwd=tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 254
    assert out == ""
    assert sentence in err
    assert err.startswith("windtunnel: ")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "store").exists()


def test_no_permission_is_one_sentence() -> None:
    error = caught(PermissionError(13, "Permission denied"))
    assert "may not use the Docker daemon: add it to the group 'docker'" in str(error)
