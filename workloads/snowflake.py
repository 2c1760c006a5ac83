"""Snowflake IDs from five nodes.

Operation: ``next`` with a count (one unless given, now and then 5000, which is more than a millisecond
has); ``ok`` carries the list of IDs and the node that made them.

Fails when an ID is handed out twice; when a node's IDs do not grow, whatever its clock does and however
often it restarts; when an ID's node field is not the node's, or its timestamp not what the node's clock
showed, the injected skew considered; when IDs of two nodes are out of order by more than that skew;
or when nothing is handed out once all is healed. A node whose clock was set back a lot may refuse.
"""

from __future__ import annotations

from checkers.monotonic import monotonic
from checkers.progress import progress
from checkers.snowflake import snowflake as fields_and_clock
from checkers.unique_ids import unique_ids
from checkers.verdict import all_of
from workloads.ids import NEXT, id_workload
from workloads.workload import Workload, WorkloadOptions

_ONE_LARGE_IN = 150


def snowflake(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another workload."""
    checker = all_of(
        unique_ids=unique_ids(NEXT),
        monotonic=monotonic(NEXT),
        snowflake=fields_and_clock(NEXT),
        progress=progress(NEXT),
    )
    return id_workload("snowflake", ("snowflake",), options, checker=checker, one_in=_ONE_LARGE_IN)
