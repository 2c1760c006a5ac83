"""All workloads by name. A further one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workloads.autoincrement import autoincrement
from workloads.snowflake import snowflake
from workloads.uuid import uuid
from workloads.workload import Workload, WorkloadOptions

WORKLOADS: Mapping[str, Callable[[WorkloadOptions], Workload]] = MappingProxyType(
    {
        "autoincrement": autoincrement,
        "snowflake": snowflake,
        "uuid": uuid,
    }
)
