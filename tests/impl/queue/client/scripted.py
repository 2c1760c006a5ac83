"""A broker that answers as a test tells it to, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from impl.queue.protocol.codec import Codec, Request
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import SERVED, ApiKey

Answer = Callable[[Any], Mapping[str, Any] | None]
"""From the body of a request to the values of the answer; None closes the connection."""


class Script:
    """The answers by API.

    Metadata tell of ``leader`` and ``leader_epoch`` of the only partition, t-0, and of one broker, 1.
    """

    def __init__(self, answers: Mapping[int, Answer]) -> None:
        self.leader, self.leader_epoch = 1, 0
        self.host = "127.0.0.1"
        self.asked: list[tuple[int, Any]] = []
        self.port = 0
        self._answers = {
            ApiKey.API_VERSIONS: self._versions,
            ApiKey.METADATA: self._metadata,
            ApiKey.INIT_PRODUCER_ID: lambda _: {"producer_id": 5, "producer_epoch": 0, **OK},
            **answers,
        }
        self._codec = Codec()

    def requests(self, key: int) -> list[Any]:
        """The bodies of what was asked of this API."""
        return [body for asked, body in self.asked if asked == key]

    def _versions(self, _: Any) -> Mapping[str, Any]:
        keys = [
            {"api_key": key, "min_version": low, "max_version": min(high, 11)}
            for key, (low, high) in SERVED.items()
        ]
        return {"api_keys": keys, **OK}

    def _metadata(self, _: Any) -> Mapping[str, Any]:
        partition = {
            "partition_index": 0,
            "leader_id": self.leader,
            "leader_epoch": self.leader_epoch,
            "replica_nodes": (1,),
            "isr_nodes": (1,),
            **OK,
        }
        return {
            "brokers": [{"node_id": 1, "host": self.host, "port": self.port}],
            "controller_id": 1,
            "topics": [{"name": "t", "topic_id": None, "partitions": [partition], **OK}],
        }

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                if not self._reply(self._codec.request(await reader.readexactly(length)), writer):
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def _reply(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.asked.append((request.key, request.body))
        values = self._answers[ApiKey(request.key)](request.body)
        if values is not None:
            writer.write(self._codec.response(request, values))
        return values is not None


OK = {"error_code": Code.none}


@asynccontextmanager
async def broker(answers: Mapping[int, Answer]) -> AsyncIterator[Script]:
    script = Script(answers)
    server = await asyncio.start_server(script.meet, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
