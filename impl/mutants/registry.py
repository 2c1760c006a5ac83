"""All mutants by name. A further one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from impl.mutants import autoincrement, snowflake_clock, snowflake_layout, uuids
from impl.mutants.mutant import Mutant

_ALL = (
    *snowflake_clock.MUTANTS,
    *snowflake_layout.MUTANTS,
    *autoincrement.MUTANTS,
    *uuids.MUTANTS,
)

MUTANTS: Mapping[str, Mutant] = MappingProxyType({mutant.name: mutant for mutant in _ALL})
