"""What tests rely on when they choose a port."""

from __future__ import annotations

import socket

import pytest

from tests.support.ports import PORTS, free_port, free_ports, of_worker


def test_workers_share_no_port() -> None:
    both = [*of_worker("gw0"), *of_worker("gw1")]
    assert len(set(both)) == len(both)
    assert set(both) <= set(PORTS)


def test_a_port_that_is_listened_on_is_not_given_when_its_turn_comes_again() -> None:
    with socket.socket() as server:
        taken = free_port()
        server.bind(("127.0.0.1", taken))
        server.listen()
        half = len(of_worker("gw0")) // 2
        given = [*free_ports(half), *free_ports(half)]  # with the one that is taken: all turns
        given += free_ports(half)
    assert taken not in given
    assert set(given) <= set(PORTS)
    assert taken in {*free_ports(half), *free_ports(half), *free_ports(half)}


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="free ports asked"):
        free_ports(len(PORTS))
