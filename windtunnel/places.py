"""Where in the implementation a node broke, so that failures of one cause are told from others."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_FOREIGN = ("/lib/python", "/cluster/", "/windtunnel/", "/site-packages/", "<frozen")


def broken_at(logs: Mapping[str, str]) -> str:
    """``path:line in function`` of the innermost frame, not a library's, of the last traceback.

    Of several nodes' the first in order of their names that has one; empty if nothing broke.
    """
    for node in sorted(logs):
        if place := _last_frame(logs[node]):
            return place
    return ""


def _last_frame(log: str) -> str:
    at = log.rfind("Traceback (most recent call last)")
    if at < 0:
        return ""
    frames = [found for line in log[at:].splitlines() if (found := _FRAME.match(line))]
    own = [frame for frame in frames if not any(part in frame["path"] for part in _FOREIGN)]
    return f"{_short(own[-1]['path'])}:{own[-1]['line']} in {own[-1]['function']}" if own else ""


def _short(path: str) -> str:
    """From ``impl/`` on, else the last three parts: where a checkout lies says nothing."""
    _, marker, rest = path.rpartition("/impl/")
    return f"impl/{rest}" if marker else "/".join(path.split("/")[-3:])
