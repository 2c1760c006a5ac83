"""A container's framed output as one stream of bytes."""

from __future__ import annotations

import socket

from cluster.docker.stream import ContainerStream


def framed(data: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def received(sent: bytes, size: int) -> bytes:
    """What arrives when ``sent`` comes a byte at a time and ``size`` bytes are asked for."""
    mine, its = socket.socketpair()
    with mine, its:
        stream = ContainerStream(its)
        for byte in sent:
            mine.sendall(bytes([byte]))
        mine.shutdown(socket.SHUT_WR)
        data = b""
        while more := stream.recv(size):
            data += more
        return data


def test_frames_are_joined_however_they_are_cut() -> None:
    sent = framed(b"hello ") + framed(b"w") + framed(b"orld\n")
    for size in (1, 3, 100):
        assert received(sent, size) == b"hello world\n"


def test_a_torn_header_is_the_end() -> None:
    assert received(framed(b"all") + b"\x01\x00", 100) == b"all"
