"""The event loop of a server on a real machine where a request passes many: uvloop's, if it is there.

A write of the coordination service goes from server to server five times; what the loop itself needs
for each hop is then a good part of what a client waits for. Programs see no difference but the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

try:
    import uvloop
except ImportError:
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:

    class _QuickLoop(uvloop.Loop):
        """uvloop's own ``time`` stands still within a step, so a server that was paused amid one would
        take what it hears for as old as its last step: sessions and leases would end too early."""

        def time(self) -> float:
            return time.monotonic()

    new_loop = _QuickLoop
