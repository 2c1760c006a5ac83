"""UUIDs from five nodes.

Operation: ``next`` with a count (one unless given); ``ok`` carries the list of UUIDs and the node that
made them. Setting ``version`` is 4, random, or 7, time-ordered; 4 unless given.

Fails when a UUID is handed out twice, or when nothing is handed out once all is healed; with version 7
also when a node's UUIDs do not grow: within an answer, or from one answer to a later one, whatever
its clock does and however often it restarts.
"""

from __future__ import annotations

from dataclasses import replace

from checkers.monotonic import monotonic
from checkers.progress import progress
from checkers.unique_ids import unique_ids
from checkers.verdict import all_of
from impl.mutants.registry import MUTANTS
from workloads.ids import NEXT, id_workload
from workloads.workload import Workload, WorkloadOptions


def uuid(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for another version or another's mutant."""
    settings = {name: value for name, value in options.settings.items() if name != "version"}
    of_nodes = replace(options, settings=settings)
    if _version(options) == 4:
        checker = all_of(unique_ids=unique_ids(NEXT), progress=progress(NEXT))
        return id_workload("uuid", ("uuid4", "uuid7"), of_nodes, checker=checker)
    checker = all_of(unique_ids=unique_ids(NEXT), monotonic=monotonic(NEXT), progress=progress(NEXT))
    return id_workload("uuid", ("uuid7", "uuid4"), of_nodes, checker=checker)


def _version(options: WorkloadOptions) -> int:
    mutant = MUTANTS.get(options.mutant or "")
    if mutant is not None:
        return 7 if mutant.kind == "uuid7" else 4
    version = str(options.settings.get("version", 4))
    if version not in ("4", "7"):
        raise ValueError(f"workload uuid has no version {version!r}; set version to 4 or 7")
    return int(version)
