"""What programs can tell apart about TCP: the table of docs/simulation.md, row by row."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import CLIENT
from cluster.sim.tcp.connection import WRITE_LIMIT_BYTES
from cluster.sim.tcp.sending import WINDOW_BYTES
from tests.support.simnodes import run_nodes

TO_N1, FROM_N1 = (CLIENT, "n1"), ("n1", CLIENT)
BOTH_WAYS = (TO_N1, FROM_N1)


def now():
    return asyncio.get_running_loop().time()


async def connect(node="n1"):
    return await asyncio.open_connection(node, 7000)


def seen_by(cluster, node="n1"):
    return bytes(cluster.machine(node).disk._files["seen"].data)


def test_bytes_sent_into_a_cut_arrive_after_it_is_healed():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.cut(BOTH_WAYS)
        writer.write(b"ping")
        start = now()
        reply = asyncio.create_task(reader.readexactly(4))
        await asyncio.sleep(5)
        assert not reply.done()
        await cluster.heal(BOTH_WAYS)
        assert await reply == b"ping"
        assert 5 < now() - start < 15
        assert await cluster.dropped([TO_N1]) >= 4

    run_nodes(scenario)


def test_a_cut_that_never_heals_ends_in_a_time_out_and_leaves_the_server_half_open():
    async def scenario(cluster):
        reader, writer = await connect()
        server_side = len(cluster.machine("n1").connections)
        await cluster.cut(BOTH_WAYS)
        start = now()
        writer.write(b"ping")
        with pytest.raises(TimeoutError) as caught:
            await reader.readexactly(4)
        assert caught.value.errno == errno.ETIMEDOUT
        assert now() - start == pytest.approx(27, abs=0.1)
        assert len(cluster.machine("n1").connections) == server_side

    run_nodes(scenario)


def test_with_acknowledgements_lost_the_write_is_applied_and_its_sender_sees_an_error():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.cut([FROM_N1])
        writer.write(b"ping")
        with pytest.raises(TimeoutError):
            await reader.readexactly(4)

    _, cluster = run_nodes(scenario)
    assert seen_by(cluster) == b"ping"


def test_retransmitted_segments_are_applied_once():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.cut([FROM_N1])
        writer.write(b"ping")
        await asyncio.sleep(3)
        await cluster.heal([FROM_N1])
        assert await reader.readexactly(4) == b"ping"

    _, cluster = run_nodes(scenario)
    assert seen_by(cluster) == b"ping"


def test_a_kill_resets_the_peers():
    async def scenario(cluster):
        reader, _ = await connect()
        await cluster.kill("n1")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(4)
        with pytest.raises(ConnectionRefusedError):
            await connect()

    run_nodes(scenario)


def test_after_a_power_cut_peers_hear_nothing_until_they_time_out():
    async def scenario(cluster):
        reader, writer = await connect()
        start = now()
        await cluster.power_off("n1")
        writer.write(b"ping")
        with pytest.raises(TimeoutError):
            await reader.readexactly(4)
        assert now() - start == pytest.approx(27, abs=0.1)
        start = now()
        with pytest.raises(TimeoutError):
            await connect()
        assert now() - start == pytest.approx(15, abs=0.1)

    run_nodes(scenario)


def test_an_idle_connection_learns_of_a_power_cut_by_a_reset_after_the_restart():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.power_off("n1")
        await asyncio.sleep(5)
        await cluster.restart("n1")
        await asyncio.sleep(1)
        writer.write(b"ping")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(4)

    run_nodes(scenario)


def test_what_a_paused_process_was_sent_it_gets_when_it_resumes():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.pause("n1")
        writer.write(b"ping")
        second = asyncio.create_task(connect())
        await asyncio.sleep(60)
        assert second.done(), "the kernel of a paused process completes handshakes"
        reply = asyncio.create_task(reader.readexactly(4))
        await asyncio.sleep(1)
        assert not reply.done()
        start = now()
        await cluster.resume("n1")
        assert await reply == b"ping"
        assert now() - start < 0.1

    run_nodes(scenario)


def test_a_lost_reset_is_repeated_when_the_peer_speaks_again():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.cut([FROM_N1])
        await cluster.kill("n1")
        await asyncio.sleep(2)
        await cluster.heal([FROM_N1])
        writer.write(b"ping")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(4)

    run_nodes(scenario)


@pytest.mark.parametrize(("healed_after_s", "connected_after_s"), [(0.5, 1), (2, 3), (5, 7)])
def test_a_syn_is_repeated_after_1_3_and_7_seconds(healed_after_s, connected_after_s):
    async def scenario(cluster):
        await cluster.cut(BOTH_WAYS)
        start = now()
        connecting = asyncio.create_task(connect())
        await asyncio.sleep(healed_after_s)
        await cluster.heal(BOTH_WAYS)
        await connecting
        assert now() - start == pytest.approx(connected_after_s, abs=0.01)

    run_nodes(scenario)


def test_lost_segments_are_sent_again_and_the_order_is_kept():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.lose(BOTH_WAYS, 0.3)
        for number in range(50):
            writer.write(b"%04d" % number)
            assert await reader.readexactly(4) == b"%04d" % number
        assert await cluster.dropped(BOTH_WAYS) > 10

    _, cluster = run_nodes(scenario)
    assert seen_by(cluster) == b"".join(b"%04d" % number for number in range(50))


def test_a_slow_link_delays_and_counts():
    async def scenario(cluster):
        reader, writer = await connect()
        await cluster.slow([TO_N1], 0.3, 0.2)
        start = now()
        writer.write(b"ping")
        await reader.readexactly(4)
        assert 0.3 < now() - start < 0.52
        assert await cluster.delayed([TO_N1]) >= 1
        assert await cluster.delayed([FROM_N1]) == 0

    run_nodes(scenario)


def test_reads_can_be_short():
    sizes = set()

    async def chunks(host, config):
        async def serve(reader, writer):
            while data := await reader.read(65536):
                sizes.add(len(data))

        await asyncio.start_server(serve, host.name, 7000)
        await asyncio.Event().wait()

    async def scenario(cluster):
        _, writer = await connect()
        for _ in range(200):
            writer.write(bytes(100))
            await asyncio.sleep(0.01)

    run_nodes(scenario, chunks)
    assert 100 in sizes
    assert any(size < 100 for size in sizes)


def test_half_close_lets_the_other_side_answer():
    async def answer_at_the_end(host, config):
        async def serve(reader, writer):
            writer.write(b"got %d" % len(await reader.read()))
            writer.close()

        await asyncio.start_server(serve, host.name, 7000)
        await asyncio.Event().wait()

    async def scenario(cluster):
        reader, writer = await connect()
        writer.write(bytes(100_000))
        writer.write_eof()
        assert await reader.read() == b"got 100000"
        writer.close()
        await writer.wait_closed()

    run_nodes(scenario, answer_at_the_end)


def test_a_writer_waits_while_nobody_reads():
    async def deaf_then_not(host, config):
        async def serve(reader, writer):
            await asyncio.sleep(10)
            total = 0
            while data := await reader.read(1 << 20):
                total += len(data)
            writer.write(b"%d" % total)
            writer.close()

        await asyncio.start_server(serve, host.name, 7000)
        await asyncio.Event().wait()

    async def scenario(cluster):
        reader, writer = await connect()
        start, written = now(), 0
        while now() - start < 1 and written < 8 << 20:
            writer.write(bytes(8192))
            written += 8192
            try:
                await asyncio.wait_for(writer.drain(), 1)
            except TimeoutError:
                break
        assert WINDOW_BYTES <= written <= 2 * (WINDOW_BYTES + WRITE_LIMIT_BYTES)
        await writer.drain()
        assert now() - start > 9
        writer.write_eof()
        assert int(await reader.read()) == written

    run_nodes(scenario, deaf_then_not)


def test_large_writes_arrive_whole_and_in_order():
    payload = bytes(range(256)) * 1500

    async def scenario(cluster):
        reader, writer = await connect()
        reading = asyncio.create_task(reader.readexactly(len(payload)))
        writer.write(payload)
        assert await reading == payload

    run_nodes(scenario)


def test_a_port_is_taken_until_its_server_closes():
    async def scenario(cluster):
        async def ignore(reader, writer):
            writer.close()

        server = await asyncio.start_server(ignore, "client", 9000)
        with pytest.raises(OSError, match="client:9000"):
            await asyncio.start_server(ignore, "client", 9000)
        server.close()
        await server.wait_closed()
        await asyncio.start_server(ignore, "localhost", 9000)
        _, writer = await asyncio.open_connection("127.0.0.1", 9000)
        assert writer.get_extra_info("peername")[1] == 9000

    run_nodes(scenario)


def test_unknown_names_do_not_resolve():
    async def scenario(cluster):
        with pytest.raises(socket.gaierror, match="n9"):
            await asyncio.open_connection("n9", 7000)

    run_nodes(scenario)


def test_tls_and_udp_are_refused_by_name():
    async def over_tls(cluster):
        await asyncio.open_connection("n1", 7000, ssl=True)

    async def over_udp(cluster):
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("n1", 1))

    with pytest.raises(Exception, match="TLS is not simulated"):
        run_nodes(over_tls)
    with pytest.raises(Exception, match="UDP is not simulated"):
        run_nodes(over_udp)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=30),
    st.lists(st.tuples(st.sampled_from(["cut", "lose", "slow"]), st.floats(0.01, 2)), max_size=6),
    st.integers(0, 2**16),
)
def test_a_stream_is_never_reordered_doubled_or_holed(writes, faults, seed):
    async def collect(host, config):
        async def serve(reader, writer):
            while data := await reader.read(4096):
                host.disk.open("seen").append(data)

        await asyncio.start_server(serve, host.name, 7000)
        await asyncio.Event().wait()

    async def hurt(cluster):
        for kind, duration_s in faults:
            if kind == "cut":
                await cluster.cut([TO_N1])
            elif kind == "lose":
                await cluster.lose(BOTH_WAYS, 0.4)
            else:
                await cluster.slow(BOTH_WAYS, 0.05, 0.5)
            await asyncio.sleep(duration_s)
            await cluster.heal([TO_N1])
            await cluster.lose(BOTH_WAYS, 0)
            await cluster.slow(BOTH_WAYS, 0, 0)

    async def scenario(cluster):
        _, writer = await connect()
        hurting = asyncio.create_task(hurt(cluster))
        for data in writes:
            writer.write(data)
            await asyncio.sleep(0.05)
        await hurting
        await asyncio.sleep(60)

    _, cluster = run_nodes(scenario, collect, seed=seed)
    assert seen_by(cluster) == b"".join(writes)
