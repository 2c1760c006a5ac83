"""What the Docker daemon complains of, as one sentence that ends with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker.errors import APIError, ImageNotFound

from cluster.docker.daemon import connect, explained
from cluster.real.errors import ClusterError


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


def test_no_permission_is_one_sentence() -> None:
    error = caught(PermissionError(13, "Permission denied"))
    assert "may not use the Docker daemon: add it to the group 'docker'" in str(error)
