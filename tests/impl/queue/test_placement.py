"""Preferred leaders elected on demand, log directories, and where a broker that is alone can move to."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.brokers import Ensemble, ensemble, process
from tests.impl.queue.raw import Raw, batch

WITHIN_S = 60


def create(raw: Raw, replicas: int) -> None:
    topic = {"name": "t", "num_partitions": 1, "replication_factor": replicas}
    asked = {"topics": [{**topic, "assignments": (), "configs": ()}], "timeout": 60_000}
    answer = raw.ask(ApiKey.CREATE_TOPICS, 5, {**asked, "validate_only": False})
    assert answer.topics[0].error_code is Code.none


def elect(raw: Raw, *, kind: int = 0, topics: Any = ({"topic": "t", "partitions": (0, 9)},)) -> Any:
    asked = {"election_type": kind, "topic_partitions": topics, "timeout": 60_000}
    answer = raw.ask(ApiKey.ELECT_LEADERS, 2, asked)
    found = [part for each in answer.replica_election_results for part in each.partition_result]
    return answer.error_code, {each.partition_id: each.error_code for each in found}


def state(raw: Raw) -> Any:
    asked = {"topics": ({"topic_id": None, "name": "t"},), "allow_auto_topic_creation": False}
    return raw.ask(ApiKey.METADATA, 5, asked).topics[0].partitions[0]


def until_in_sync(cluster: Ensemble) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with Raw(cluster.brokers[1].port) as raw:
            found = state(raw)
            if len(found.isr_nodes) == 2:
                return found
        time.sleep(0.1)
    raise TimeoutError("a replica does not come back")


def test_who_leads_by_right_need_not_be_elected(tmp_path: Path) -> None:
    with process(tmp_path) as broker, Raw(broker.port) as raw:
        create(raw, 1)
        expected = {0: Code.election_not_needed, 9: Code.unknown_topic_or_partition}
        assert elect(raw) == (Code.none, expected)
        assert elect(raw, topics=None) == (Code.none, {})
        assert elect(raw, kind=1)[0] is Code.invalid_request


def test_a_broker_that_came_back_leads_again_when_somebody_asks_for_it(tmp_path: Path) -> None:
    with ensemble(tmp_path, ids=(1, 2), **{"auto.leader.rebalance.enable": "false"}) as cluster:
        with Raw(cluster.brokers[1].port) as raw:
            create(raw, 2)
        before = until_in_sync(cluster).leader_id
        cluster.brokers[before].stop(signal.SIGTERM)
        cluster.brokers[before].start()
        assert until_in_sync(cluster).leader_id != before
        with Raw(cluster.brokers[1].port) as raw:
            assert elect(raw, topics=None) == (Code.none, {0: Code.none})
            assert state(raw).leader_id == before


def test_a_log_directory_is_told_with_its_partitions_sizes(tmp_path: Path) -> None:
    with process(tmp_path) as broker, Raw(broker.port) as raw:
        create(raw, 1)
        data = batch(b"x")
        raw.produce(data)
        [found] = raw.ask(ApiKey.DESCRIBE_LOG_DIRS, 4, {"topics": None}).results
        [topic] = found.topics
        assert (found.log_dir, topic.name) == (str(tmp_path / "data"), "t")
        assert topic.partitions[0].partition_size == len(data)
        other = ({"topic": "t", "partitions": (1,)},)
        assert raw.ask(ApiKey.DESCRIBE_LOG_DIRS, 4, {"topics": other}).results[0].topics == ()


def test_a_replica_can_be_moved_only_to_where_it_is(tmp_path: Path) -> None:
    def moved(path: Path) -> list[Code]:
        topics = ({"name": "t", "partitions": (0, 1)},)
        answer = raw.ask(
            ApiKey.ALTER_REPLICA_LOG_DIRS, 2, {"dirs": ({"path": str(path), "topics": topics},)}
        )
        return [each.error_code for each in answer.results[0].partitions]

    def reassigned(replicas: tuple[int, ...] | None) -> Code:
        parts = ({"partition_index": 0, "replicas": replicas},)
        asked = {"timeout": 60_000, "topics": ({"name": "t", "partitions": parts},)}
        answer = raw.ask(ApiKey.ALTER_PARTITION_REASSIGNMENTS, 0, asked)
        return Code(answer.responses[0].partitions[0].error_code)

    with process(tmp_path) as broker, Raw(broker.port) as raw:
        create(raw, 1)
        assert moved(tmp_path / "data") == [Code.none, Code.replica_not_available]
        assert moved(tmp_path / "elsewhere") == [Code.log_dir_not_found] * 2
        assert reassigned((1,)) is Code.none
        assert reassigned((2,)) is Code.invalid_replica_assignment
        assert reassigned(None) is Code.no_reassignment_in_progress
        asked = {"timeout": 60_000, "topics": None}
        assert raw.ask(ApiKey.LIST_PARTITION_REASSIGNMENTS, 0, asked).topics == ()


def test_a_brokers_settings_are_told_as_what_cannot_be_changed(tmp_path: Path) -> None:
    with process(tmp_path) as broker, Raw(broker.port) as raw:
        names = ("advertised.listeners", "broker.id", "num.partitions", "auto.create.topics.enable")
        wanted = {"resource_type": 4, "resource_name": "1", "configuration_keys": names}
        answer = raw.ask(
            ApiKey.DESCRIBE_CONFIGS,
            4,
            {"resources": (wanted,), "include_synonyms": False, "include_documentation": False},
        )
        told = {each.name: each for each in answer.results[0].configs}
        assert sorted(told) == sorted(names)
        assert told["advertised.listeners"].value == f"PLAINTEXT://127.0.0.1:{broker.port}"
        assert told["auto.create.topics.enable"].value == "true"
        assert all(each.read_only for each in told.values())
        assert told["broker.id"].config_source == 4
        assert told["advertised.listeners"].config_source == 5
