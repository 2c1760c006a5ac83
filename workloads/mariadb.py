"""What a client of MariaDB does for an ID: insert, and ask for the number that the row was given."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cluster.api import Endpoint
from cluster.systems.mariadb import DATABASE, TABLE, USER
from history.op import Op
from workloads.workload import ClientContext

_CONNECT_WITHIN_S = 1.0
_ANSWER_WITHIN_S = 2.0
_LEAVE_OUT_S = 2.0


class InsertClient:
    """``next`` with a count, one unless given; round-robin over the servers, past those that are down.

    One INSERT of so many rows: InnoDB gives them consecutive numbers, ``auto_increment_increment``
    apart, of which the server names the first.
    """

    def __init__(self, context: ClientContext) -> None:
        self._endpoints: Mapping[str, Endpoint] = context.endpoints
        self._ring = list(context.endpoints)
        self._turn = context.process
        self._connections: dict[str, Any] = {}
        self._left_out: dict[str, float] = {}

    async def open(self) -> None:
        """Connect to nothing yet: a server is chosen for each operation."""

    async def invoke(self, op: Op) -> Op:
        reasons = []
        for node in self._order():
            try:
                connection = await self._connected(node)
            except (OSError, TimeoutError, _mysql_error()) as error:
                self._left_out[node] = asyncio.get_running_loop().time() + _LEAVE_OUT_S
                reasons.append(f"{node}: {_said(error)}")
                continue
            return await self._insert(op, node, connection)
        return op.completed("fail", error="; ".join(reasons))

    async def close(self) -> None:
        for node in list(self._connections):
            self._drop(node)

    def _order(self) -> list[str]:
        """All servers, the next one in turn first; those that were just found down come last."""
        self._turn += 1
        turn, now = self._turn % len(self._ring), asyncio.get_running_loop().time()
        ring = self._ring[turn:] + self._ring[:turn]
        return sorted(ring, key=lambda node: self._left_out.get(node, 0.0) > now)

    async def _connected(self, node: str) -> Any:
        if node not in self._connections:
            from asyncmy import connect

            host, port = self._endpoints[node]
            async with asyncio.timeout(_CONNECT_WITHIN_S):
                self._connections[node] = await connect(
                    host=host, port=port, user=USER, db=DATABASE, autocommit=True
                )
        return self._connections[node]

    async def _insert(self, op: Op, node: str, connection: Any) -> Op:
        """Past this point the server may have done it, whatever becomes of the answer."""
        count = op.value or 1
        rows = ",".join(["(0)"] * count)
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S), connection.cursor() as cursor:
                await cursor.execute(f"INSERT INTO {TABLE} (one) VALUES {rows}")
                first = cursor.lastrowid
        except (OSError, TimeoutError, _mysql_error()) as error:
            self._drop(node)
            return op.completed("info", error=f"{node}: {_said(error)}", node=node)
        step = len(self._ring)
        return op.completed("ok", value=[first + step * n for n in range(count)], node=node)

    def _drop(self, node: str) -> None:
        connection = self._connections.pop(node)
        with suppress(Exception):  # whatever it complains of: we are leaving
            connection.close()


def _mysql_error() -> type[Exception]:
    from asyncmy.errors import MySQLError

    return MySQLError


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
