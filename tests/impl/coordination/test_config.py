"""zoo.cfg: what is read of it, and what is refused."""

from __future__ import annotations

import pytest

from impl import properties
from impl.coordination import config
from impl.properties import ConfigError

ENSEMBLE = """
# as in ZooKeeper's own guide
tickTime = 2000
dataDir=/var/lib/zookeeper
initLimit=5
syncLimit=2
myid=2
server.1=zoo1:2888:3888
server.2=zoo2:2888:3888:participant;2181
server.3=zoo3:2888:3888:observer;127.0.0.1:2182
"""


def parsed(text: str) -> config.Config:
    return config.parse(properties.read(text))


def test_a_standard_configuration_is_read() -> None:
    read = parsed(ENSEMBLE + "clientPort=2181\nautopurge.purgeInterval=1\npreAllocSize=65536\n")
    assert (read.me, read.tick_s, read.init_limit, read.sync_limit) == (2, 2.0, 5, 2)
    assert (read.client_port, read.client_address) == (2181, "0.0.0.0")
    assert read.voters == (1, 2)
    assert not read.observer


def test_the_port_for_clients_may_stand_with_the_server() -> None:
    assert (parsed(ENSEMBLE).client_port, parsed(ENSEMBLE).client_address) == (2181, "0.0.0.0")
    observer = parsed(ENSEMBLE.replace("myid=2", "myid=3"))
    assert (observer.client_port, observer.client_address) == (2182, "127.0.0.1")
    assert observer.observer
    with pytest.raises(ConfigError, match="clientPort"):
        parsed(ENSEMBLE.replace("myid=2", "myid=1"))


def test_the_members_read_as_in_the_real_servers_config_znode() -> None:
    assert parsed(ENSEMBLE).members == (
        "server.1=zoo1:2888:3888:participant\n"
        "server.2=zoo2:2888:3888:participant;0.0.0.0:2181\n"
        "server.3=zoo3:2888:3888:observer;127.0.0.1:2182\n"
        "version=0"
    )
    assert parsed("clientPort=2181").members == ""


def test_session_timeouts_are_between_two_and_twenty_ticks_unless_said_otherwise() -> None:
    read = parsed("clientPort=1\ntickTime=1000\n")
    assert [read.session_ms(wanted) for wanted in (1, 5000, 10**6)] == [2000, 5000, 20_000]
    read = parsed("clientPort=1\ntickTime=1000\nminSessionTimeout=500\nmaxSessionTimeout=600\n")
    assert [read.session_ms(wanted) for wanted in (1, 550, 10**6)] == [500, 550, 600]


def test_words_are_all_allowed_unless_they_are_listed() -> None:
    assert parsed("clientPort=1\n").words is None
    assert parsed("clientPort=1\n4lw.commands.whitelist=*\n").words is None
    assert parsed("clientPort=1\n4lw.commands.whitelist=srvr, ruok\n").words == {"srvr", "ruok"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("clientPort=0x10", "'clientPort' is '0x10'; it must be a whole number from 0 to 65535"),
        ("tickTime=0", "'tickTime' is '0'"),
        ("server.4=zoo4:2888:3888;port", "'server.4' is 'port'"),
        ("server.4=zoo4:2888:3888:leader", "host:port:electionPort"),
        ("server.x=zoo4:2888:3888", "'server.x' is 'x'"),
        ("myid=9", "'myid' is 9 and there is no 'server.9'"),
        ("maxClientCnxns=-1", "'maxClientCnxns' is '-1'"),
        ("snapCount=none", "'snapCount' is 'none'"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_wanted(line: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(ENSEMBLE + line + "\n")
    assert sentence in str(refused.value)
