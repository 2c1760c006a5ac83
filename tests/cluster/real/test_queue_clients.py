"""Kafka's own clients in the queue's workloads, on real sockets."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.support.realclusters import WITHIN_S, alone, python, require
from windtunnel.names import BadInputError
from windtunnel.plan import prepare
from windtunnel.spec import TestSpec


@pytest.mark.parametrize(
    ("client", "workload", "done"),
    [
        ("confluent-kafka", "group", ("send", "poll", "commit", "drain")),
        ("confluent-kafka", "keys", ("send", "poll", "drain")),
        ("kafka-python", "group", ("send", "poll", "commit", "drain")),
        ("kafka-python", "offsets", ("send", "poll", "commit", "drain")),
    ],
)
def test_a_workload_is_valid_with_clients_that_others_wrote(
    tmp_path: Path, client: str, workload: str, done: tuple[str, ...]
) -> None:
    require("local")
    line = f"-m windtunnel run {workload} --client {client} --cluster local --nodes 3 --faults none"
    with alone():
        process = python(*line.split(), "--time-limit", "6", cwd=tmp_path)
        said = "".join(process.communicate(timeout=WITHIN_S))
    assert process.returncode == 0, said
    found = orjson.loads((tmp_path / "store" / "latest" / "results.json").read_bytes())
    counts = {f: found["stats"][f]["ok-count"] for f in done}
    assert min(counts.values()) > 0, counts
    assert found["log"]["acknowledged-count"] > 0


@pytest.mark.parametrize("client", ["confluent-kafka", "kafka-python"])
def test_clients_with_threads_are_refused_in_the_simulator(client: str) -> None:
    for workload, option in (("queue", "client"), ("together", "queue.client")):
        with pytest.raises(BadInputError, match=f"--client {client} has threads"):
            prepare(TestSpec(workload=workload, options={option: client}))
