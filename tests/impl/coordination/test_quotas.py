"""What is counted below a path with a quota; the figures are those of the real server (see zkcli)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination import quotas
from impl.coordination.prepare import Preparer
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import PathVersion, SetDataRequest
from impl.coordination.tree import Tree
from tests.impl.coordination.test_tree import Server

STATS = "/zookeeper/quota/app/zookeeper_stats"


def limited() -> Server:
    """A server with two znodes at and below ``/app``, of 4 and 6 bytes, and then a quota."""
    server = Server()
    server.create("/app", data=b"four")
    server.create("/app/b", data=b"sixsix")
    for path in ("", "/zookeeper_limits", "/zookeeper_stats"):
        server.create(f"/zookeeper/quota/app{path}", data=b"count=0,bytes=0")
    return server


def test_what_is_there_when_a_quota_is_set_is_counted_the_path_itself_included() -> None:
    assert limited().tree.nodes[STATS].data == b"count=2,bytes=10"


def test_creations_changes_and_deletions_below_are_counted_and_leave_the_version() -> None:
    server = limited()
    server.create("/app/c", data=b"123")
    server.create("/elsewhere", data=b"123")
    server.create("/application", data=b"123")
    server.do(Op.SET_DATA, SetDataRequest("/app/b", b"1", -1))
    server.do(Op.SET_DATA, SetDataRequest("/app/c", None, -1))
    assert server.tree.nodes[STATS].data == b"count=3,bytes=5"
    server.do(Op.DELETE, PathVersion("/app/b", -1))
    assert server.tree.nodes[STATS].data == b"count=2,bytes=4"
    assert server.tree.nodes[STATS].version == 0


def test_nothing_is_counted_any_more_once_the_limit_is_deleted() -> None:
    server = limited()
    server.do(Op.DELETE, PathVersion("/zookeeper/quota/app/zookeeper_limits", -1))
    server.create("/app/c")
    assert server.tree.nodes[STATS].data == b"count=2,bytes=10"


def test_the_nearest_quota_above_counts() -> None:
    server = limited()
    for path in ("", "/zookeeper_limits", "/zookeeper_stats"):
        server.create(f"/zookeeper/quota/app/b{path}")
    server.create("/app/b/c", data=b"1")
    assert server.tree.nodes["/zookeeper/quota/app/b/zookeeper_stats"].data == b"count=2,bytes=7"
    assert server.tree.nodes[STATS].data == b"count=2,bytes=10"


LIMITS = "/zookeeper/quota/app/zookeeper_limits"
HARD = b"count=-1,bytes=-1=;byteHardLimit=%d;countHardLimit=%d"


def enforced(size: int, count: int) -> Server:
    server = limited()
    server.do(Op.SET_DATA, SetDataRequest(LIMITS, HARD % (size, count), -1))
    server.preparer = Preparer(server.tree, enforce_quotas=True)
    return server


def test_a_hard_limit_of_znodes_refuses_one_more_and_not_a_change() -> None:
    server = enforced(size=-1, count=3)
    assert server.create("/app/c", data=b"x").error == Code.OK
    assert server.create("/app/d").error == Code.QUOTA_EXCEEDED
    assert server.create("/elsewhere").error == Code.OK
    assert server.do(Op.SET_DATA, SetDataRequest("/app/c", b"much more", -1)).error == Code.OK
    server.do(Op.DELETE, PathVersion("/app/c", -1))
    assert server.create("/app/d").error == Code.OK


def test_a_hard_limit_of_bytes_refuses_what_is_larger_and_not_what_is_smaller() -> None:
    server = enforced(size=12, count=-1)
    assert server.do(Op.SET_DATA, SetDataRequest("/app/b", b"12345678", -1)).error == Code.OK
    grown = SetDataRequest("/app/b", b"123456789", -1)
    assert server.do(Op.SET_DATA, grown).error == Code.QUOTA_EXCEEDED
    assert server.do(Op.SET_DATA, SetDataRequest("/app/b", b"1", -1)).error == Code.OK
    assert server.create("/app/empty").error == Code.OK


def test_nothing_is_refused_unless_it_is_configured_nor_by_a_soft_limit() -> None:
    server = enforced(size=-1, count=1)
    server.preparer = Preparer(server.tree)
    assert server.create("/app/c").error == Code.OK
    soft = limited()
    soft.do(Op.SET_DATA, SetDataRequest(LIMITS, b"count=1,bytes=1", -1))
    soft.preparer = Preparer(soft.tree, enforce_quotas=True)
    assert soft.create("/app/c", data=b"x").error == Code.OK


def test_quotas_are_known_again_after_a_snapshot() -> None:
    tree = limited().tree
    server = Server()
    server.tree = Tree.thaw(tree.freeze())
    server.preparer._tree = server.tree
    server.create("/app/c", data=b"1")
    assert server.tree.nodes[STATS].data == b"count=3,bytes=11"


def test_data_that_somebody_put_in_place_of_the_counts_is_left_alone() -> None:
    server = limited()
    server.do(Op.SET_DATA, SetDataRequest(STATS, b"rubbish", -1))
    server.create("/app/c")
    assert server.tree.nodes[STATS].data == b"rubbish"
    assert (
        quotas.added(b"count=1,bytes=2=;byteHardLimit=-1", 1, 1) == b"count=2,bytes=3=;byteHardLimit=-1"
    )


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("cds"), st.integers(0, 5), st.binary(max_size=4)), max_size=30)
)
def test_the_counts_are_those_of_the_tree(steps) -> None:
    server = limited()
    for step, which, data in steps:
        path = f"/app/n{which}"
        match step:
            case "c":
                server.create(path, data=data)
            case "d":
                server.do(Op.DELETE, PathVersion(path, -1))
            case _:
                server.do(Op.SET_DATA, SetDataRequest(path, data, -1))
    nodes = [node for path, node in server.tree.nodes.items() if (path + "/").startswith("/app/")]
    counted = quotas.stats(len(nodes), sum(len(node.data or b"") for node in nodes))
    assert server.tree.nodes[STATS].data == counted
