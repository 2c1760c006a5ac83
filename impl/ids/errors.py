"""Why a node hands out no ID: one exception, with a code for programs and a sentence for people."""

from __future__ import annotations


class Refused(Exception):
    """No ID was handed out.

    ``code`` is stable and meant for programs, ``str()`` is one sentence; ``status`` is the HTTP
    status: 4xx when the request is at fault, 503 when the node is and another node may do it.
    """

    def __init__(self, code: str, message: str, *, status: int = 503) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class ConfigError(ValueError):
    """The configuration of a node is wrong; the message says where and what is wanted."""
