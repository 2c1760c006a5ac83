"""Which of Kafka's APIs are served, and in which versions.

Fetch stops at 12 and Produce at 11: the next versions name topics by id. Brokers among themselves fetch
in version 15, which says the topic's id and the follower's broker epoch (KIP-516, KIP-903). Produce is
advertised from 0 and served from 3, as Kafka 4 does it: librdkafka before 2.11.1 sends uncompressed
otherwise (KAFKA-18659). Kafka 4 has no messages between controller and brokers that fit znodes, so those
are ours, under keys that Kafka will hardly reach, with bodies in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ApiKey(IntEnum):
    """Kafka's number of an API."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    DESCRIBE_CONFIGS = 32
    ALTER_REPLICA_LOG_DIRS = 34
    DESCRIBE_LOG_DIRS = 35
    CREATE_PARTITIONS = 37
    DELETE_GROUPS = 42
    ELECT_LEADERS = 43
    INCREMENTAL_ALTER_CONFIGS = 44
    ALTER_PARTITION_REASSIGNMENTS = 45
    LIST_PARTITION_REASSIGNMENTS = 46
    DESCRIBE_CLUSTER = 60


class OwnKey(IntEnum):
    """Our own APIs, which only brokers call, all in version 0.

    FETCH_IMAGE waits for what the controller changes, CHANGE_ISR, CHANGE_TOPIC and SHUT_DOWN ask it for
    changes.
    """

    FETCH_IMAGE = 20_000
    CHANGE_ISR = 20_001
    CHANGE_TOPIC = 20_002
    SHUT_DOWN = 20_003


REPLICA_FETCH = 15
"""The version of Fetch that followers use."""

SERVED: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        ApiKey.PRODUCE: (3, 11),
        ApiKey.FETCH: (4, REPLICA_FETCH),
        ApiKey.LIST_OFFSETS: (1, 7),
        ApiKey.METADATA: (0, 12),
        ApiKey.OFFSET_COMMIT: (2, 8),
        ApiKey.OFFSET_FETCH: (1, 8),
        ApiKey.FIND_COORDINATOR: (0, 4),
        ApiKey.JOIN_GROUP: (0, 9),
        ApiKey.HEARTBEAT: (0, 4),
        ApiKey.LEAVE_GROUP: (0, 5),
        ApiKey.SYNC_GROUP: (0, 5),
        ApiKey.DESCRIBE_GROUPS: (0, 5),
        ApiKey.LIST_GROUPS: (0, 4),
        ApiKey.API_VERSIONS: (0, 4),
        ApiKey.CREATE_TOPICS: (2, 7),
        ApiKey.DELETE_TOPICS: (1, 6),
        ApiKey.DELETE_RECORDS: (0, 2),
        ApiKey.INIT_PRODUCER_ID: (0, 4),
        ApiKey.OFFSET_FOR_LEADER_EPOCH: (2, 4),
        ApiKey.DESCRIBE_CONFIGS: (1, 4),
        ApiKey.ALTER_REPLICA_LOG_DIRS: (1, 2),
        ApiKey.DESCRIBE_LOG_DIRS: (1, 4),
        ApiKey.CREATE_PARTITIONS: (0, 3),
        ApiKey.DELETE_GROUPS: (0, 2),
        ApiKey.ELECT_LEADERS: (0, 2),
        ApiKey.INCREMENTAL_ALTER_CONFIGS: (0, 1),
        ApiKey.ALTER_PARTITION_REASSIGNMENTS: (0, 0),
        ApiKey.LIST_PARTITION_REASSIGNMENTS: (0, 0),
        ApiKey.DESCRIBE_CLUSTER: (0, 1),
    }
)
"""First and last version of each API that is understood."""

ADVERTISED: Mapping[int, tuple[int, int]] = MappingProxyType(
    {**SERVED, ApiKey.PRODUCE: (0, SERVED[ApiKey.PRODUCE][1]), ApiKey.FETCH: (4, 12)}
)
"""What ApiVersions tells."""
