"""Where a broker's cluster state is: in znodes if ``zookeeper.connect`` is set, else on its own disk."""

from __future__ import annotations

from collections.abc import Mapping

from impl.host import Host
from impl.properties import ConfigError
from impl.queue import topics
from impl.queue.config import Config, Listener, ensemble
from impl.queue.metadata.cluster import ClusterMetadata, Membership
from impl.queue.metadata.controller import Rules
from impl.queue.metadata.image import Broker
from impl.queue.metadata.local import open_local
from impl.queue.metadata.state import ClusterState


async def open_state(host: Host, config: Config, rules: Rules) -> ClusterState:
    """What this broker knows of its cluster; nothing is asked of others yet.

    Raises OSError and ValueError for a disk that can't be read.
    """
    listeners = {each.name: (each.host or host.name, each.port) for each in config.advertised}
    me = Broker(config.broker_id, listeners, config.rack)
    if not config.zookeeper_connect:
        return await open_local(host, me, config.cluster_id)
    return ClusterMetadata(host, _membership(config, me), rules)


def _membership(config: Config, me: Broker) -> Membership:
    def unclean(settings: Mapping[str, str]) -> bool:
        return topics.effective("unclean.leader.election.enable", settings, config) == "true"

    endpoints, chroot = ensemble(config.zookeeper_connect)
    return Membership(
        me=me,
        internal=_internal(config, me),
        endpoints=endpoints,
        chroot=chroot,
        session_timeout_s=config.session_timeout_ms / 1000,
        prefer_every_s=config.imbalance_check_s if config.rebalance_leaders else None,
        cluster_id=config.cluster_id,
        unclean=unclean,
    )


def _internal(config: Config, me: Broker) -> tuple[str, int]:
    if config.inter_broker not in me.listeners:
        wanted: list[Listener] = [each for each in config.listeners if each.name == config.inter_broker]
        raise ConfigError(f"'advertised.listeners' lacks {wanted[0].name}, by which brokers talk")
    return me.listeners[config.inter_broker]
