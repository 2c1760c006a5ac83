"""The agent alone, over a socket: processes, files, and what it undoes when nobody is left to ask it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

import cluster.real.agent
from cluster.real.agent import faketime_library
from cluster.real.channel import AgentError, Channel, SocketStream

SOURCE = Path(cluster.real.agent.__file__).read_text()
FOREVER = [sys.executable, "-c", "print('up', flush=True); __import__('select').select([], [], [])"]


class Agent:
    """An agent whose directory is ``place``, and the harness's end of its stream."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.end, its = socket.socketpair()
        argv = [sys.executable, "-I", "-S", "-c", SOURCE, str(place / "node")]
        with its:
            self.process = subprocess.Popen(argv, stdin=its.fileno(), stdout=its.fileno())

    def channel(self) -> Channel:
        return Channel("n1", SocketStream(self.end))


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path)
    yield made
    SocketStream(made.end).close()
    made.process.wait(10)


def test_when_its_input_ends_it_kills_the_node_runs_what_undoes_and_exits(agent: Agent) -> None:
    async def main() -> int:
        channel = agent.channel()
        await channel.ask("at_end", undo=[["touch", str(agent.place / "undone")]])
        state = await channel.ask("start", argv=FOREVER, env={})
        assert state == {"running": True, "paused": False, "incarnation": 1, "exit": None}
        children = Path(f"/proc/{agent.process.pid}/task/{agent.process.pid}/children")
        pid = int(children.read_text())
        channel.close()
        return pid

    pid = asyncio.run(main())
    assert agent.process.wait(10) == 0
    assert (agent.place / "undone").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_sigterm_reaches_the_node_though_the_agent_stays(agent: Agent) -> None:
    async def main() -> None:
        channel = agent.channel()
        await channel.ask("start", argv=FOREVER, env={})
        agent.process.terminate()
        state = await channel.ask("signal", number=15, until="gone")
        assert state == {"running": False, "paused": False, "incarnation": 1, "exit": -15}

    asyncio.run(main())


def test_signals_reach_all_processes_of_the_node(agent: Agent) -> None:
    async def main() -> None:
        channel = agent.channel()
        script = "sleep 1000 & echo $! > child; wait"
        await channel.ask("start", argv=["sh", "-c", script], env={})
        child = agent.place / "node" / "child"
        while not child.exists() or not child.read_text().strip():
            await asyncio.sleep(0.01)
        await channel.ask("signal", number=9, until="gone")
        stat = Path(f"/proc/{child.read_text().strip()}/stat")
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_files_are_put_in_the_nodes_directory_whole(agent: Agent) -> None:
    async def main() -> None:
        channel = agent.channel()
        await channel.write("data/x", b"\x00\xff" * 100_000)
        assert (agent.place / "node" / "data" / "x").read_bytes() == b"\x00\xff" * 100_000
        assert await channel.run(["cat"], text="through\n") == "through\n"

    asyncio.run(main())


def test_what_the_agent_cannot_do_is_said_with_the_nodes_name(agent: Agent) -> None:
    async def main() -> None:
        channel = agent.channel()
        with pytest.raises(AgentError, match=r"n1: start: FileNotFoundError.*no-such-program"):
            await channel.ask("start", argv=["no-such-program"], env={})
        with pytest.raises(AgentError, match="n1: sh -c exit 3: exit status 3"):
            await channel.run(["sh", "-c", "exit 3"])
        with pytest.raises(AgentError, match="not allowed"):
            await channel.run(["sh", "-c", "echo not allowed >&2; false"])

    asyncio.run(main())


def test_a_dead_agent_fails_what_is_asked_of_it_at_once(agent: Agent) -> None:
    async def main() -> None:
        channel = agent.channel()
        asking = asyncio.ensure_future(channel.ask("run", argv=["sleep", "1000"]))
        await asyncio.sleep(0)
        agent.process.kill()
        with pytest.raises(AgentError, match="its agent is gone"):
            await asking
        with pytest.raises(AgentError, match="its agent is gone"):
            await channel.ask("state")

    asyncio.run(asyncio.wait_for(main(), 10))


def test_each_line_of_the_log_is_dated_by_the_harness_s_clock(agent: Agent) -> None:
    async def main() -> tuple[str, float]:
        channel = agent.channel()
        await channel.ask("true_time", ahead_s=3600.0)
        script = "print('one'); print('two', flush=True); raise SystemExit(3)"
        await channel.ask("start", argv=[sys.executable, "-c", script], env={})
        await channel.ask("signal", number=0, until="gone")
        return str((await channel.ask("log"))["text"]), time.time()

    text, now_s = asyncio.run(main())
    dates, said = zip(*(line.split(" ", 1) for line in text.splitlines()), strict=True)
    assert said == ("one", "two")
    for date in dates:
        dated_s = datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()
        assert abs(dated_s - (now_s - 3600)) < 60


def test_a_node_on_a_machine_that_is_ahead_has_the_harness_s_time(agent: Agent) -> None:
    if not faketime_library():
        pytest.skip("libfaketime is not installed here")

    async def main() -> tuple[float, float]:
        channel = agent.channel()
        await channel.ask("true_time", ahead_s=3600.0)
        true = (await channel.ask("clock"))["offset_s"]
        await channel.ask("skew", offset_s=5.0, rate=1.0)
        return true, (await channel.ask("clock"))["offset_s"]

    true_s, skewed_s = asyncio.run(main())
    assert abs(true_s) < 0.02
    assert abs(skewed_s - 5) < 0.02
