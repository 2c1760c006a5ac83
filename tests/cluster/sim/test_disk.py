"""What a simulated disk keeps over SIGKILL and over a power cut."""

from __future__ import annotations

import asyncio
import errno

import pytest

from tests.support.simnodes import run_nodes

NODES = ("n1",)


def surviving(write, *, seed, power=True):
    """Let n1 ``write`` to its disk, end it, and return what a fresh incarnation finds."""
    found = {}

    async def program(host, config):
        if found.setdefault("starts", 0) == 0:
            found["starts"] = 1
            await write(host.disk)
            await asyncio.Event().wait()
        found["files"] = {name: host.disk.read(name) for name in host.disk.names()}
        await asyncio.Event().wait()

    async def scenario(cluster):
        await asyncio.sleep(1)
        await (cluster.power_off("n1") if power else cluster.kill("n1"))
        await cluster.restart("n1")
        await asyncio.sleep(1)

    run_nodes(scenario, program, nodes=NODES, seed=seed, wait=False)
    return found["files"]


async def synced_then_not(disk):
    file = disk.open("log")
    file.append(b"s" * 100)
    await file.fsync()
    file.append(b"u" * 100)


async def synced_at_once(disk):
    """Three fsyncs under way at the same time, as after a cancelled one."""
    file = disk.open("log")
    syncs = []
    for byte in (b"a", b"b", b"c"):
        file.append(byte * 100)
        syncs.append(asyncio.ensure_future(file.fsync()))
        await asyncio.sleep(0.0003)
    await asyncio.gather(*syncs)


def test_fsyncs_that_overlap_lose_nothing_and_leave_no_hole():
    for seed in range(20):
        found = surviving(synced_at_once, seed=seed)
        assert found == {"log": b"a" * 100 + b"b" * 100 + b"c" * 100}


def test_a_kill_keeps_the_page_cache():
    assert surviving(synced_then_not, seed=1, power=False) == {"log": b"s" * 100 + b"u" * 100}


def test_a_power_cut_keeps_what_was_fsynced_and_a_prefix_of_the_rest():
    tails = [surviving(synced_then_not, seed=seed)["log"][100:] for seed in range(40)]
    assert all(surviving(synced_then_not, seed=seed)["log"][:100] == b"s" * 100 for seed in (0, 1))
    assert {len(tail) for tail in tails} & set(range(1, 100)), "some tails are torn"
    assert any(tail.rstrip(b"\0") != tail for tail in tails), "some tails end in zeros"
    assert all(set(tail.rstrip(b"\0")) <= {ord("u")} for tail in tails)


def test_what_was_appended_while_fsync_ran_is_not_promised():
    async def write(disk):
        file = disk.open("log")
        file.append(b"a")
        syncing = asyncio.create_task(file.fsync())
        await asyncio.sleep(0)
        file.append(b"b" * 50)
        await syncing

    contents = {surviving(write, seed=seed)["log"] for seed in range(20)}
    assert all(content.startswith(b"a") for content in contents)
    assert len(contents) > 1


def test_a_new_file_without_any_fsync_may_be_gone():
    async def write(disk):
        disk.open("log").append(b"x")

    assert {"log" in surviving(write, seed=seed) for seed in range(20)} == {True, False}


def test_a_rename_is_durable_only_after_the_directory_is_synced():
    async def renamed(disk):
        file = disk.open("new")
        file.append(b"x")
        await file.fsync()
        disk.rename("new", "final")

    async def and_synced(disk):
        await renamed(disk)
        await disk.fsync_directory()

    assert {"final" in surviving(renamed, seed=seed) for seed in range(20)} == {True, False}
    assert all(surviving(and_synced, seed=seed) == {"final": b"x"} for seed in range(20))


def test_replace_leaves_the_old_or_the_new_content_and_after_it_returned_the_new():
    async def returned(disk):
        await disk.replace("state", b"old")
        await disk.replace("state", b"new")

    async def interrupted(disk):
        await disk.replace("state", b"old")
        await asyncio.sleep(0.9965)  # the power goes after one second, in the middle of this one
        await disk.replace("state", b"new")

    assert all(surviving(returned, seed=seed)["state"] == b"new" for seed in range(10))
    outcomes = {surviving(interrupted, seed=seed)["state"] for seed in range(60)}
    assert outcomes == {b"old", b"new"}


def test_an_unsynced_truncation_may_be_undone():
    async def write(disk):
        file = disk.open("log")
        file.append(b"s" * 10)
        await file.fsync()
        file.truncate(3)
        file.append(b"u" * 3)

    contents = {surviving(write, seed=seed)["log"] for seed in range(40)}
    assert b"s" * 10 in contents
    assert all(content == b"s" * 10 or content[:3] == b"sss" for content in contents)
    assert len(contents) > 2


def test_a_full_disk_says_so_and_writes_nothing():
    async def scenario(cluster):
        machine = cluster.machine("n1")
        machine.disk.capacity_bytes = 10
        view = machine.disk.view(machine.loop)
        file = view.open("log")
        file.append(b"x" * 10)
        with pytest.raises(OSError, match="space") as caught:
            file.append(b"y")
        assert caught.value.errno == errno.ENOSPC
        assert view.read("log") == b"x" * 10

    run_nodes(scenario, nodes=NODES)


def test_missing_files_are_not_found():
    async def scenario(cluster):
        view = cluster.machine("n1").disk.view(cluster.machine("n1").loop)
        for action in (view.read, view.remove, lambda path: view.rename(path, "b")):
            with pytest.raises(FileNotFoundError):
                action("a")
        view.open("dir/a")
        assert view.names("dir") == ["a"]
        assert view.names() == []

    run_nodes(scenario, nodes=NODES)
