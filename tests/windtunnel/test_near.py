from __future__ import annotations

import orjson

from cluster.sim.traffic import Packet
from cluster.systems import coordination_messages, queue_messages
from windtunnel.near import MAX_SPAN_NS, Traffic, windows
from windtunnel.plan import prepare
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec
from windtunnel.stored import run_stored

FAILING = TestSpec(workload="lock", seed=1, options={"pauses": 2}, time_limit_s=12)
IDS = TestSpec(workload="snowflake", seed=1, mutant="snowflake-no-clock-guard")


def test_who_watches_changes_nothing() -> None:
    seen: list[Packet] = []
    spec = TestSpec(workload="lock", seed=1, time_limit_s=12, faults=("partition",))
    assert run_test(spec, observe=seen.append).digest == run_test(spec).digest
    assert len(seen) > 1000
    assert any(packet.arrived_ns is None for packet in seen)
    assert all(packet.arrived_ns is None or packet.arrived_ns > packet.sent_ns for packet in seen)


def test_a_failing_simulated_run_keeps_what_was_sent_while_the_witness_ran(tmp_path) -> None:
    run, directory = run_stored(FAILING, tmp_path)
    assert run.verdict.valid is False
    assert directory.read_results()["repeated"] is True
    near = windows(run.verdict, run.history)
    sent = directory.read_messages()
    assert sent
    assert all(any(a <= one["sent"] <= b for a, b in near) for one in sent)
    assert all(b - a <= MAX_SPAN_NS for a, b in near)
    assert {"quorum", "client"} <= {one["port"] for one in sent}
    assert any(one["text"].startswith("create2 /lock/") for one in sent)
    assert any(one["text"].startswith("Proposal ") for one in sent)


def test_a_valid_run_keeps_no_messages(tmp_path) -> None:
    _, directory = run_stored(
        TestSpec(workload="uuid", seed=1, time_limit_s=3, faults=("none",)), tmp_path
    )
    assert not (directory.path / "messages.jsonl").exists()
    assert "repeated" not in directory.read_results()


def test_ids_tell_their_requests(tmp_path) -> None:
    _, directory = run_stored(IDS, tmp_path)
    assert any("HTTP/1.1" in one["text"] for one in directory.read_messages())


def test_brokers_and_servers_on_one_node_are_told_apart_by_the_port() -> None:
    spec = TestSpec(workload="queue", seed=1, time_limit_s=3, faults=("none",))
    seen: list[Packet] = []
    run_test(spec, observe=seen.append)
    system = prepare(spec).workload.system
    names = {number: name for name, number in system.ports.items()}
    assert system.describe is not None
    said = {(names[one.port], system.describe(names[one.port], one.to_server, one.data)) for one in seen}
    assert any(port == "queue.client" and text.startswith("produce v") for port, text in said)
    assert any(port == "queue.broker" and text.startswith("fetch image v0") for port, text in said)
    assert any(port == "coordination.client" and text.startswith("multi") for port, text in said)
    assert "leader" in system.marks


def test_two_pieces_that_were_sent_at_once_are_one_message() -> None:
    def piece(data: bytes, arrived_ns: int) -> Packet:
        return Packet(
            source="n1",
            destination="n2",
            port=1,
            to_server=True,
            sent_ns=5,
            arrived_ns=arrived_ns,
            data=data,
        )

    traffic = Traffic([(0, 10)], 0)
    traffic.take(piece(b"ab", 7))
    traffic.take(piece(b"c", 8))
    assert [(one.data, one.arrived_ns) for one in traffic.packets] == [(b"abc", 8)]


def test_a_packet_that_is_the_rest_of_a_frame_or_garbage_says_nothing() -> None:
    for data in (
        b"",
        b"\x00",
        b"\x00\x00\x00\x05\xff\xff\xff\xff\xff",
        bytes(40),
        orjson.dumps(list(range(99))),
    ):
        for port in ("client", "quorum"):
            for to_server in (True, False):
                for messages in (coordination_messages, queue_messages):
                    assert isinstance(messages.describe(port, to_server, data), str)
