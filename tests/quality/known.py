"""What is promised of each known bug: how small its counterexample gets, and who sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS
from windtunnel.outcome import signatures
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec, node_names


class Known(NamedTuple):
    """At most so many faults and operations once shrunk; the checkers that see it within 30 seeds.

    Of mutants of the coordination service and of the queue, what is in ``schedules/`` was shrunk from
    ``seed``: it has just so many, and was seen by just these checkers.

    ``seed`` is one that is known to show it, tried first.
    """

    faults: int
    ops: int
    killed_by: set[str]
    seed: int = 1


KNOWN = {
    "snowflake-no-clock-guard": Known(1, 32, {"monotonic", "unique-ids"}),
    "snowflake-guard-in-memory": Known(2, 64, {"monotonic"}),
    "snowflake-two-nodes-of-one-id": Known(0, 2, {"snowflake", "unique-ids"}),
    "snowflake-sequence-not-reset": Known(0, 128, {"snowflake", "monotonic"}),
    "snowflake-sequence-not-masked": Known(0, 128, {"snowflake", "monotonic"}),
    "snowflake-seconds-for-milliseconds": Known(0, 2, {"snowflake", "monotonic", "unique-ids"}),
    "autoincrement-recomputed-after-restart": Known(1, 32, {"unique-ids", "monotonic"}),
    "autoincrement-fsync-after-answer": Known(1, 64, {"unique-ids", "monotonic"}),
    "autoincrement-same-offset": Known(0, 2, {"autoincrement", "unique-ids"}),
    "uuid7-random-within-ms": Known(0, 2, {"monotonic"}),
    "uuid7-follows-clock-back": Known(1, 32, {"monotonic"}),
    "uuid4-seeded-by-pid": Known(0, 2, {"unique-ids"}),
    "uuid4-same-stream-after-restart": Known(1, 32, {"unique-ids"}),
    "zab-commit-without-quorum": Known(1, 128, {"sequences"}, 4),
    "zab-ack-before-fsync": Known(2, 8, {"sequences"}, 3),
    "zab-epochs-in-memory": Known(1, 64, {"leaders", "replicas"}, 14),
    "zab-no-trunc": Known(1, 32, {"sequences"}, 1),
    "zab-leader-without-quorum": Known(1, 128, {"leaders"}, 1),
    "zab-zxid-runs-over": Known(0, 512, {"progress"}, 4),
    "snapshot-misses-tail": Known(1, 128, {"sequences"}, 1),
    "sequence-reused-after-restart": Known(2, 8, {"sequences"}, 6),
    "cas-ignores-version": Known(0, 16, {"zxid-order"}, 1),
    "multi-half-applies": Known(0, 8, {"sequences"}, 1),
    "session-move-unchecked": Known(1, 16, {"sessions"}, 2),
    "ephemeral-outlives-session": Known(0, 32, {"ephemerals"}, 1),
    "ephemeral-goes-early": Known(1, 16, {"ephemerals"}, 1),
    "watch-after-data": Known(0, 16, {"followed", "watches"}, 1),
    "watch-lost-at-reconnect": Known(1, 32, {"watches"}, 3),
    "holder-goes-on-believing": Known(1, 16, {"guarded-resource", "mutual-exclusion"}, 4),
    "chain-watches-the-first": Known(0, 4, {"wakes"}, 1),
    "chain-in-order-of-names": Known(0, 8, {"mutual-exclusion"}, 1),
    "lock-without-fencing": Known(0, 8, {"guarded-resource"}, 1),
    "queue-commits-go-back": Known(0, 64, {"offsets"}, 2),
    "queue-reset-to-end": Known(0, 16, {"polls"}, 1),
    "queue-commit-before-processing": Known(0, 8, {"offsets"}, 4),
    "queue-handed-over-early": Known(0, 64, {"groups"}, 1),
    "queue-retries-reorder": Known(2, 256, {"log"}, 2),
    "queue-partitioners-differ": Known(0, 8, {"keys"}, 1),
    "queue-compaction-keeps-oldest": Known(1, 128, {"groups", "offsets"}, 5),
    "queue-zombie-leader": Known(1, 128, {"log", "sends"}, 1),
    "queue-sequences-forgotten": Known(1, 32, {"log"}, 6),
    "queue-ack-before-fsync": Known(1, 256, {"log", "sends"}, 2),
    "queue-min-isr-ignored": Known(3, 256, {"log", "sends"}, 2),
    "queue-ack-before-isr": Known(3, 256, {"log", "sends"}, 2),
    "queue-watermark-ahead": Known(2, 256, {"log", "sends"}, 2),
    "queue-truncate-to-watermark": Known(3, 256, {"log", "polls"}, 2),
    "queue-unclean-election": Known(2, 256, {"log", "sends"}, 10),
    "queue-isr-without-cas": Known(4, 128, {"log", "sends"}, 4),
    "queue-old-generation-commits": Known(0, 64, {"groups"}, 4),
    "herd-by-host-name": Known(0, 16, {"mutual-exclusion"}, 1),
    "sequence-without-a-second-look": Known(0, 4, {"mutual-exclusion"}, 1),
    "membership-lives-for-good": Known(0, 8, {"members"}, 1),
    "configuration-watched-once": Known(0, 1, {"settings"}, 1),
}


def spec_of(mutant: Mutant, seed: int) -> TestSpec:
    """The run that is meant to show it."""
    return TestSpec(
        workload=mutant.workload,
        mutant=mutant.name,
        nodes=node_names(mutant.size),
        faults=mutant.weather,
        seed=seed,
    )


def specs_of(mutant: Mutant) -> Iterator[TestSpec]:
    """All runs within its seeds, the one that is known to show it first."""
    known = KNOWN[mutant.name].seed
    yield spec_of(mutant, known)
    yield from (spec_of(mutant, seed) for seed in range(1, mutant.seeds + 1) if seed != known)


def killers(spec: TestSpec) -> set[str]:
    """The checkers that find the run invalid."""
    verdict = run_test(spec).verdict
    if verdict.valid is not False:
        return set()
    return {signature.partition(":")[0] for signature in signatures(verdict)}


def first_caught(name: str) -> TestSpec:
    """A run in which the checker that is meant for it sees it."""
    mutant = MUTANTS[name]
    return next(spec for spec in specs_of(mutant) if mutant.caught_by in killers(spec))
