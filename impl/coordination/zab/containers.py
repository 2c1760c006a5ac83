"""Which containers and znodes with a time to live are to go: aged by the leader's own clock.

A container goes once it has had children and has none; a znode with a time to live when it has
not changed and has had no children for so long.
"""

from __future__ import annotations

from impl.coordination import txns
from impl.coordination.tree import Tree


class Containers:
    """Remembers since when each has been empty, as this leader first saw it as it is."""

    def __init__(self, tree: Tree, check_ms: int) -> None:
        self._tree = tree
        self._check_ms = check_ms
        self._empty_since: dict[str, tuple[int, float]] = {}

    def expired(self, now_s: float) -> list[str]:
        """The paths whose time is up; each is told again as long as it is there."""
        tree = self._tree
        since: dict[str, tuple[int, float]] = {}
        due = []
        for path in (*tree.containers, *tree.expiring):
            node = tree.nodes[path]
            if tree.child_count(path) or (path in tree.containers and not node.creates):
                continue
            stamp = max(node.mzxid, node.pzxid)
            known = self._empty_since.get(path, (0, 0.0))
            since[path] = known if known[0] == stamp else (stamp, now_s)
            limit_ms = txns.ttl_of(node.owner) or self._check_ms
            if now_s - since[path][1] >= limit_ms / 1000:
                due.append(path)
        self._empty_since = since
        return due
