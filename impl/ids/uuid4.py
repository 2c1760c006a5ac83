"""UUID version 4 (RFC 9562 section 5.4): 122 random bits."""

from __future__ import annotations

import random

from impl.host import Host
from impl.ids.config import Config

_VERSION_4 = 4 << 76
_VARIANT = 2 << 62
_FREE_BITS = ~(0xF << 76 | 3 << 62)


def uuid4(source: random.Random) -> str:
    """One UUID from ``source``, in lower-case text form."""
    return text(source.getrandbits(128) & _FREE_BITS | _VERSION_4 | _VARIANT)


def text(number: int) -> str:
    """The 36 characters of a 128-bit number, as RFC 9562 section 4 writes them."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Uuid4:
    """A node's generator of version 4: it needs no state at all."""

    __slots__ = ("_random",)

    def __init__(self, source: random.Random) -> None:
        self._random = source

    async def take(self, count: int) -> list[str]:
        """``count`` new UUIDs."""
        return [uuid4(self._random) for _ in range(count)]


async def open_uuid4(host: Host, config: Config) -> Uuid4:
    """The generator of a node of kind ``uuid4``."""
    return Uuid4(host.random)
