"""From requests to transactions to the tree: what each operation does, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination import acl, paths, txns
from impl.coordination.prepare import Preparer
from impl.coordination.protocol import multi
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import (
    OPEN_ACL,
    Acl,
    CreateRequest,
    CreateTtlRequest,
    Id,
    PathOnly,
    PathVersion,
    ReconfigRequest,
    SetAclRequest,
    SetDataRequest,
)
from impl.coordination.requests import Request
from impl.coordination.storage.snapshot import Assembler, chunks
from impl.coordination.tree import Result, Tree
from impl.coordination.watches import Event, Watches

ANN = Id("digest", "ann:hash")


class Server:
    """A tree and a preparer, and what is proposed and not applied yet."""

    def __init__(self, watcher=None) -> None:
        self.tree = Tree(watcher)
        self.preparer = Preparer(self.tree)
        self.zxid = 1 << 32
        self.proposed: list[txns.Txn] = []

    def propose(self, op: int, record=None, *, session: int = 1, ids=()) -> None:
        payload = record if isinstance(record, bytes) else b""
        if record is not None and not isinstance(record, bytes):
            payload = SHAPES[op].request.encode(record)
        self.zxid += 1
        request = Request(1, 0, session, 0, op, payload, tuple(ids))
        txn = self.preparer.prepare(request, self.zxid, 5_000 + (self.zxid & 0xFFFF))
        self.proposed.append(txns.decode(txns.encode(txn)))

    def apply(self) -> list[Result]:
        results = []
        for txn in self.proposed:
            results.append(self.tree.apply(txn))
            self.preparer.applied(txn.zxid)
        self.proposed.clear()
        return results

    def do(self, op: int, record=None, **who) -> Result:
        self.propose(op, record, **who)
        return self.apply()[-1]

    def create(self, path: str, flags: int = 0, data: bytes = b"", access=OPEN_ACL, **who) -> Result:
        return self.do(Op.CREATE, CreateRequest(path, data, access, flags), **who)

    def stat(self, path: str):
        return self.tree.stat(path, self.tree.nodes[path])


def test_every_field_of_a_stat_counts_what_it_is_to_count() -> None:
    server = Server()
    server.create("/a", data=b"12345")
    created = server.zxid
    server.create("/a/b")
    server.create("/a/c")
    server.do(Op.DELETE, PathVersion("/a/b", -1))
    changed_children = server.zxid
    server.do(Op.SET_DATA, SetDataRequest("/a", b"123", 0))
    changed = server.zxid
    server.do(Op.SET_ACL, SetAclRequest("/a", OPEN_ACL, 0))
    stat = server.stat("/a")
    assert (stat.czxid, stat.mzxid, stat.pzxid) == (created, changed, changed_children)
    assert (stat.version, stat.cversion, stat.aversion) == (1, 3, 1)
    assert (stat.data_length, stat.num_children, stat.ephemeral_owner) == (3, 1, 0)
    assert (stat.ctime, stat.mtime) == (5_001, 5_005)


def test_the_root_counts_as_that_of_the_real_server_does() -> None:
    assert (Server().stat("/").cversion, Server().stat("/").num_children) == (-1, 1)


def test_a_suffix_is_the_number_of_creations_and_deletions_do_not_count() -> None:
    server = Server()
    assert server.create("/s-", 2).path == "/s-0000000000"
    server.do(Op.DELETE, PathVersion("/s-0000000000", -1))
    server.create("/other")
    assert server.create("/s-", 2).path == "/s-0000000002"


@pytest.mark.parametrize(
    ("op", "record", "code"),
    [
        (Op.CREATE, CreateRequest("/a", b"", OPEN_ACL, 0), Code.NODE_EXISTS),
        (Op.CREATE, CreateRequest("/", b"", OPEN_ACL, 0), Code.NODE_EXISTS),
        (Op.CREATE, CreateRequest("/no/b", b"", OPEN_ACL, 0), Code.NO_NODE),
        (Op.CREATE, CreateRequest("/e/b", b"", OPEN_ACL, 0), Code.NO_CHILDREN_FOR_EPHEMERALS),
        (Op.CREATE, CreateRequest("x", b"", OPEN_ACL, 0), Code.BAD_ARGUMENTS),
        (Op.CREATE, CreateRequest("/a/../b", b"", OPEN_ACL, 0), Code.NO_NODE),
        (Op.CREATE, CreateRequest("/a/..", b"", OPEN_ACL, 0), Code.BAD_ARGUMENTS),
        (Op.CREATE, CreateRequest("/x", b"", (), 0), Code.INVALID_ACL),
        (Op.CREATE, CreateRequest("/x", b"", (Acl(31, Id("auth", "")),), 0), Code.INVALID_ACL),
        (Op.CREATE, CreateRequest("/x", b"", (Acl(31, Id("digest", "x")),), 0), Code.INVALID_ACL),
        (Op.CREATE, CreateRequest("/x", b"", OPEN_ACL, 9), Code.BAD_ARGUMENTS),
        (Op.CREATE_TTL, CreateTtlRequest("/x", b"", OPEN_ACL, 5, 0), Code.BAD_ARGUMENTS),
        (Op.DELETE, PathVersion("/no", -1), Code.NO_NODE),
        (Op.DELETE, PathVersion("/a", 4), Code.BAD_VERSION),
        (Op.DELETE, PathVersion("/a", -1), Code.NOT_EMPTY),
        (Op.DELETE, PathVersion("/", -1), Code.BAD_ARGUMENTS),
        (Op.DELETE, PathVersion("/zookeeper/quota", -1), Code.BAD_ARGUMENTS),
        (Op.SET_DATA, SetDataRequest("/a", b"", 3), Code.BAD_VERSION),
        (Op.SET_DATA, SetDataRequest("/no", b"", -1), Code.NO_NODE),
        (Op.SET_DATA, SetDataRequest("/zookeeper/config", b"", -1), Code.NO_AUTH),
        (Op.SET_ACL, SetAclRequest("/a", OPEN_ACL, 3), Code.BAD_VERSION),
        (Op.CHECK, PathVersion("/a", 3), Code.BAD_VERSION),
        (Op.CREATE, b"\0\0\0\xff", Code.MARSHALLING_ERROR),
        (Op.RECONFIG, ReconfigRequest("", "3", "", -1), Code.RECONFIG_DISABLED),
        (Op.RECONFIG, b"", Code.MARSHALLING_ERROR),
    ],
)
def test_what_is_refused_has_the_real_servers_code_and_changes_nothing(op, record, code) -> None:
    server = Server()
    server.create("/a")
    server.create("/a/b")
    server.create("/e", 1)
    before = server.tree.digest()
    assert server.do(op, record).error == code
    assert server.tree.digest() == before


def test_a_multi_takes_effect_as_a_whole_or_not_at_all() -> None:
    server = Server()
    good = [
        multi.Part(Op.CREATE, CreateRequest("/m", b"", OPEN_ACL, 0)),
        multi.Part(Op.CREATE, CreateRequest("/m/s-", b"", OPEN_ACL, 2)),
        multi.Part(Op.SET_DATA, SetDataRequest("/m", b"x", 0)),
        multi.Part(Op.CHECK, PathVersion("/m", 1)),
    ]
    result = server.do(Op.MULTI, multi.write_requests(good))
    assert [part.path for part in result.parts] == ["/m", "/m/s-0000000000", "/m", "/m"]
    before = server.tree.digest()
    bad = [
        multi.Part(Op.DELETE, PathVersion("/m/s-0000000000", -1)),
        multi.Part(Op.DELETE, PathVersion("/m", -1)),
        multi.Part(Op.DELETE, PathVersion("/m", -1)),
        multi.Part(Op.CREATE, CreateRequest("/n", b"", OPEN_ACL, 0)),
    ]
    errors = [part.error for part in server.do(Op.MULTI, multi.write_requests(bad)).parts]
    assert errors == [Code.OK, Code.OK, Code.NO_NODE, Code.RUNTIME_INCONSISTENCY]
    assert server.tree.digest() == before


def test_a_closed_session_takes_its_ephemerals_along_those_still_on_their_way_too() -> None:
    server = Server()
    server.create("/old", 1)
    server.create("/gone", 1)
    server.create("/theirs", 1, session=2)
    server.propose(Op.DELETE, PathVersion("/gone", -1))
    server.propose(Op.CREATE, CreateRequest("/new", b"", OPEN_ACL, 1))
    server.propose(Op.CLOSE_SESSION)
    server.apply()
    assert set(server.tree.nodes) & {"/old", "/gone", "/new", "/theirs"} == {"/theirs"}
    assert list(server.tree.ephemerals) == [2]


def test_an_acl_is_enforced_and_the_super_user_is_above_it() -> None:
    server = Server()
    mine = (Acl(31, Id("auth", "")),)
    server.do(Op.CREATE, CreateRequest("/a", b"", mine, 0), ids=(ANN,))
    assert server.tree.nodes["/a"].acl == (Acl(31, ANN),)
    set_data = SetDataRequest("/a", b"", -1)
    assert server.do(Op.SET_DATA, set_data, ids=(Id("ip", "10.0.0.1"),)).error == Code.NO_AUTH
    assert server.create("/a/b").error == Code.NO_AUTH
    assert server.do(Op.SET_DATA, set_data, ids=(ANN,)).error == Code.OK
    assert server.do(Op.SET_DATA, set_data, ids=(acl.SUPER,)).error == Code.OK


def test_addresses_are_matched_with_their_networks() -> None:
    granted = (Acl(1, Id("ip", "10.1.0.0/16")),)
    acl.check(granted, 1, (Id("ip", "10.1.2.3"),))
    with pytest.raises(ApiError):
        acl.check(granted, 1, (Id("ip", "10.2.0.1"),))


def test_a_digest_is_that_of_the_real_server() -> None:
    assert acl.digest_id(b"super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=") == (
        acl.SUPER,
        Id("digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
    )


@pytest.mark.parametrize("path", ["/", "/a", "/a.b/c..d", "/ü/漢", "/a b", "/.a"])
def test_paths_that_are_allowed(path: str) -> None:
    paths.check(path)


@pytest.mark.parametrize(
    "path", ["", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a\0", "/\x19", "/\uf123"]
)
def test_paths_that_break_the_rules(path: str) -> None:
    with pytest.raises(ApiError):
        paths.check(path)


def test_only_empty_containers_and_expiring_znodes_can_be_deleted_as_such() -> None:
    server = Server()
    server.do(Op.CREATE_CONTAINER, CreateRequest("/c", b"", OPEN_ACL, 4))
    server.do(Op.CREATE_TTL, CreateTtlRequest("/t", b"", OPEN_ACL, 5, 700))
    server.create("/p")
    assert txns.ttl_of(server.tree.nodes["/t"].owner) == 700
    delete = Op.DELETE_CONTAINER
    assert server.do(delete, PathOnly("/p")).error == Code.BAD_VERSION
    assert server.do(delete, PathOnly("/c")).error == Code.BAD_VERSION
    server.create("/c/x")
    assert server.do(delete, PathOnly("/c")).error == Code.NOT_EMPTY
    server.do(Op.DELETE, PathVersion("/c/x", -1))
    assert server.do(delete, PathOnly("/c")).error == Code.OK
    assert server.do(delete, PathOnly("/t")).error == Code.OK


NAMES = st.sampled_from(["/a", "/b", "/a/x", "/a/y", "/b/z"])
VERSIONS = st.integers(-1, 2)
REQUESTS = st.one_of(
    st.builds(
        lambda path, flags: (Op.CREATE, CreateRequest(path, b"d", OPEN_ACL, flags)),
        NAMES,
        st.integers(0, 3),
    ),
    st.builds(lambda path, version: (Op.DELETE, PathVersion(path, version)), NAMES, VERSIONS),
    st.builds(lambda path, version: (Op.SET_DATA, SetDataRequest(path, b"s", version)), NAMES, VERSIONS),
    st.just((Op.CLOSE_SESSION, None)),
)
MULTIS = st.lists(
    REQUESTS.filter(lambda each: each[1] is not None).map(lambda each: multi.Part(*each)), max_size=4
).map(lambda parts: (Op.MULTI, multi.write_requests(parts)))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.one_of(REQUESTS, MULTIS), max_size=25), st.integers(1, 9))
def test_transactions_do_not_depend_on_how_many_are_proposed_before_they_are_applied(
    requests, lag
) -> None:
    at_once, behind = Server(), Server()
    for number, (op, record) in enumerate(requests, 1):
        at_once.do(op, record)
        behind.propose(op, record)
        if number % lag == 0:
            behind.apply()
    behind.apply()
    assert behind.tree.digest() == at_once.tree.digest()
    assert not behind.preparer._expected


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.one_of(REQUESTS, MULTIS), max_size=25))
def test_a_snapshot_thaws_into_the_tree_it_was_made_of(requests) -> None:
    server = Server()
    for op, record in requests:
        server.do(op, record)
    assembler, thawed = Assembler(), None
    for chunk in chunks(server.tree.freeze()):
        thawed = assembler.add(chunk)
    again = Tree.thaw(thawed)
    assert again.digest() == server.tree.digest()
    assert again.zxid == server.tree.zxid
    assert {path: set(names) for path, names in again.children.items()} == {
        path: set(names) for path, names in server.tree.children.items()
    }
    assert {key: set(owned) for key, owned in again.ephemerals.items()} == {
        key: set(owned) for key, owned in server.tree.ephemerals.items()
    }


class Seen:
    """A client that keeps its events."""

    def __init__(self, *ids: Id) -> None:
        self.ids = ids
        self.events: list[tuple[int, str]] = []

    def notify(self, event: int, path: str) -> None:
        self.events.append((event, path))


def watched() -> tuple[Server, Watches, Seen]:
    watches = Watches()
    return Server(watcher=watches), watches, Seen()


def test_a_watch_fires_once() -> None:
    server, watches, client = watched()
    watches.watch_data("/a", client)
    server.create("/a")
    server.do(Op.SET_DATA, SetDataRequest("/a", b"", -1))
    assert client.events == [(Event.CREATED, "/a")]


def test_a_deletion_fires_data_and_child_watches_once_per_client_then_the_parents() -> None:
    server, watches, client = watched()
    server.create("/a")
    watches.watch_data("/a", client)
    watches.watch_children("/a", client)
    watches.watch_children("/", client)
    server.do(Op.DELETE, PathVersion("/a", -1))
    assert client.events == [(Event.DELETED, "/a"), (Event.CHILDREN_CHANGED, "/")]


def test_persistent_watches_stay_and_recursive_ones_do_not_tell_of_children() -> None:
    server, watches, client = watched()
    recursive = Seen()
    watches.add("/a", 0, client)
    watches.add("/a", 1, recursive)
    server.create("/a")
    server.create("/a/b")
    server.do(Op.SET_DATA, SetDataRequest("/a/b", b"", -1))
    server.do(Op.DELETE, PathVersion("/a/b", -1))
    changed = (Event.CHILDREN_CHANGED, "/a")
    assert client.events == [(Event.CREATED, "/a"), changed, changed]
    below = [Event.CREATED, Event.DATA_CHANGED, Event.DELETED]
    assert recursive.events == [(Event.CREATED, "/a"), *((event, "/a/b") for event in below)]


def test_who_may_not_read_a_znode_is_not_told_of_it_and_its_watch_is_used_up_all_the_same() -> None:
    server, watches, stranger = watched()
    ann = Seen(Id("digest", "ann:x"))
    secret = (Acl(31, Id("digest", "ann:x")),)
    server.create("/open")
    for client in (stranger, ann):
        watches.add("/open", 1, client)
        watches.watch_data("/open/secret", client)
        watches.watch_children("/open", client)
    server.create("/open/secret", access=secret)
    listed = (Event.CHILDREN_CHANGED, "/open")
    assert stranger.events == [listed]
    assert ann.events == [(Event.CREATED, "/open/secret"), listed]
    for client in (stranger, ann):
        watches.watch_children("/open/secret", client)
    server.create("/open/secret/open", ids=ann.ids)
    server.do(Op.SET_DATA, SetDataRequest("/open/secret", b"", -1), ids=ann.ids)
    assert stranger.events[1:] == [(Event.CREATED, "/open/secret/open")]
    assert ann.events[2:] == [
        (Event.CREATED, "/open/secret/open"),
        (Event.CHILDREN_CHANGED, "/open/secret"),
        (Event.DATA_CHANGED, "/open/secret"),
    ]


def test_watches_that_are_set_again_fire_for_what_was_missed() -> None:
    server, watches, client = watched()
    for path in ("/same", "/changed", "/gone", "/children"):
        server.create(path)
    since = server.zxid
    server.do(Op.SET_DATA, SetDataRequest("/changed", b"", -1))
    server.do(Op.DELETE, PathVersion("/gone", -1))
    server.create("/made")
    server.create("/children/x")
    data, exist, child = ("/same", "/changed", "/gone"), ("/made", "/not"), ("/children", "/same")
    watches.restore(server.tree, since, (data, exist, child, ("/p",), ()), client)
    assert client.events == [
        (Event.DATA_CHANGED, "/changed"),
        (Event.DELETED, "/gone"),
        (Event.CREATED, "/made"),
        (Event.CHILDREN_CHANGED, "/children"),
    ]
    server.do(Op.SET_DATA, SetDataRequest("/same", b"", -1))
    assert client.events[-1] == (Event.DATA_CHANGED, "/same")


def test_watches_can_be_checked_and_removed_by_kind_and_go_with_their_client() -> None:
    server, watches, client = watched()
    watches.watch_data("/a", client)
    watches.watch_children("/a", client)
    assert watches.has("/a", 2, client)
    assert watches.remove("/a", 2, client)
    assert not watches.remove("/a", 2, client)
    assert watches.has("/a", 1, client)
    watches.forget(client)
    assert watches.counts() == (0, 0)
    server.create("/a")
    assert client.events == []
