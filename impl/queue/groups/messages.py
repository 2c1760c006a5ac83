"""What stands in the offsets topic, in Kafka's own layout: commits and the state of groups, by key.

Keys: version 1 is a commit (group, topic, partition), version 2 a group. Values are version 3 of each;
no value at all means that it is gone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

_COMMIT_KEY, _GROUP_KEY, _VALUE = 1, 2, 3


class CommitKey(NamedTuple):
    """Whose commit of which partition."""

    group: str
    topic: str
    partition: int


class Commit(NamedTuple):
    """A committed offset: the next one to read; ``leader_epoch`` -1 if the consumer gave none."""

    offset: int
    leader_epoch: int
    metadata: str
    timestamp_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMember:
    """A member as it outlives its coordinator."""

    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGroup:
    """A group as it outlives its coordinator."""

    protocol_type: str
    generation: int
    protocol: str | None
    leader: str | None
    timestamp_ms: int
    members: tuple[StoredMember, ...]


Key: TypeAlias = CommitKey | str


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, format: str) -> int:
        (value,) = struct.unpack_from(">" + format, self._data, self._at)
        self._at += struct.calcsize(">" + format)
        return int(value)

    def text(self) -> str | None:
        size = self.take("h")
        return None if size < 0 else self._raw(size).decode()

    def data(self) -> bytes:
        return self._raw(max(0, self.take("i")))

    def _raw(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise ValueError(f"a field of {size} bytes")
        self._at += size
        return self._data[self._at - size : self._at]


def key(of: Key) -> bytes:
    """The key of a commit, or of the group of that name."""
    if isinstance(of, str):
        return struct.pack(">h", _GROUP_KEY) + _text(of)
    return b"".join(
        (
            struct.pack(">h", _COMMIT_KEY),
            _text(of.group),
            _text(of.topic),
            struct.pack(">i", of.partition),
        )
    )


def read_key(data: bytes) -> Key | None:
    """What ``key`` was given; None for another kind. Raises ValueError, struct.error."""
    reader = _Reader(data)
    version = reader.take("h")
    if version == _GROUP_KEY:
        return reader.text() or ""
    if version in (0, _COMMIT_KEY):
        return CommitKey(reader.text() or "", reader.text() or "", reader.take("i"))
    return None


def commit(value: Commit) -> bytes:
    """The value of a commit."""
    return b"".join(
        (
            struct.pack(">hqi", _VALUE, value.offset, value.leader_epoch),
            _text(value.metadata),
            struct.pack(">q", value.timestamp_ms),
        )
    )


def read_commit(data: bytes) -> Commit:
    """What ``commit`` was given. Raises ValueError, struct.error."""
    reader = _Reader(data)
    version = reader.take("h")
    if version != _VALUE:
        raise ValueError(f"a commit of version {version}")
    return Commit(reader.take("q"), reader.take("i"), reader.text() or "", reader.take("q"))


def group(value: StoredGroup) -> bytes:
    """The value of a group."""
    parts = [
        struct.pack(">h", _VALUE),
        _text(value.protocol_type),
        struct.pack(">i", value.generation),
        _text(value.protocol),
        _text(value.leader),
        struct.pack(">qi", value.timestamp_ms, len(value.members)),
    ]
    for each in value.members:
        parts += [_text(each.id), _text(each.instance_id), _text(each.client_id)]
        parts.append(_text(each.client_host))
        parts.append(struct.pack(">ii", each.rebalance_timeout_ms, each.session_timeout_ms))
        parts += [_data(each.subscription), _data(each.assignment)]
    return b"".join(parts)


def read_group(data: bytes) -> StoredGroup:
    """What ``group`` was given. Raises ValueError, struct.error."""
    reader = _Reader(data)
    version = reader.take("h")
    if version != _VALUE:
        raise ValueError(f"a group of version {version}")
    return StoredGroup(
        protocol_type=reader.text() or "",
        generation=reader.take("i"),
        protocol=reader.text(),
        leader=reader.text(),
        timestamp_ms=reader.take("q"),
        members=tuple(_member(reader) for _ in range(reader.take("i"))),
    )


def _member(reader: _Reader) -> StoredMember:
    return StoredMember(
        id=reader.text() or "",
        instance_id=reader.text(),
        client_id=reader.text() or "",
        client_host=reader.text() or "",
        rebalance_timeout_ms=reader.take("i"),
        session_timeout_ms=reader.take("i"),
        subscription=reader.data(),
        assignment=reader.data(),
    )


def _text(value: str | None) -> bytes:
    if value is None:
        return struct.pack(">h", -1)
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def _data(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value
