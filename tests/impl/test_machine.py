import asyncio
import json
import math
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from impl.ids.client import DidNotHappen, IdClient
from impl.ids.server import serve
from impl.machine import DirectoryDisk, Machine, main
from tests.support.ports import free_port


def test_a_file_is_appended_to_read_cut_and_found_again(tmp_path: Path) -> None:
    async def use() -> None:
        disk = DirectoryDisk(tmp_path)
        file = disk.open("a/log")
        file.append(b"hello")
        file.append(b" world")
        await file.fsync()
        assert (file.size(), file.read(3, 5), file.read(9, 100)) == (11, b"lo wo", b"ld")
        file.truncate(5)
        file.append(b"!")
        file.close()
        await disk.fsync_directory("a")
        assert disk.read("a/log") == b"hello!"
        assert (disk.names(), disk.names("a"), disk.names("b")) == ([], ["log"], [])

    asyncio.run(use())


def test_replace_rename_and_remove(tmp_path: Path) -> None:
    async def use() -> None:
        disk = DirectoryDisk(tmp_path)
        await disk.replace("x", b"old")
        await disk.replace("x", b"new")
        disk.rename("x", "sub/y")
        assert (disk.exists("x"), disk.read("sub/y")) == (False, b"new")
        disk.remove("sub/y")
        with pytest.raises(FileNotFoundError):
            disk.read("sub/y")
        assert disk.names() == []

    asyncio.run(use())


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x"])
def test_no_path_leads_out_of_the_node_s_directory(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        DirectoryDisk(tmp_path / "node").open(path)


def test_two_machines_draw_different_numbers(tmp_path: Path) -> None:
    first, second = Machine("a", tmp_path), Machine("b", tmp_path)
    assert first.random.getrandbits(64) != second.random.getrandbits(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"kind": "x"}', "node 127.0.0.1 cannot run: 'kind' is 'x'"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "node.json"
    if content is not None:
        path.write_text(content)
    assert main(serve, [str(path)]) == 2
    assert message in capsys.readouterr().err


def test_a_real_node_serves_and_ends_in_order_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "node.json"
    path.write_text(json.dumps({"kind": "autoincrement", "offset": 1, "step": 1, "port": port}))

    def run_once() -> list[int]:
        node = subprocess.Popen([sys.executable, "-m", "impl.ids", str(path)])
        try:
            ids = asyncio.run(_next_when_up(port))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as response:
                assert json.load(response)["kind"] == "autoincrement"
            node.send_signal(signal.SIGTERM)
            assert node.wait(10) == 0
        finally:
            node.kill()
            node.wait()
        return ids

    first, second = run_once(), run_once()
    assert first == [1, 2, 3]
    assert second[0] > 3


async def _next_when_up(port: int) -> list[int]:
    client = IdClient({"a": ("127.0.0.1", port)}, cooldown_s=0)
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    return [int(one) for one in (await client.next(3)).ids]
                except DidNotHappen:
                    await asyncio.sleep(0.05)
    finally:
        await client.close()


def test_an_fsync_goes_to_a_thread_unless_the_last_one_was_quick(tmp_path: Path) -> None:
    file = DirectoryDisk(tmp_path).open("f")

    async def suspends() -> bool:
        task = asyncio.get_running_loop().create_task(file.fsync())
        await asyncio.sleep(0)
        in_place = task.done()
        await task
        return not in_place

    assert asyncio.run(suspends())
    assert file._synced_in_s < math.inf
    file._synced_in_s = 0.0
    assert not asyncio.run(suspends())
    file._synced_in_s = 0.02
    assert asyncio.run(suspends())
