"""Ranges of addresses for a network, apart from those of all other networks that can be seen."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from itertools import islice
from pathlib import Path

from docker import DockerClient

PRIVATE = IPv4Network("172.16.0.0/12")
"""Where Docker's own choice mostly falls as well."""
_SMALL, _LARGE = 24, 20
_ROUTES = Path("/proc/net/route")


def free(client: DockerClient, count: int, *, addresses: int) -> Iterator[IPv4Network]:
    """Up to ``count`` ranges for so many addresses, drawn from those that no network has now."""
    taken = [*_of_docker(client), *routed(_ROUTES)]
    yield from islice(apart(taken, prefix=_SMALL if addresses < 250 else _LARGE), count)


def apart(taken: Iterable[IPv4Network], *, prefix: int) -> Iterator[IPv4Network]:
    """All private ranges of this size that touch none of ``taken``, in a random order."""
    taken = list(taken)
    ranges = list(PRIVATE.subnets(new_prefix=prefix))
    random.SystemRandom().shuffle(ranges)
    return (each for each in ranges if not any(each.overlaps(other) for other in taken))


def _of_docker(client: DockerClient) -> Iterator[IPv4Network]:
    for network in client.networks.list():
        for config in (network.attrs.get("IPAM") or {}).get("Config") or ():
            with suppress(ValueError):  # IPv6
                yield IPv4Network(str(config.get("Subnet")))


def routed(path: Path) -> Iterator[IPv4Network]:
    """Where this machine sends packets elsewhere than by default, from ``/proc/net/route``."""
    with suppress(OSError):
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            destination, mask = (bytes.fromhex(fields[place])[::-1] for place in (1, 7))
            if any(mask):
                yield IPv4Network((destination, ".".join(map(str, mask))), strict=False)
