"""Why a node hands out no ID: one exception, with a code for programs and a sentence for people."""

from __future__ import annotations


class Refused(Exception):
    """No ID was handed out.

    ``code`` is stable and meant for programs, ``str()`` is one sentence; ``status`` is the HTTP
    status: 4xx when the request is at fault, 503 when the node is and another node may do it.
    ``retry_after_ms`` is how long the node will go on refusing, 0 when it cannot tell.
    """

    def __init__(self, code: str, message: str, *, status: int = 503, retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after_ms = retry_after_ms


class ConfigError(ValueError):
    """The configuration of a node is wrong; the message says where and what is wanted."""
