"""``make kafka-python-suite``: kafka-python's integration tests against three brokers of ours.

``python -m tests.outside.kafka_python_suite [--brokers N] [PYTEST ARGUMENT ...]``, for example
``-k delete_records``.
The tests are those of its source distribution, unpacked into ``.kafka-python-suite``. They are told that
the brokers are Kafka 2.8, the last of those with ZooKeeper in front that the suite knows all APIs of.
What fails and what is skipped is told by name; the last line is ``N passed, N failed, N skipped``. Ends
with 0 if nothing failed but what is said not to be there.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.impl.queue.brokers import ROOT, Ensemble, ensemble
from tests.outside.outcomes import OPTIONS, Outcome, parse, run_all, told, unexpected

HOME = ROOT / ".kafka-python-suite"
NOT_THERE: Mapping[str, str] = MappingProxyType(
    {
        "test_admin_integration.test_create_describe_delete_acls": "there are no ACLs",
        "test_admin_integration.test_describe_configs_broker_resource_returns_configs": (
            "a broker's settings are told as read-only, which they are, and as Kafka 4 tells it"
        ),
        "test_consumer_integration.test_kafka_version_infer": (
            "Produce 11 is served, so the client takes the brokers for Kafka 3.8, not 2.8"
        ),
        "test_producer_integration.test_transactional_producer_messages": "there are no transactions",
        "test_producer_integration.test_transactional_producer_offsets": "there are no transactions",
    }
)
"""What ours does not have: tests that may fail, and why."""
ONE_BROKER_ONLY: Mapping[str, str] = MappingProxyType(
    {
        "test_admin_integration.test_alter_replica_log_dirs": (
            "it takes the first broker to have the replica"
        ),
        "test_admin_integration.test_delete_records": (
            "it takes one poll to bring the records of all brokers"
        ),
    }
)
"""The suite is made for a cluster of one: with more brokers these may fail, by where partitions lie."""
_FILES = tuple(
    f"test/integration/test_{part}_integration.py" for part in ("producer", "consumer", "admin")
)
_SUITE_S = 1800
_LEFT_OUT = {
    "test/__init__.py": "",
    "test/service.py": '''"""Not in the distribution: a broker that the suite did not start."""


class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port


class SpawnedService:
    """Never made: the brokers run already."""
''',
}


def main(arguments: list[str]) -> int:
    """Run the suite and tell; an exit code."""
    parser = argparse.ArgumentParser(prog="kafka-python-suite", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 2, 3), default=3)
    asked, further = parser.parse_known_args(arguments)
    may_fail = {**NOT_THERE, **(ONE_BROKER_ONLY if asked.brokers > 1 else {})}
    with tempfile.TemporaryDirectory(prefix="kafka-python-suite-") as name:
        folder = Path(name)
        report = folder / "report.xml"
        with ensemble(folder, ids=range(asked.brokers), **_settings(asked.brokers)) as cluster:
            code = _run(cluster, folder, report, further)
        if not report.exists():
            print(f"kafka-python's tests ended with code {code} and no report", file=sys.stderr)
            return 2
        outcomes = parse(report.read_text(), "test.integration")
    for line in told([_explained(each, may_fail) for each in outcomes]):
        print(line)
    return int(bool(unexpected(outcomes, tuple(may_fail))) or not outcomes)


def _settings(brokers: int) -> dict[str, int]:
    return {
        "num.partitions": 4,
        "default.replication.factor": brokers,
        "min.insync.replicas": 1,  # the suite's topics have one replica
        "offsets.topic.num.partitions": 8,
        "offsets.topic.replication.factor": brokers,
    }


def _explained(outcome: Outcome, reasons: Mapping[str, str]) -> Outcome:
    """With our reason before what the test said, if there is one."""
    reason = reasons.get(outcome.name) if outcome.state == "failed" else None
    return outcome._replace(reason=f"{reason}: {outcome.reason}") if reason else outcome


def _run(cluster: Ensemble, folder: Path, report: Path, further: list[str]) -> int:
    """The suite's own options would kill the run at the first test that takes too long."""
    sources = _sources()
    words: list[str | Path] = [HOME / "bin" / "python", "-m", "pytest", *OPTIONS, "-o", "addopts="]
    words += ["-o", "log_level=WARNING", "--timeout=90", "--timeout-method=signal"]
    words += [f"--junitxml={report}", *further, *_FILES]
    return run_all(words, sources, _environment(cluster, folder), _SUITE_S)


def _sources() -> Path:
    """The unpacked distribution, with what its tests import and it lacks."""
    [found] = HOME.glob("kafka_python-*/")
    for name, text in _LEFT_OUT.items():
        (found / name).write_text(text)
    return found


def _environment(cluster: Ensemble, folder: Path) -> dict[str, str]:
    fake = folder / "kafka"
    fake.mkdir()
    return {
        **os.environ,
        "KAFKA_ROOT": str(fake),
        "KAFKA_VERSION": "2.8.0",
        "KAFKA_URI": f"kafka://{cluster.brokers[0].address}",
        "TMPDIR": str(folder),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
