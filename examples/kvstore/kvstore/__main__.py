"""``python -m kvstore HOST:PORT LOG PEER:PORT ...``: one node."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from kvstore.log import FileLog
from kvstore.node import Peer, serve


def address(text: str) -> Peer:
    """The host and the port in ``host:port``."""
    host, _, port = text.rpartition(":")
    return host, int(port)


async def main(own: str, log: str, *peers: str) -> None:
    """Serve until the process is stopped."""
    server = await serve(*address(own), peers=[*map(address, peers)], log=FileLog(Path(log)))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
