"""All mutants by name. A further one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from impl.mutants import (
    autoincrement,
    holders,
    queue_clients,
    queue_controller,
    queue_groups,
    queue_replication,
    recipes,
    sessions,
    snowflake_clock,
    snowflake_layout,
    uuids,
    watches,
    zab,
    znodes,
)
from impl.mutants.mutant import Mutant

_ALL = (
    *snowflake_clock.MUTANTS,
    *snowflake_layout.MUTANTS,
    *autoincrement.MUTANTS,
    *uuids.MUTANTS,
    *zab.MUTANTS,
    *znodes.MUTANTS,
    *sessions.MUTANTS,
    *watches.MUTANTS,
    *holders.MUTANTS,
    *recipes.MUTANTS,
    *queue_replication.MUTANTS,
    *queue_controller.MUTANTS,
    *queue_groups.MUTANTS,
    *queue_clients.MUTANTS,
)

MUTANTS: Mapping[str, Mutant] = MappingProxyType({mutant.name: mutant for mutant in _ALL})
