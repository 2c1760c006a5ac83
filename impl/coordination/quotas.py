"""Quotas, as ``setquota`` of ZooKeeper's own client makes them: counted, and enforced if so configured.

A limit for ``/app`` is a znode, ``/zookeeper/quota/app/zookeeper_limits``; beside it stands
``zookeeper_stats`` with the number of znodes and bytes at and below ``/app``, which every server keeps
up to date as it applies transactions, without changing the version of that znode. With ``enforceQuota``
the leader refuses what would go beyond a hard limit; as with the real server that is off by default,
and what is proposed and not applied yet is not counted.
"""

from __future__ import annotations

import re

_ROOT = "/zookeeper/quota"
_LIMITS, _STATS = "/zookeeper_limits", "/zookeeper_stats"
_HARD = re.compile(rb"byteHardLimit=(-?\d+);countHardLimit=(-?\d+)")
_COUNTS = re.compile(rb"count=(-?\d+),bytes=(-?\d+)")


def limited_by(path: str) -> str | None:
    """The path that has a quota if there is a znode ``path``; None if that says nothing of quotas."""
    return _between(path, _LIMITS)


def counted_by(path: str) -> str | None:
    """The path whose znodes are counted in ``path``; None if ``path`` counts nothing."""
    return _between(path, _STATS)


def limits_path(path: str) -> str:
    """The znode in which the limits for what is at and below ``path`` stand."""
    return f"{_ROOT}{path}{_LIMITS}"


def stats_path(path: str) -> str:
    """The znode in which what is at and below ``path`` is counted."""
    return f"{_ROOT}{path}{_STATS}"


def stats(count: int, size: int) -> bytes:
    """The data of such a znode: ``count`` znodes of together ``size`` bytes."""
    return b"count=%d,bytes=%d" % (count, size)


def added(data: bytes | None, count: int, size: int) -> bytes | None:
    """``data`` of such a znode after ``count`` more znodes and ``size`` more bytes."""
    found = _COUNTS.search(data or b"")
    if data is None or found is None:
        return data
    more = stats(int(found[1]) + count, int(found[2]) + size)
    return data[: found.start()] + more + data[found.end() :]


def exceeded(limits: bytes | None, stats: bytes | None, count: int, size: int) -> bool:
    """Whether ``count`` more znodes and ``size`` more bytes go beyond a hard limit in ``limits``."""
    hard, now = _HARD.search(limits or b""), _COUNTS.search(stats or b"")
    if hard is None or now is None:
        return False
    more = ((count, int(hard[2]), int(now[1])), (size, int(hard[1]), int(now[2])))
    return any(change and limit > -1 and there + change > limit for change, limit, there in more)


def _between(path: str, end: str) -> str | None:
    if not path.startswith(_ROOT) or not path.endswith(end):
        return None
    return path[len(_ROOT) : -len(end)] or None
