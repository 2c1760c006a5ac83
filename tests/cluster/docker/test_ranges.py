"""Ranges of addresses that no other network has."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from cluster.docker import ranges

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_other_than_the_default_are_taken(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTES)
    assert list(ranges.routed(tmp_path / "route")) == [
        IPv4Network("172.17.0.0/16"),
        IPv4Network("192.168.0.0/24"),
    ]
    assert list(ranges.routed(tmp_path / "none")) == []


def test_what_is_drawn_touches_nothing_that_is_taken_and_is_another_each_time() -> None:
    taken = [IPv4Network("172.16.0.0/13"), IPv4Network("172.24.7.0/28")]
    found = list(ranges.apart(taken, prefix=24))
    assert len(found) == len(set(found)) == 8 * 256 - 1
    assert all(each.subnet_of(ranges.PRIVATE) for each in found)
    assert not any(each.overlaps(other) for each in found for other in taken)
    assert found != list(ranges.apart(taken, prefix=24))
    assert list(ranges.apart([ranges.PRIVATE], prefix=24)) == []
