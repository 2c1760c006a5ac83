"""One node's own copy: the newest version of each key that it has promised to keep."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from kvstore.log import Log


class Versioned(NamedTuple):
    """A value and its version: a counter, and a number that tells writers of the same counter apart."""

    counter: int
    writer: int
    value: Any


NEVER = Versioned(0, 0, None)


class Replica:
    """A map in memory, and on the log whatever was acknowledged."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._turn = asyncio.Lock()
        self._map: dict[str, Versioned] = {}
        *lines, torn = log.read().split(b"\n")
        for line in lines:
            self._take(line)
        self._mend = b"\n" if torn else b""

    def read(self, key: str) -> Versioned:
        """The newest version of ``key`` here."""
        return self._map.get(key, NEVER)

    async def store(self, key: str, new: Versioned) -> None:
        """Keep ``new`` unless something newer is here; returns when that is durable."""
        async with self._turn:
            if new > self.read(key):
                mend, self._mend = self._mend, b""
                await self._log.append(mend + json.dumps([key, *new]).encode() + b"\n")
                self._map[key] = new

    def _take(self, line: bytes) -> None:
        """A line of the log; one that a power cut tore says nothing that was acknowledged."""
        try:
            key, *version = json.loads(line)
        except ValueError:
            return
        self._map[key] = max(self.read(key), Versioned(*version))
