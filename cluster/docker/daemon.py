"""The Docker daemon: reaching it, and what it says, as one sentence with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from cluster.real.errors import ClusterError

RUN = "windtunnel.run"
"""The label that every container and network carries, with the run's id as its value."""
MARK = "windtunnel"
"""The label by which everything of any run is found."""
_LEAST_API = (1, 41)
_LEAST_ENGINE = "20.10"

NO_RANGE = (
    "Docker has no addresses left for a network: remove old ones with 'windtunnel cluster down --all' or"
    " 'docker network prune'"
)
_RANGE_TAKEN = ("non-overlapping", "address pools", "pool overlaps")
_PORT_TAKEN = ("port is already allocated", "address already in use")
_REASONS = (
    (("permissionerror", "permission denied"), "this user may not use the Docker daemon: add it to the"
     " group 'docker', or run as root"),
    (("filenotfounderror", "connectionrefused", "connection refused", "no such file"), "no Docker daemon"
     " answers: start it, or take --cluster local"),
    (("no space left",), "the disk that Docker keeps its data on is full: free some, for instance with"
     " 'docker system prune'"),
    (_PORT_TAKEN, "a port on 127.0.0.1 is taken: end what"
     " holds it, or see 'windtunnel cluster down --all'"),
    (("is already in use by container", "already exists"), "a name is taken by an earlier run: remove it"
     " with 'windtunnel cluster down --all'"),
    (_RANGE_TAKEN, NO_RANGE),
)  # fmt: skip


def connect() -> docker.DockerClient:
    """A client of this machine's daemon. Raises ClusterError when there is none that can be used."""
    with explained("Docker"):
        client = docker.from_env(max_pool_size=20)
        version = str(client.version()["ApiVersion"])
    if tuple(int(part) for part in version.split(".")) < _LEAST_API:
        raise ClusterError(
            f"the Docker daemon is too old, its API is {version}: install Docker {_LEAST_ENGINE}"
            " or newer."
        )
    return client


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever the daemon complains of into a ClusterError that begins with ``what``."""
    try:
        yield
    except ImageNotFound as error:
        raise ClusterError(
            f"{what}: {error.explanation}; make it with 'windtunnel image build'."
        ) from error
    except (DockerException, OSError) as error:
        raise ClusterError(f"{what}: {reason(error)}.") from error


def port_is_taken(error: BaseException) -> bool:
    """Whether somebody else holds a port that was to be published."""
    text = " ".join(_said(error)).lower()
    return any(sign in text for sign in _PORT_TAKEN)


def range_is_taken(error: BaseException) -> bool:
    """Whether addresses that were asked for a network belong to another one."""
    text = " ".join(_said(error)).lower()
    return any(sign in text for sign in _RANGE_TAKEN)


def reason(error: BaseException) -> str:
    """What ``error`` means and what can be done about it."""
    text = " ".join(_said(error)).lower()
    for signs, meaning in _REASONS:
        if any(sign in text for sign in signs):
            return meaning
    return _said(error)[0].strip().rstrip(".")


def _said(error: BaseException) -> list[str]:
    said = []
    at: BaseException | None = error
    while at is not None:
        detail = at.explanation if isinstance(at, APIError) and at.explanation else str(at)
        detail = at.msg if isinstance(at, BuildError) else detail
        said.append(
            f"{detail} {type(at).__name__ if not isinstance(at, DockerException) else ''}".strip()
        )
        at = at.__cause__ or at.__context__
    return said
