"""What a packet between brokers, or between a client and a broker, says: for pictures, not for verdicts.

Kafka's answers do not say what was asked: only their number tells which request they are of.
"""

from __future__ import annotations

import struct

from impl.queue.protocol.keys import ApiKey, OwnKey

REST = "…"
_REQUEST = struct.Struct(">ihhi")
_ANSWER = struct.Struct(">ii")
_LENGTH = 4
_MOST = 4
_OWN = frozenset(OwnKey)


def describe(port: str, to_server: bool, data: bytes) -> str:
    """The requests or answers in ``data``, at most four; the rest of one says nothing."""
    said: list[str] = []
    read = _request if to_server else _answer
    while len(data) > _LENGTH and len(said) < _MOST:
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        try:
            said.append(read(data[:end]))
        except (struct.error, ValueError):
            said.append(REST)
            break
        data = data[end:]
    return ", ".join(said) or REST


def _request(frame: bytes) -> str:
    _, key, version, number = _REQUEST.unpack_from(frame)
    name = OwnKey(key).name if key in _OWN else ApiKey(key).name
    return f"{name.replace('_', ' ').lower()} v{version} #{number}"


def _answer(frame: bytes) -> str:
    _, number = _ANSWER.unpack_from(frame)
    return f"answer #{number}, {len(frame) - _LENGTH} bytes"
