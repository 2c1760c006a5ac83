"""What clients and servers send each other, each layout declared once.

After ZooKeeper's ``zookeeper.jute``. A frame is a length of four bytes and that many bytes: first a
header, then the record that belongs to the operation; ``impl.coordination.protocol.opcodes`` says which.
"""

from __future__ import annotations

from typing import NamedTuple

from impl.coordination.protocol.jute import Bool, Buffer, Codec, Int, Long, Text, Vector


class ConnectRequest(NamedTuple):
    """The first frame of a connection; ``session`` is 0 for a new one. Times in milliseconds."""

    protocol: Int
    last_zxid: Long
    timeout_ms: Int
    session: Long
    password: Buffer


class ConnectResponse(NamedTuple):
    """The answer to it; a timeout of 0 means that the session is gone."""

    protocol: Int
    timeout_ms: Int
    session: Long
    password: Buffer


class ReadOnly(NamedTuple):
    """Behind either of the two, from and to clients that know of read-only servers."""

    read_only: Bool


class RequestHeader(NamedTuple):
    """Before every request but the first; ``xid`` counts up, see ``opcodes`` for those below 0."""

    xid: Int
    op: Int


class ReplyHeader(NamedTuple):
    """Before every reply; no record follows if ``error`` is not 0."""

    xid: Int
    zxid: Long
    error: Int


class Id(NamedTuple):
    """Who: ``("world", "anyone")``, ``("ip", "10.0.0.0/8")``, ``("digest", "user:hash")``."""

    scheme: Text
    id: Text


class Acl(NamedTuple):
    """What ``id`` may do: the sum of 1 read, 2 write, 4 create, 8 delete, 16 administer."""

    permissions: Int
    id: Id


class Stat(NamedTuple):
    """What a server tells about a znode. Times in milliseconds since 1970; zxids order everything."""

    czxid: Long
    mzxid: Long
    ctime: Long
    mtime: Long
    version: Int
    cversion: Int
    aversion: Int
    ephemeral_owner: Long
    data_length: Int
    num_children: Int
    pzxid: Long


class WatcherEvent(NamedTuple):
    """A watch that fired: ``type`` and ``state`` as in ``impl.coordination.watches``."""

    type: Int
    state: Int
    path: Text


class CreateRequest(NamedTuple):
    path: Text
    data: Buffer
    acl: Vector[Acl]
    flags: Int


class CreateTtlRequest(NamedTuple):
    path: Text
    data: Buffer
    acl: Vector[Acl]
    flags: Int
    ttl_ms: Long


class PathResponse(NamedTuple):
    path: Text


class PathStatResponse(NamedTuple):
    path: Text
    stat: Stat


class PathVersion(NamedTuple):
    """Delete, or check, if the version is ``version``; -1 is any."""

    path: Text
    version: Int


class PathWatch(NamedTuple):
    path: Text
    watch: Bool


class PathOnly(NamedTuple):
    path: Text


class Nothing(NamedTuple):
    """A record without fields."""


class StatResponse(NamedTuple):
    stat: Stat


class DataResponse(NamedTuple):
    data: Buffer
    stat: Stat


class SetDataRequest(NamedTuple):
    path: Text
    data: Buffer
    version: Int


class AclResponse(NamedTuple):
    acl: Vector[Acl]
    stat: Stat


class SetAclRequest(NamedTuple):
    path: Text
    acl: Vector[Acl]
    version: Int


class NamesResponse(NamedTuple):
    names: Vector[Text]


class NamesStatResponse(NamedTuple):
    names: Vector[Text]
    stat: Stat


class NumberResponse(NamedTuple):
    number: Int


class MultiHeader(NamedTuple):
    """Before each operation and result of a multi; the last one is ``(-1, True, -1)``."""

    type: Int
    done: Bool
    error: Int


class ErrorResult(NamedTuple):
    error: Int


class ReconfigRequest(NamedTuple):
    joining: Text
    leaving: Text
    members: Text
    config: Long


class AuthPacket(NamedTuple):
    type: Int
    scheme: Text
    auth: Buffer


class SetWatchesRequest(NamedTuple):
    """What a client watched when it lost its connection, and up to which zxid it had seen changes."""

    relative_zxid: Long
    data: Vector[Text]
    exist: Vector[Text]
    child: Vector[Text]


class SetWatches2Request(NamedTuple):
    relative_zxid: Long
    data: Vector[Text]
    exist: Vector[Text]
    child: Vector[Text]
    persistent: Vector[Text]
    recursive: Vector[Text]


class PathType(NamedTuple):
    """Check or remove watches of a type (1 children, 2 data, 3 any), or add one of a mode."""

    path: Text
    type: Int


class ClientInfo(NamedTuple):
    scheme: Text
    user: Text


class WhoAmIResponse(NamedTuple):
    clients: Vector[ClientInfo]


CONNECT_REQUEST = Codec(ConnectRequest)
CONNECT_RESPONSE = Codec(ConnectResponse)
READ_ONLY = Codec(ReadOnly)
REQUEST_HEADER = Codec(RequestHeader)
REPLY_HEADER = Codec(ReplyHeader)
WATCHER_EVENT = Codec(WatcherEvent)
CREATE = Codec(CreateRequest)
CREATE_TTL = Codec(CreateTtlRequest)
PATH = Codec(PathResponse)
PATH_STAT = Codec(PathStatResponse)
PATH_VERSION = Codec(PathVersion)
PATH_WATCH = Codec(PathWatch)
PATH_ONLY = Codec(PathOnly)
NOTHING = Codec(Nothing)
STAT = Codec(StatResponse)
DATA = Codec(DataResponse)
SET_DATA = Codec(SetDataRequest)
ACL = Codec(AclResponse)
SET_ACL = Codec(SetAclRequest)
NAMES = Codec(NamesResponse)
NAMES_STAT = Codec(NamesStatResponse)
NUMBER = Codec(NumberResponse)
MULTI_HEADER = Codec(MultiHeader)
ERROR_RESULT = Codec(ErrorResult)
RECONFIG = Codec(ReconfigRequest)
AUTH = Codec(AuthPacket)
SET_WATCHES = Codec(SetWatchesRequest)
SET_WATCHES2 = Codec(SetWatches2Request)
PATH_TYPE = Codec(PathType)
WHO_AM_I = Codec(WhoAmIResponse)

MULTI_END = MultiHeader(-1, True, -1)
ANYONE = Id("world", "anyone")
OPEN_ACL = (Acl(31, ANYONE),)
READ_ACL = (Acl(1, ANYONE),)
