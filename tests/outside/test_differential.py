"""Whatever is asked, ours answers as Debian's server does: the same frames to both, the same replies.

Requests are drawn at random: right ones, wrong paths, versions, flags, lists of access and modes,
records that are cut, unknown operations. Compared are the order of replies and events, error codes,
bodies, and whether the connection is closed; of zxids the order, times are not looked at. Left out is
where the real server breaks or is at odds with itself: a check outside of a multi closes the connection
if it succeeds, a time to live of -1 for a znode that needs none stops the server, a client may make
sessions for others, and an empty path is the root for some reads.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impl.coordination.protocol import multi, records
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import (
    OPEN_ACL,
    READ_ACL,
    Acl,
    Id,
    NamesResponse,
    NamesStatResponse,
    Stat,
)
from tests.impl.coordination import debian_zookeeper
from tests.impl.coordination.processes import Servers
from tests.impl.coordination.rawclient import RawClient

SETTINGS = "admin.enableServer=false\n4lw.commands.whitelist=*\nmaxClientCnxns=0\n"
WITHIN_S = 20
CLOSED = "closed"
ENDINGS = (Code.UNIMPLEMENTED, Code.AUTH_FAILED)


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[tuple[int, int]]:
    """The client ports of Debian's server and of ours."""
    if debian_zookeeper.MISSING:
        assert not os.environ.get("CI"), f"CI must have it: {debian_zookeeper.MISSING}"
        pytest.skip(debian_zookeeper.MISSING)
    folder = tmp_path_factory.mktemp("differential")
    real = Servers(folder / "real", 1, SETTINGS, program=debian_zookeeper.program)
    own = Servers(folder / "own", 1, SETTINGS)
    yield real.ports[0], own.ports[0]
    real.end()
    own.end()


# --- requests -------------------------------------------------------------------------------------

NAMES = st.sampled_from(["", "/a", "/a/b", "/b", "/c", "/a/b/c"])
ODD = st.sampled_from(
    ["/", "no-slash", "/zookeeper", "/zookeeper/config", "/a/", "//", "/a//b", "/./a", "/a/..", "/\0"]
)
PATHS = st.one_of(NAMES.map(lambda name: ("own", name)), ODD.map(lambda path: ("odd", path)))
DATA = st.sampled_from([None, b"", b"x", b"longer data"])
VERSIONS = st.sampled_from([-1, 0, 1, 2, -2, 7])
UNREADABLE = (
    (Acl(31, Id("digest", "ann:BrZDRkI5ZXnrtAbUDIlWbUXFHaM=")),),
    (Acl(0, Id("world", "anyone")),),
)
ACLS = st.sampled_from(
    [
        OPEN_ACL,
        READ_ACL,
        (),
        (Acl(31, Id("auth", "")),),
        *UNREADABLE,
        (Acl(31, Id("ip", "127.0.0.1")),),
        (Acl(31, Id("ip", "10.0.0.0/8")), Acl(1, Id("world", "anyone"))),
        (Acl(31, Id("ip", "nonsense")),),
        (Acl(31, Id("digest", "nonsense")),),
        (Acl(31, Id("world", "somebody")),),
        (Acl(31, Id("nobody", "x")),),
        OPEN_ACL * 2,
    ]
)
FLAGS = st.one_of(st.sampled_from([0, 0, 0, 1, 2, 3]), st.integers(-1, 8))
CREATES = st.tuples(PATHS, DATA, ACLS, FLAGS)
PARTS = st.one_of(
    st.tuples(st.just(Op.CREATE), CREATES),
    st.tuples(st.just(Op.CREATE2), CREATES),
    st.tuples(st.just(Op.DELETE), st.tuples(PATHS, VERSIONS)),
    st.tuples(st.just(Op.SET_DATA), st.tuples(PATHS, DATA, VERSIONS)),
    st.tuples(st.just(Op.CHECK), st.tuples(PATHS, VERSIONS)),
)
READ_PARTS = st.tuples(st.sampled_from([Op.GET_DATA, Op.GET_CHILDREN]), st.tuples(PATHS, st.just(False)))
WATCHES = st.lists(PATHS, max_size=2)
WRITES = PARTS.filter(lambda part: part[0] != Op.CHECK)  # a check alone breaks the real server
REQUESTS = st.one_of(
    WRITES,
    st.tuples(st.sampled_from([Op.CREATE, Op.CREATE2, Op.CREATE_CONTAINER]), CREATES),
    st.tuples(
        st.just(Op.CREATE_TTL),
        st.tuples(
            PATHS, DATA, ACLS, FLAGS, st.sampled_from([60_000, 0, -1, (1 << 40) - 1, 1 << 40])
        ).filter(lambda fields: fields[3] in (5, 6) or fields[4] >= 0),
    ),
    st.tuples(
        st.sampled_from([Op.EXISTS, Op.GET_DATA, Op.GET_CHILDREN, Op.GET_CHILDREN2]),
        st.tuples(PATHS, st.booleans()),
    ),
    st.tuples(st.sampled_from([Op.GET_ACL, Op.SYNC, Op.GET_EPHEMERALS]), st.tuples(PATHS)),
    st.tuples(st.just(Op.GET_ALL_CHILDREN_NUMBER), st.tuples(NAMES.map(lambda name: ("own", name)))),
    st.tuples(
        st.just(Op.SET_ACL),  # not of the root, on which the examples that follow depend
        st.tuples(PATHS.filter(lambda path: path[1] != "/"), ACLS, VERSIONS),
    ),
    st.tuples(
        st.sampled_from([Op.CHECK_WATCHES, Op.REMOVE_WATCHES, Op.ADD_WATCH]),
        st.tuples(PATHS.filter(lambda path: path[1] != "no-slash"), st.integers(-1, 4)),
    ),
    st.tuples(st.just(Op.SET_WATCHES), st.tuples(st.just(0), WATCHES, WATCHES, WATCHES)),
    st.tuples(
        st.just(Op.SET_WATCHES2), st.tuples(st.just(0), WATCHES, WATCHES, WATCHES, WATCHES, WATCHES)
    ),
    st.tuples(st.just(Op.WHO_AM_I), st.just(())),
    st.tuples(st.just(Op.PING), st.just(())),
    st.tuples(st.just(Op.RECONFIG), st.just(b"\0" * 24)),
    st.tuples(st.just(Op.MULTI), st.lists(PARTS, max_size=4)),
    st.tuples(st.just(Op.MULTI_READ), st.lists(READ_PARTS, max_size=3)),
    st.tuples(
        st.just(Op.AUTH),
        st.tuples(
            st.just(0),
            st.sampled_from(["digest", "ip", "world", "nobody", ""]),
            st.sampled_from([b"ann:secret", b"bob:x", b"", b"no-colon"]),
        ),
    ),
    st.tuples(st.sampled_from([0, 10, 23, 99, 108, -1, 4711]), st.just(b"")),
    st.tuples(st.just(Op.CLOSE_SESSION), st.just(())),
)
CUTS = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 30))
"""How many bytes of a record are sent; None for all."""


