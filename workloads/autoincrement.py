"""Self-increasing IDs from five nodes, each with its own offset and a step of five.

Operation: ``next`` with a count (one unless given); ``ok`` carries the list of IDs and the node that
made them.

Fails when an ID is handed out twice, when a node's IDs do not grow from one answer to a later one,
when an ID has not the node's offset modulo its step, or when nothing is handed out once all is healed.
Gaps are allowed: a crash may skip what was reserved.

``--system mariadb`` asks as many MariaDB servers instead, by inserts into a table with AUTO_INCREMENT.
"""

from __future__ import annotations

from checkers.autoincrement import autoincrement as offset_and_stride
from checkers.monotonic import monotonic
from checkers.progress import progress
from checkers.unique_ids import unique_ids
from checkers.verdict import all_of
from cluster.api import System
from cluster.systems.mariadb import mariadb_system
from workloads.ids import NEXT, Other, id_workload
from workloads.mariadb import InsertClient
from workloads.workload import Workload, WorkloadOptions


def autoincrement(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another workload."""
    checker = all_of(
        unique_ids=unique_ids(NEXT),
        monotonic=monotonic(NEXT),
        autoincrement=offset_and_stride(NEXT),
        progress=progress(NEXT),
    )
    return id_workload(
        "autoincrement",
        ("autoincrement",),
        options,
        checker=checker,
        others={"mariadb": Other(_mariadb, InsertClient)},
    )


def _mariadb(options: WorkloadOptions) -> System:
    return mariadb_system(nodes=options.nodes, settings=options.settings)
