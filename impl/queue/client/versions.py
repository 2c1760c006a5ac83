"""Which versions of Kafka's APIs the client speaks, and which of them a broker speaks as well."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from impl.queue.protocol.errors import Code, Malformed
from impl.queue.protocol.keys import ApiKey

Versions: TypeAlias = Mapping[int, int]
"""The version to use, by API."""

SPOKEN: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        ApiKey.PRODUCE: (3, 11),
        ApiKey.FETCH: (4, 12),
        ApiKey.LIST_OFFSETS: (1, 7),
        ApiKey.METADATA: (1, 12),
        ApiKey.OFFSET_COMMIT: (2, 8),
        ApiKey.OFFSET_FETCH: (1, 8),
        ApiKey.FIND_COORDINATOR: (0, 4),
        ApiKey.JOIN_GROUP: (0, 9),
        ApiKey.HEARTBEAT: (0, 4),
        ApiKey.LEAVE_GROUP: (0, 5),
        ApiKey.SYNC_GROUP: (0, 5),
        ApiKey.DESCRIBE_GROUPS: (0, 5),
        ApiKey.LIST_GROUPS: (0, 4),
        ApiKey.API_VERSIONS: (0, 0),
        ApiKey.CREATE_TOPICS: (2, 7),
        ApiKey.DELETE_TOPICS: (1, 6),
        ApiKey.INIT_PRODUCER_ID: (0, 4),
        ApiKey.OFFSET_FOR_LEADER_EPOCH: (2, 4),
        ApiKey.CREATE_PARTITIONS: (0, 3),
        ApiKey.DELETE_RECORDS: (0, 2),
        ApiKey.DELETE_GROUPS: (0, 2),
    }
)
"""First and last version of each API that the client can use; topics go by name in all of them."""


def negotiated(body: Any, name: str, most: Versions) -> Versions:
    """The highest versions in common, from the answer to ApiVersions; APIs without one are left out.

    ``most`` limits some of them. Raises Malformed if the broker refuses to say.
    """
    if body.error_code is not Code.none:
        raise Malformed(f"{name} refuses ApiVersions with {body.error_code.name}")
    found = {}
    for each in body.api_keys:
        low, high = SPOKEN.get(each.api_key, (0, -1))
        version = min(high, each.max_version, most.get(each.api_key, high))
        if version >= max(low, each.min_version):
            found[int(each.api_key)] = version
    return found
