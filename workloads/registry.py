"""All workloads by name. A further one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from workloads.autoincrement import autoincrement
from workloads.configuration import configuration
from workloads.election import election_chain, election_herd, election_sequence
from workloads.ephemeral import ephemeral
from workloads.group import group
from workloads.keys import keys
from workloads.leader import leader
from workloads.lock import lock, lock_fenced
from workloads.membership import membership
from workloads.offsets import offsets
from workloads.queue import queue
from workloads.register import register
from workloads.sequence import sequence
from workloads.session import session
from workloads.snowflake import snowflake
from workloads.together import together
from workloads.uuid import uuid
from workloads.watch import watch
from workloads.workload import Workload, WorkloadOptions

WORKLOADS: Mapping[str, Callable[[WorkloadOptions], Workload]] = MappingProxyType(
    {
        "autoincrement": autoincrement,
        "configuration": configuration,
        "election-chain": election_chain,
        "election-herd": election_herd,
        "election-sequence": election_sequence,
        "ephemeral": ephemeral,
        "group": group,
        "keys": keys,
        "leader": leader,
        "lock": lock,
        "lock-fenced": lock_fenced,
        "membership": membership,
        "offsets": offsets,
        "queue": queue,
        "register": register,
        "sequence": sequence,
        "session": session,
        "snowflake": snowflake,
        "together": together,
        "uuid": uuid,
        "watch": watch,
    }
)
