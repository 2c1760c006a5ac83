"""Several services on one machine."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from impl import node
from impl.host import Host
from impl.machine import Machine


async def writes(host: Host, config: dict, *, ends: list[str]) -> None:
    try:
        await host.disk.replace("a/mine", config["text"].encode())
        await asyncio.Event().wait()
    finally:
        ends.append(config["text"])


async def fails(host: Host, config: dict) -> None:
    raise OSError("no port")


def start(tmp_path: Path, services: dict, wanted: tuple[str, ...]) -> asyncio.Task[None]:
    config = {"services": {name: {"text": name} for name in wanted}}
    program = node.serve(Machine("n1", tmp_path), config, services=services)
    return asyncio.ensure_future(program)


def test_each_service_has_its_own_directory_and_the_last_is_stopped_first(tmp_path: Path) -> None:
    async def run() -> list[str]:
        ends: list[str] = []
        program = partial(writes, ends=ends)
        task = start(tmp_path, {"x": program, "y": program}, ("x", "y"))
        while not all((tmp_path / name / "a/mine").exists() for name in ("x", "y")):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return ends

    assert asyncio.run(asyncio.wait_for(run(), 20)) == ["y", "x"]
    assert (tmp_path / "x/a/mine").read_text() == "x"


def test_when_one_service_fails_all_end_with_its_error(tmp_path: Path) -> None:
    async def run() -> list[str]:
        ends: list[str] = []
        services = {"x": partial(writes, ends=ends), "bad": fails}
        with pytest.raises(OSError, match="no port"):
            await start(tmp_path, services, ("x", "bad"))
        return ends

    assert asyncio.run(asyncio.wait_for(run(), 20)) == ["x"]


def test_a_service_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="no service 'database'; there are coordination, queue, ids"):
        asyncio.run(node.serve(Machine("n1", Path()), {"services": {"database": {}}}))


def test_folders_keep_to_their_part_of_the_disk(tmp_path: Path) -> None:
    folder = node.Lodger(Machine("n1", tmp_path), "queue").disk
    folder.open("t-0/1.log").append(b"x")
    folder.rename("t-0/1.log", "t-0/2.log")
    assert folder.names("t-0") == ["2.log"]
    assert folder.names() == []
    assert folder.exists("t-0/2.log")
    folder.remove("t-0/2.log")
    assert (tmp_path / "queue/t-0").is_dir()
