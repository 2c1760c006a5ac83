"""A node: serves clients, and asks a majority of all nodes on their behalf.

Requests and answers are JSON, a line each. The register of each key is that of Attiya, Bar-Noy and Dolev
(Sharing Memory Robustly in Message-Passing Systems, 1995), for several writers.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kvstore.log import Log
from kvstore.replica import Replica, Versioned

PEER_WITHIN_S = 1.0
Peer = tuple[str, int]


class NoMajorityError(Exception):
    """Fewer than half of the nodes answered in time."""


async def serve(
    host: str, port: int, *, peers: Sequence[Peer], log: Log, read_repair: bool = True
) -> asyncio.Server:
    """Start a node of the store; ``peers`` are all other nodes.

    ``read_repair`` makes sure that what is read stays read; without it the store is a little faster.
    """
    node = Node(Replica(log), peers, read_repair)
    return await asyncio.start_server(node.talk, host, port)


@dataclass(frozen=True, slots=True)
class Node:
    """What a node does for whoever connects: clients say get and set, peers say read and store."""

    replica: Replica
    peers: Sequence[Peer]
    read_repair: bool

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        try:
            while line := await reader.readline():
                answer = await self.answer(json.loads(line))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request; ``maybe`` says that a failed ``set`` may still happen."""
        key = request["key"]
        match request["do"]:
            case "read":
                return {"version": self.replica.read(key)}
            case "store":
                await self.replica.store(key, Versioned(*request["version"]))
                return {}
            case "get":
                return await self.get(key)
            case "set":
                return await self.set(key, request["value"])
        return {"error": "unknown request", "maybe": False}

    async def get(self, key: str) -> dict[str, Any]:
        """The newest value of a majority; what a reader was told, every later reader must be told."""
        try:
            seen = await self._read_majority(key)
            newest = max(seen)
            if self.read_repair and min(seen) < newest:
                await self._store_majority(key, newest)
        except NoMajorityError as error:
            return {"error": str(error), "maybe": False}
        return {"value": newest.value}

    async def set(self, key: str, value: Any) -> dict[str, Any]:
        """Store a version that is newer than all that a majority has."""
        try:
            newest = max(await self._read_majority(key))
        except NoMajorityError as error:
            return {"error": str(error), "maybe": False}
        version = Versioned(newest.counter + 1, random.getrandbits(62), value)
        try:
            await self._store_majority(key, version)
        except NoMajorityError as error:
            return {"error": str(error), "maybe": True}
        return {}

    async def _read_majority(self, key: str) -> list[Versioned]:
        asked = [ask(peer, {"do": "read", "key": key}) for peer in self.peers]
        answers = await majority(len(self.peers) + 1, asked, own=1)
        return [self.replica.read(key), *(Versioned(*answer["version"]) for answer in answers)]

    async def _store_majority(self, key: str, version: Versioned) -> None:
        request = {"do": "store", "key": key, "version": version}
        mine = self.answer(request)
        await majority(len(self.peers) + 1, [mine, *(ask(peer, request) for peer in self.peers)])


async def ask(peer: Peer, request: Mapping[str, Any]) -> dict[str, Any]:
    """One request to a peer. Raises OSError or TimeoutError."""
    async with asyncio.timeout(PEER_WITHIN_S):
        reader, writer = await asyncio.open_connection(*peer)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
    if not line:
        raise ConnectionResetError(f"{peer[0]} hung up")
    answer: dict[str, Any] = json.loads(line)
    return answer


async def majority(
    nodes: int, asked: Sequence[Coroutine[Any, Any, dict[str, Any]]], *, own: int = 0
) -> list[dict[str, Any]]:
    """The first answers that make more than half of ``nodes``, ``own`` being there already.

    The other requests go on, so that nodes which are slow get to know as well. Raises NoMajorityError.
    """
    needed = nodes // 2 + 1 - own
    waiting = {asyncio.ensure_future(one) for one in asked}
    answers: list[dict[str, Any]] = []
    while len(answers) < needed and waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answers += [one.result() for one in done if not one.exception()]
    if len(answers) < needed:
        raise NoMajorityError(f"{len(answers) + own} of {nodes} nodes answered")
    return answers
