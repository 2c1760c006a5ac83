"""All workloads by name. A further one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workloads.autoincrement import autoincrement
from workloads.ephemeral import ephemeral
from workloads.leader import leader
from workloads.register import register
from workloads.sequence import sequence
from workloads.session import session
from workloads.snowflake import snowflake
from workloads.uuid import uuid
from workloads.watch import watch
from workloads.workload import Workload, WorkloadOptions

WORKLOADS: Mapping[str, Callable[[WorkloadOptions], Workload]] = MappingProxyType(
    {
        "autoincrement": autoincrement,
        "ephemeral": ephemeral,
        "leader": leader,
        "register": register,
        "sequence": sequence,
        "session": session,
        "snowflake": snowflake,
        "uuid": uuid,
        "watch": watch,
    }
)
