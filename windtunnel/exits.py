"""Exit codes, as Jepsen has them, and the one exception that ends a command with one."""

from __future__ import annotations

from typing import Final

from checkers.verdict import Validity

VALID: Final = 0
INVALID: Final = 1
UNKNOWN: Final = 2
INTERRUPTED: Final = 130
BAD_INPUT: Final = 254
CRASH: Final = 255


class Finished(Exception):
    """A command is done; ``code`` is what the process exits with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def of(valid: Validity) -> int:
    """The exit code of a verdict."""
    if valid == "unknown":
        return UNKNOWN
    return VALID if valid else INVALID
