"""Offsets by time, from whoever leads: the beginnings and ends of partitions, and what lies between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from impl.queue.client.cluster import Cluster
from impl.queue.client.errors import DidNotHappen
from impl.queue.client.fetcher import Fetcher
from impl.queue.client.metadata import NO_LEADER, TopicPartition

_log = logging.getLogger(__name__)


async def offsets_at(
    cluster: Cluster, fetcher: Fetcher, times: Mapping[TopicPartition, int], *, within_s: float
) -> dict[TopicPartition, int]:
    """The first offset that isn't older than each time (ms, EARLIEST or LATEST); -1 if there is none.

    Asks again, after new metadata, until leaders have answered for all. Raises DidNotHappen.
    """
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    left = dict(times)
    found: dict[TopicPartition, int] = {}
    for topic in dict.fromkeys(each.topic for each in times):
        await cluster.topic(topic, within_s=within_s)
    while left:
        for node, some in _by_leader(cluster, left).items():
            try:
                answered = await fetcher.offsets_at(node, some)
            except DidNotHappen as error:
                _log.info("offsets: %s", error)
                continue
            found |= {each: offset for each, (offset, _) in answered.items()}
        left = {each: time_ms for each, time_ms in left.items() if each not in found}
        if left and loop.time() >= deadline_s:
            raise DidNotHappen(f"no leader of {list(left)} answers in {within_s:g} s")
        if left:
            await cluster.refresh(within_s=within_s)
    return found


def _by_leader(
    cluster: Cluster, times: Mapping[TopicPartition, int]
) -> dict[int, dict[TopicPartition, int]]:
    sorted_: dict[int, dict[TopicPartition, int]] = {}
    for partition, time_ms in times.items():
        leadership = cluster.metadata.leadership(partition)
        if leadership is not None and leadership.leader != NO_LEADER:
            sorted_.setdefault(leadership.leader, {})[partition] = time_ms
    return sorted_
