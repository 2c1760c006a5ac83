"""A request on its way from the server that has the session to the leader, and what the leader adds."""

from __future__ import annotations

from typing import NamedTuple

from impl.coordination.protocol.jute import Buffer, Codec, Int, Long, Vector
from impl.coordination.protocol.records import Id


class Request(NamedTuple):
    """What a client wants changed.

    ``server`` has the session and wants to be told, by ``tag``, when the transaction is applied; both
    are 0 for what the leader itself wants. ``payload`` is the record of the operation, as it came.
    """

    server: Long
    tag: Long
    session: Long
    cxid: Int
    op: Int
    payload: Buffer
    ids: Vector[Id]


REQUEST = Codec(Request)
