"""A client that says exactly what it is told to, on a plain socket."""

from __future__ import annotations

import socket
import struct
from typing import Any

from impl.queue.protocol import records
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.keys import ApiKey

TIMEOUT_S = 20.0


class Closed(Exception):
    """The broker closed the connection."""


class Raw:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._codec = Codec()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def frame(self, body: bytes) -> None:
        self.send(struct.pack(">i", len(body)) + body)

    def answer(self) -> bytes:
        """The next frame. Raises Closed."""
        (length,) = struct.unpack(">i", self._read(4))
        return self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self._socket.recv(size - len(data))
            except ConnectionError as error:
                raise Closed from error
            if not more:
                raise Closed
            data += more
        return data

    def ask(self, key: int, version: int, values: dict[str, Any]) -> Any:
        self.send(self.request(key, version, values))
        return self._codec.read_answer(key, version, self.answer())[1]

    def request(self, key: int, version: int, values: dict[str, Any]) -> bytes:
        return self._codec.ask(key, version, 7, values)

    # --- what is asked most -------------------------------------------------------------------

    def produce(self, data: bytes, *, topic: str = "t", partition: int = 0, acks: int = -1) -> Any:
        """Error code and base offset."""
        answer = self.ask(ApiKey.PRODUCE, 9, produced(data, topic, partition, acks))
        part = answer.responses[0].partition_responses[0]
        return int(part.error_code), part.base_offset

    def fetch(self, offset: int, *, topic: str = "t", partition: int = 0, epoch: int = -1) -> Any:
        """Error code and records."""
        asked = {
            "partition": partition,
            "current_leader_epoch": epoch,
            "fetch_offset": offset,
            "partition_max_bytes": 1 << 20,
        }
        values = {
            "max_wait": 0,
            "min_bytes": 1,
            "topics": [{"topic": topic, "partitions": [asked]}],
            "forgotten_topics_data": (),
        }
        part = self.ask(ApiKey.FETCH, 12, values).responses[0].partitions[0]
        return int(part.error_code), part.records or b""

    def end(self, *, topic: str = "t", partition: int = 0) -> int:
        """The end offset of a partition."""
        asked = [{"partition_index": partition, "timestamp": -1, "current_leader_epoch": -1}]
        topics = [{"name": topic, "partitions": asked}]
        values = {"replica_id": -1, "isolation_level": 0, "topics": topics}
        return int(self.ask(ApiKey.LIST_OFFSETS, 7, values).topics[0].partitions[0].offset)


def produced(data: bytes, topic: str = "t", partition: int = 0, acks: int = -1) -> dict[str, Any]:
    """The values of a Produce."""
    parts = [{"index": partition, "records": data}]
    topics = [{"name": topic, "partition_data": parts}]
    return {"transactional_id": None, "acks": acks, "timeout": 5000, "topic_data": topics}


def batch(*values: bytes) -> bytes:
    return records.batch([(None, value) for value in values], timestamp_ms=1)
