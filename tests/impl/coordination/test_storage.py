"""The disk after a crash, and after damage: what may be cut, and what must not."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination import txns
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import OPEN_ACL
from impl.coordination.storage import snapshot, store
from impl.coordination.storage.epochs import Epochs
from impl.coordination.storage.errors import Damaged
from impl.coordination.storage.records import MAGIC, frame, scan
from impl.coordination.tree import Tree
from impl.coordination.txns import Header, Txn, zxid_of
from impl.machine import DirectoryDisk

COUNT = 6


def creation(counter: int, epoch: int = 1) -> bytes:
    zxid = zxid_of(epoch, counter)
    create = txns.Create(f"/n{epoch}-{counter}", b"\0" * (counter % 3), OPEN_ACL, 0, counter)
    return txns.encode(Txn(Header(7, counter, zxid, 0, Op.CREATE), create))


CONTENT = MAGIC + b"".join(frame(creation(counter)) for counter in range(1, COUNT + 1))
ENDS = [record.end for record in scan(CONTENT).records]


def disk(tmp_path: Path, content: bytes, marker: int = 0) -> DirectoryDisk:
    made = DirectoryDisk(tmp_path / str(random.getrandbits(60)))
    made.open(f"log.{zxid_of(1, 1):x}").append(content)
    if marker:
        asyncio.run(store.Marker(made).set(marker))
    return made


def last(made: DirectoryDisk) -> int:
    return asyncio.run(store.recover(made)).log.last


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("logs")


def test_a_log_cut_at_any_byte_keeps_its_whole_records(folder: Path) -> None:
    for size in range(len(CONTENT)):
        whole = sum(1 for end in ENDS if end <= size)
        assert last(disk(folder, CONTENT[:size])) == (zxid_of(1, whole) if whole else 0)


def test_a_log_whose_tail_is_zeros_keeps_its_whole_records(folder: Path) -> None:
    for start in range(len(MAGIC), len(CONTENT), 7):
        torn = CONTENT[:start] + bytes(len(CONTENT) - start)
        whole = sum(1 for end in ENDS if end <= start)
        assert last(disk(folder, torn)) == (zxid_of(1, whole) if whole else 0)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.integers(0, len(CONTENT) * 8 - 1))
def test_a_flipped_bit_is_never_cut_away_in_silence(bit: int) -> None:
    content = bytearray(CONTENT)
    content[bit // 8] ^= 1 << bit % 8
    found = scan(bytes(content))
    assert found.fault
    assert not found.torn


def test_a_server_with_a_damaged_log_refuses_and_says_where(folder: Path) -> None:
    content = bytearray(CONTENT)
    content[ENDS[2] + 20] ^= 1
    with pytest.raises(Damaged, match=rf"log\.100000001, byte {ENDS[2]}: .*checksum.* will not vote"):
        last(disk(folder, bytes(content)))


def test_a_log_that_lost_what_was_marked_as_durable_is_refused(folder: Path) -> None:
    with pytest.raises(Damaged, match="ends at 0x100000004, and 0x100000005 was acknowledged"):
        last(disk(folder, CONTENT[: ENDS[3]], marker=zxid_of(1, 5)))
    assert last(disk(folder, CONTENT[: ENDS[4]], marker=zxid_of(1, 5))) == zxid_of(1, 5)


def test_a_log_with_a_gap_is_refused(folder: Path) -> None:
    with pytest.raises(Damaged, match="a part is missing"):
        last(disk(folder, CONTENT[: ENDS[1]] + CONTENT[ENDS[2] :]))


def test_a_torn_file_that_is_not_the_last_is_refused(folder: Path) -> None:
    made = disk(folder, CONTENT[: ENDS[1] + 5])
    made.open(f"log.{zxid_of(2, 1):x}").append(MAGIC + frame(creation(1, epoch=2)))
    with pytest.raises(Damaged, match="no crash leaves"):
        last(made)


def test_a_torn_log_can_be_appended_to_and_read_again(folder: Path) -> None:
    made = disk(folder, CONTENT[: ENDS[3] + 9])

    async def go() -> list[int]:
        opened = await store.recover(made)
        opened.log.append(zxid_of(1, 5), creation(5))
        opened.log.append(zxid_of(2, 1), creation(1, epoch=2))
        await opened.log.sync()
        return [each.zxid for each in (await store.recover(made)).log.after(zxid_of(1, 3))]

    assert asyncio.run(go()) == [zxid_of(1, 4), zxid_of(1, 5), zxid_of(2, 1)]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_after_a_truncation_only_what_was_before_it_is_there(written: int, kept: int) -> None:
    async def go(folder: Path) -> None:
        opened = await store.recover(disk(folder, CONTENT))
        log = opened.log
        for counter in range(1, written + 1):
            log.append(zxid_of(2, counter), creation(counter, epoch=2))
        await log.sync()
        await log.truncate(zxid_of(1, kept) if kept else 0)
        assert log.ends == ([zxid_of(1, kept)] if kept else [])
        log.append(zxid_of(3, 1), creation(1, epoch=3))
        await log.sync()
        again = (await store.recover(opened._disk)).log
        expected = [zxid_of(1, counter) for counter in range(1, kept + 1)] + [zxid_of(3, 1)]
        assert [each.zxid for each in again.after(0)] == expected

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(go(Path(name)))


def test_a_truncation_keeps_what_was_not_written_yet(folder: Path) -> None:
    made = disk(folder, CONTENT)

    async def go() -> list[int]:
        log = (await store.recover(made)).log
        for counter in (1, 2, 3):
            log.append(zxid_of(2, counter), creation(counter, epoch=2))
        await log.truncate(zxid_of(2, 2))
        return [each.zxid for each in (await store.recover(made)).log.after(zxid_of(1, COUNT))]

    assert asyncio.run(go()) == [zxid_of(2, 1), zxid_of(2, 2)]


def grown(count: int) -> Tree:
    tree = Tree()
    for counter in range(1, count + 1):
        tree.apply(txns.decode(creation(counter)))
    return tree


def test_a_snapshot_is_of_its_moment_whatever_is_applied_while_it_is_written(folder: Path) -> None:
    made = disk(folder, CONTENT)

    async def go() -> None:
        tree = grown(3)
        digest = tree.digest()
        frozen = tree.freeze()
        writing = asyncio.create_task(snapshot.write(made, frozen))
        await asyncio.sleep(0)
        tree.apply(txns.decode(creation(4)))
        await writing
        assert Tree.thaw(snapshot.read(made, zxid_of(1, 3))).digest() == digest

    asyncio.run(go())


def test_a_damaged_snapshot_is_passed_over_for_the_one_before(folder: Path, caplog) -> None:
    made = disk(folder, CONTENT)
    for count in (2, 4):
        asyncio.run(snapshot.write(made, grown(count).freeze()))
    path = next(made._root.glob(f"snapshot.{zxid_of(1, 4):x}"))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(damaged)
    opened = asyncio.run(store.recover(made))
    assert opened.tree().zxid == zxid_of(1, 2)
    assert "checksum is" in caplog.text


def test_a_damaged_snapshot_that_the_log_does_not_replace_is_refused(folder: Path) -> None:
    made = disk(folder, CONTENT[: ENDS[1]])
    asyncio.run(snapshot.write(made, grown(4).freeze()))
    path = next(made._root.glob("snapshot.*"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Damaged, match=r"snapshot\.100000004 is damaged"):
        last(made)


def test_old_snapshots_and_the_logs_before_them_are_removed(folder: Path) -> None:
    made = DirectoryDisk(folder / "purge")

    async def go() -> store.Store:
        opened = await store.recover(made, retain=3)
        tree = Tree()
        for counter in range(1, 41):
            data = creation(counter)
            opened.log.append(zxid_of(1, counter), data)
            tree.apply(txns.decode(data))
            await opened.log.sync()
            if counter % 5 == 0:
                await opened.save(tree.freeze())
        return opened

    opened = asyncio.run(go())
    assert snapshot.zxids(made) == [zxid_of(1, 30), zxid_of(1, 35), zxid_of(1, 40)]
    assert opened.log.base == zxid_of(1, 30)
    assert last(made) == zxid_of(1, 40)


def test_a_damaged_epoch_is_refused(folder: Path) -> None:
    made = DirectoryDisk(folder / "epochs")

    async def go() -> None:
        epochs = Epochs.load(made)
        await epochs.accept(4)
        await epochs.enter(3)

    asyncio.run(go())
    assert (Epochs.load(made).accepted, Epochs.load(made).current) == (4, 3)
    path = made._root / "acceptedEpoch"
    path.write_bytes(path.read_bytes().replace(b"4", b"6", 1))
    with pytest.raises(Damaged, match="acceptedEpoch"):
        Epochs.load(made)
