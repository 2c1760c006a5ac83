"""Clients that others wrote run in the simulation unmodified: aiohttp and aiokafka."""

from __future__ import annotations

import asyncio
import struct

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from cluster.api import CLIENT
from tests.support.simnodes import run_nodes


async def http_echo(host, config):
    async def answer(request):
        return web.Response(body=await request.read())

    runner = web.ServerRunner(web.Server(answer, access_log=None), handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host.name, 7000).start()
    await asyncio.Event().wait()


async def post_through_faults(cluster):
    outcomes = []

    async def client(session, node):
        for number in range(60):
            body = b"%d" % number
            try:
                async with session.post(f"http://{node}:7000/", data=body) as response:
                    outcomes.append(await response.read() == body)
            except (ClientError, TimeoutError, OSError) as error:
                outcomes.append(type(error).__name__)
            await asyncio.sleep(0.25)

    async with ClientSession(timeout=ClientTimeout(total=2)) as session:
        clients = [asyncio.create_task(client(session, node)) for node in cluster.nodes]
        await asyncio.sleep(2)
        await cluster.cut([(CLIENT, "n1")])
        await asyncio.sleep(3)
        await cluster.heal([(CLIENT, "n1")])
        await cluster.kill("n2")
        await asyncio.sleep(3)
        await cluster.restart("n2")
        await asyncio.gather(*clients)
    return outcomes


def test_aiohttp_works_through_partition_kill_and_restart():
    outcomes, first = run_nodes(post_through_faults, http_echo)
    assert outcomes.count(True) > 90
    assert False not in outcomes
    assert {outcome for outcome in outcomes if outcome is not True}
    again, second = run_nodes(post_through_faults, http_echo)
    assert again == outcomes
    assert first.digest() == second.digest()


# --- a broker of three API keys, just enough for aiokafka to find and feed a partition ----------------


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def api_versions() -> bytes:
    apis = [(0, 3, 7), (3, 0, 5), (18, 0, 0)]
    return struct.pack(">hi", 0, len(apis)) + b"".join(struct.pack(">hhh", *api) for api in apis)


def metadata(version: int, host: str) -> bytes:
    broker = struct.pack(">i", 1) + text(host) + struct.pack(">i", 7000) + struct.pack(">h", -1)
    partition = struct.pack(">hiiiiii", 0, 0, 1, 1, 1, 1, 1) + struct.pack(">i", 0)
    topic = struct.pack(">h", 0) + text("t") + b"\0" + struct.pack(">i", 1) + partition
    head = struct.pack(">i", 0) if version >= 3 else b""
    cluster_id = text("sim") if version >= 2 else b""
    return head + struct.pack(">i", 1) + broker + cluster_id + struct.pack(">ii", 1, 1) + topic


def produced(offset: int) -> bytes:
    partition = struct.pack(">ihqqq", 0, 0, offset, -1, 0)
    return struct.pack(">i", 1) + text("t") + struct.pack(">i", 1) + partition + struct.pack(">i", 0)


async def tiny_broker(host, config):
    log = host.disk.open("batches")

    async def serve(reader, writer):
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                key, version, correlation = struct.unpack(">hhi", request[:8])
                if key == 18:
                    body = api_versions()
                elif key == 3:
                    body = metadata(version, host.name)
                else:
                    log.append(b"b")
                    body = produced(log.size() - 1)
                writer.write(struct.pack(">ii", len(body) + 4, correlation) + body)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    await asyncio.start_server(serve, host.name, 7000)
    await asyncio.Event().wait()


async def lose_an_acknowledgement(cluster):
    """Cut the way back, let the batch be written, restart the broker, heal: the producer repeats."""
    await cluster.cut([("n1", CLIENT)])
    await asyncio.sleep(1)
    await cluster.kill("n1")
    await cluster.restart("n1")
    await cluster.heal([("n1", CLIENT)])


async def produce_through_a_lost_acknowledgement(cluster):
    from aiokafka import AIOKafkaProducer

    offsets = []
    producer = AIOKafkaProducer(bootstrap_servers="n1:7000", client_id="p", retry_backoff_ms=100)
    await producer.start()
    for number in range(30):
        fault = asyncio.create_task(lose_an_acknowledgement(cluster)) if number == 10 else None
        await asyncio.sleep(0)
        sent = await producer.send_and_wait("t", b"%d" % number, timestamp_ms=number)
        offsets.append(sent.offset)
        if fault is not None:
            await fault
    await producer.stop()
    return offsets


def test_aiokafka_repeats_a_batch_whose_acknowledgement_was_lost():
    offsets, first = run_nodes(produce_through_a_lost_acknowledgement, tiny_broker, nodes=("n1",))
    assert len(offsets) == 30
    assert offsets == sorted(offsets)
    assert offsets[-1] > 29, "the batch whose acknowledgement was lost is there twice"
    again, second = run_nodes(produce_through_a_lost_acknowledgement, tiny_broker, nodes=("n1",))
    assert (again, first.digest()) == (offsets, second.digest())
