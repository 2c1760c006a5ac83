"""Errors: Kafka's codes as an exception, and frames that are no request."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

Code = ErrorCode
"""Kafka's error codes."""


class ApiError(Exception):
    """The request, or the part of it that is in hand, is refused with ``code``."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


class Malformed(Exception):
    """What came is no request that can be answered; Kafka closes the connection."""
