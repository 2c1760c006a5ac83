"""A broker: join the cluster, take up its partitions, serve clients. The order is that of the code.

A message passes ``serving.connection``, ``serving.dispatch``, ``serving.produce``,
``replication.partition`` and ``log``; ``docs/queue.md`` tells more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from impl.host import Host
from impl.queue import config as configuration
from impl.queue.parts import PARTS, Parts
from impl.queue.protocol.codec import Codec
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Connection, Connections
from impl.queue.serving.dispatch import Dispatcher
from impl.queue.serving.producer_ids import ProducerIds

_LEAVES_WITHIN_S = 5.0
_log = logging.getLogger(__name__)


async def serve(host: Host, config: Mapping[str, Any], *, parts: Parts = PARTS) -> None:
    """The node program: serve until cancelled. ``config`` has the keys of a ``server.properties``.

    Raises ConfigError before anything is opened, OSError if the disk or a port cannot be used. When
    cancelled, leadership is handed over before anything is closed (controlled shutdown).
    """
    checked = configuration.parse(config)
    state = await parts.open_state(host, checked, parts.controller_rules)
    replicas = parts.replicas(host, checked, state, parts.replica_rules)
    fetchers = parts.fetchers(host, checked, state, replicas)
    coordinator = parts.coordinator(host, checked, state, replicas)
    broker = Broker(
        host=host,
        config=checked,
        state=state,
        replicas=replicas,
        coordinator=coordinator,
        producer_ids=ProducerIds(state),
    )
    work = [
        state.run(),
        replicas.run(),
        replicas.keep(),
        replicas.propose(),
        replicas.watch_laggards(),
        replicas.flush_due(),
        fetchers.run(),
        _become_ready(broker),
    ]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(replicas.close)
        stack.push_async_callback(state.close)
        await _listen(host, broker, stack)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each) for each in work]
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not any(each.done() for each in running[:-1]):
                    await _leave(broker)
                raise


async def _become_ready(broker: Broker) -> None:
    await broker.state.ready()
    await broker.replicas.settled()
    broker.ready.set()


async def _leave(broker: Broker) -> None:
    """Hand over what this broker leads; whatever happens, it takes no longer than it may."""
    if broker.config.controlled_shutdown and not broker.state.alone:
        try:
            async with asyncio.timeout(_LEAVES_WITHIN_S):
                await broker.state.leave()
        except TimeoutError:
            _log.warning("broker %d stops without a handover", broker.config.broker_id)


async def _listen(host: Host, broker: Broker, stack: AsyncExitStack) -> None:
    codec, config = Codec(), broker.config
    connections = Connections(
        codec,
        Dispatcher(broker, codec),
        most=config.max_connections,
        frame_bytes=config.max_request_bytes,
        idle_s=config.max_idle_ms / 1000,
    )
    stack.callback(connections.close)
    loop = asyncio.get_running_loop()
    for each in config.listeners:
        make = partial(Connection, connections, each.name)
        server = await loop.create_server(make, each.host or host.name, each.port)
        stack.callback(server.close)
