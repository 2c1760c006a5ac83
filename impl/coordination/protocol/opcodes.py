"""The operations, by their numbers on the wire, and the records each takes and gives.

A multi is a sequence of ``MultiHeader`` and record instead of one; see ``protocol.multi``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from impl.coordination.protocol import records
from impl.coordination.protocol.jute import Codec

XID_WATCH = -1
XID_PING = -2
XID_AUTH = -4
XID_SET_WATCHES = -8


class Op(IntEnum):
    """An operation. Those below ``CLOSE_SESSION`` never come from a client."""

    NOTIFICATION = 0
    CREATE = 1
    DELETE = 2
    EXISTS = 3
    GET_DATA = 4
    SET_DATA = 5
    GET_ACL = 6
    SET_ACL = 7
    GET_CHILDREN = 8
    SYNC = 9
    PING = 11
    GET_CHILDREN2 = 12
    CHECK = 13
    MULTI = 14
    CREATE2 = 15
    RECONFIG = 16
    CHECK_WATCHES = 17
    REMOVE_WATCHES = 18
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    MULTI_READ = 22
    AUTH = 100
    SET_WATCHES = 101
    SASL = 102
    GET_EPHEMERALS = 103
    GET_ALL_CHILDREN_NUMBER = 104
    SET_WATCHES2 = 105
    ADD_WATCH = 106
    WHO_AM_I = 107
    CREATE_SESSION = -10
    CLOSE_SESSION = -11
    ERROR = -1


class Shape(NamedTuple):
    """The record of a request and that of its reply."""

    request: Codec[Any]
    response: Codec[Any]


SHAPES: Mapping[int, Shape] = MappingProxyType(
    {
        Op.CREATE: Shape(records.CREATE, records.PATH),
        Op.CREATE2: Shape(records.CREATE, records.PATH_STAT),
        Op.CREATE_CONTAINER: Shape(records.CREATE, records.PATH_STAT),
        Op.CREATE_TTL: Shape(records.CREATE_TTL, records.PATH_STAT),
        Op.DELETE: Shape(records.PATH_VERSION, records.NOTHING),
        Op.DELETE_CONTAINER: Shape(records.PATH_ONLY, records.NOTHING),
        Op.EXISTS: Shape(records.PATH_WATCH, records.STAT),
        Op.GET_DATA: Shape(records.PATH_WATCH, records.DATA),
        Op.SET_DATA: Shape(records.SET_DATA, records.STAT),
        Op.GET_ACL: Shape(records.PATH_ONLY, records.ACL),
        Op.SET_ACL: Shape(records.SET_ACL, records.STAT),
        Op.GET_CHILDREN: Shape(records.PATH_WATCH, records.NAMES),
        Op.GET_CHILDREN2: Shape(records.PATH_WATCH, records.NAMES_STAT),
        Op.SYNC: Shape(records.PATH_ONLY, records.PATH),
        Op.PING: Shape(records.NOTHING, records.NOTHING),
        Op.CHECK: Shape(records.PATH_VERSION, records.NOTHING),
        Op.CHECK_WATCHES: Shape(records.PATH_TYPE, records.NOTHING),
        Op.REMOVE_WATCHES: Shape(records.PATH_TYPE, records.NOTHING),
        Op.RECONFIG: Shape(records.RECONFIG, records.DATA),
        Op.AUTH: Shape(records.AUTH, records.NOTHING),
        Op.SET_WATCHES: Shape(records.SET_WATCHES, records.NOTHING),
        Op.SET_WATCHES2: Shape(records.SET_WATCHES2, records.NOTHING),
        Op.ADD_WATCH: Shape(records.PATH_TYPE, records.ERROR_RESULT),
        Op.GET_EPHEMERALS: Shape(records.PATH_ONLY, records.NAMES),
        Op.GET_ALL_CHILDREN_NUMBER: Shape(records.PATH_ONLY, records.NUMBER),
        Op.WHO_AM_I: Shape(records.NOTHING, records.WHO_AM_I),
        Op.CREATE_SESSION: Shape(records.NOTHING, records.NOTHING),
        Op.CLOSE_SESSION: Shape(records.NOTHING, records.NOTHING),
    }
)

WRITES = frozenset(
    (
        Op.CREATE,
        Op.CREATE2,
        Op.CREATE_CONTAINER,
        Op.CREATE_TTL,
        Op.DELETE,
        Op.SET_DATA,
        Op.SET_ACL,
        Op.CHECK,
        Op.MULTI,
        Op.RECONFIG,
        Op.CLOSE_SESSION,
    )
)
"""Operations that a client may ask for and that go through the leader as transactions."""

IN_MULTI = frozenset(
    (
        Op.CREATE,
        Op.CREATE2,
        Op.CREATE_CONTAINER,
        Op.CREATE_TTL,
        Op.DELETE,
        Op.SET_DATA,
        Op.CHECK,
    )
)
IN_MULTI_READ = frozenset((Op.GET_DATA, Op.GET_CHILDREN))