def placed(value: Any, root: str) -> Any:
    """``value`` with each drawn path as it is sent."""
    if isinstance(value, tuple) and len(value) == 2 and value[0] in ("own", "odd"):
        return root + value[1] if value[0] == "own" else value[1]
    if isinstance(value, list):
        return tuple(placed(each, root) for each in value)
    if type(value) is tuple and value and not isinstance(value[0], Acl):
        return tuple(placed(each, root) for each in value)
    return value


def payload(op: int, fields: Any, root: str) -> bytes:
    if isinstance(fields, bytes):
        return fields
    if op in (Op.MULTI, Op.MULTI_READ):
        return multi.write_requests([multi.Part(each, placed(args, root)) for each, args in fields])
    return SHAPES[op].request.encode(placed(fields, root))


# --- asking ---------------------------------------------------------------------------------------


async def asked(port: int, root: str, requests: list[tuple[tuple[int, Any], int | None]]) -> list[Any]:
    """What a server says to ``requests``, one after the other: replies and events as they came."""
    async with asyncio.timeout(WITHIN_S):
        client = await RawClient.connect("127.0.0.1", port, timeout_ms=30_000)
        await client.create(root)
        first, said = client.zxid, []
        try:
            for (op, fields), cut in [*requests, ((Op.EXISTS, (root + "/last", False)), None)]:
                xid = client.send(op, payload(op, fields, root)[:cut])
                while not said or said[-1][0] != xid:
                    said.append(heard(await client.frame(), op))
                said[-1] = ("reply", op, *said[-1][1:])
                if op == Op.CLOSE_SESSION or said[-1][2] in ENDINGS:
                    # The real server answers first and closes then; what is asked between may be heard.
                    await client.reader.read()
                    raise ConnectionResetError
            await client.close_session()
        except (asyncio.IncompleteReadError, ConnectionError):
            said.append((CLOSED,))
        every = sorted({zxid for stat in stats_in(said) for zxid in zxids_of(stat) if zxid >= first})
        places = {zxid: place for place, zxid in enumerate(every, 1)}
        return comparable(said, places, client.session)


def stats_in(value: Any) -> Iterator[Stat]:
    if isinstance(value, Stat):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from stats_in(each)


def zxids_of(stat: Stat) -> tuple[int, int, int]:
    return stat.czxid, stat.mzxid, stat.pzxid


def heard(frame: bytes, op: int) -> Any:
    """A reply or event."""
    xid, _, error = struct.unpack_from(">iqi", frame)
    body = frame[16:]
    if xid == -1:
        return xid, records.WATCHER_EVENT.decode(body)
    if op == Op.MULTI_READ or op == Op.MULTI:
        decoded: Any = multi.read_results(body) if body else body
    elif op in SHAPES and body:
        try:
            decoded, end = SHAPES[op].response.read(body)
            decoded = decoded if end == len(body) else (decoded, body[end:])
        except Malformed:
            decoded = body
    else:
        decoded = body
    if op == Op.WHO_AM_I and not error:
        decoded = sorted(decoded.clients)  # the real server keeps a set
    return xid, error, decoded


def comparable(value: Any, places: dict[int, int], session: int) -> Any:
    """``value`` without what may differ; of zxids the order is left, and that they are from before."""
    if isinstance(value, Stat):
        zxids = [places.get(zxid, 0) for zxid in zxids_of(value)]
        owner = "mine" if value.ephemeral_owner == session else value.ephemeral_owner
        return (*zxids, value[4:7], owner, value[8:10])
    if isinstance(value, NamesResponse | NamesStatResponse):  # the real server keeps sets
        return sorted(value.names), *(comparable(each, places, session) for each in value[1:])
    if isinstance(value, list):
        return [comparable(each, places, session) for each in value]
    if isinstance(value, tuple):
        return tuple(comparable(each, places, session) for each in value)
    return value


ROOTS = count()


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "150")),
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.tuples(REQUESTS, CUTS), min_size=1, max_size=8))
def test_the_same_requests_get_the_same_answers(servers: tuple[int, int], requests) -> None:
    root = f"/example-{next(ROOTS)}"

    async def both() -> tuple[list[Any], list[Any]]:
        real, own = servers
        return await asked(real, root, requests), await asked(own, root, requests)

    real, own = asyncio.run(both())
    assert own == real, f"\nOWN  {own}\nREAL {real}"
