"""What stands around an offset, for a witness: the messages before and after it, and who read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from checkers.queue.messages import Messages
from checkers.queue.versions import Versions

NEIGHBOURS = 5
MOST = 24


def around(
    messages: Messages, versions: Versions, marked: Mapping[int, str], *, each_side: int = NEIGHBOURS
) -> list[list[Any]]:
    """``[offset, state, value]`` of the ranks in ``marked`` and their neighbours, in order.

    The state is what ``marked`` says, else ``read`` or ``unread``; where several messages are said to
    stand at one offset, the value names them all. Ranks of -1, of unknown places, have none.
    """
    shown: set[int] = set()
    for rank in marked:
        if rank >= 0:
            shown |= _neighbours(versions, rank, each_side)
    return [_cell(messages, versions, rank, marked) for rank in sorted(shown)[:MOST]]


def _neighbours(versions: Versions, rank: int, each_side: int) -> set[int]:
    """Ranks of the same partition."""
    low, high = np.searchsorted(versions.key, [versions.key[rank], versions.key[rank] + 1]).tolist()
    return set(range(max(low, rank - each_side), min(high, rank + each_side + 1)))


def _cell(messages: Messages, versions: Versions, rank: int, marked: Mapping[int, str]) -> list[Any]:
    low, high = np.searchsorted(versions.entry_rank, [rank, rank + 1]).tolist()
    here = versions.entry_message[low:high].tolist()
    state = marked.get(rank) or ("read" if all(versions.read[here]) else "unread")
    values = [messages.values[message] for message in here]
    plain = [int(value) if isinstance(value, np.integer) else value for value in values]
    return [int(versions.offset[rank]), state, plain[0] if len(plain) == 1 else plain]
