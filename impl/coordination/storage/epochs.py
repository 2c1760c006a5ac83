"""The two epochs a server must not forget: the one it promised, and the one whose history it has."""

from __future__ import annotations

from zlib import crc32

from impl.coordination.storage.errors import Damaged
from impl.host import Disk

ACCEPTED, CURRENT = "acceptedEpoch", "currentEpoch"


class Epochs:
    """``accepted``: no leader of an older epoch is followed. ``current``: whose NEWLEADER was taken.

    Zab (Junqueira et al., DSN 2011) calls them e.p and e.a; both are on disk before they are answered.
    """

    def __init__(self, disk: Disk, *, accepted: int = 0, current: int = 0) -> None:
        self._disk = disk
        self.accepted = accepted
        self.current = current

    @classmethod
    def load(cls, disk: Disk) -> Epochs:
        """The epochs on disk, 0 if there are none. Raises Damaged."""
        return cls(disk, accepted=_read(disk, ACCEPTED), current=_read(disk, CURRENT))

    async def accept(self, epoch: int) -> None:
        """Promise to follow no leader of an epoch before ``epoch``; durable on return."""
        await self._disk.replace(ACCEPTED, _text(epoch))
        self.accepted = epoch

    async def enter(self, epoch: int) -> None:
        """The history is that of the leader of ``epoch``; durable on return."""
        await self._disk.replace(CURRENT, _text(epoch))
        self.current = epoch


def _text(epoch: int) -> bytes:
    return b"%d %08x\n" % (epoch, crc32(b"%d" % epoch))


def _read(disk: Disk, name: str) -> int:
    if not disk.exists(name):
        return 0
    content = disk.read(name)
    number = content.split(b" ", 1)[0]
    if not number.isdigit() or content != _text(int(number)):
        raise Damaged(f"{name} holds {content[:40]!r}, which does not match its checksum")
    return int(number)
