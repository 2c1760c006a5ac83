"""How a request may end without a result: refused, not happened, or perhaps happened.

Exactly one of them is raised, and together with a result they are all there is: what a history needs.
"""

from __future__ import annotations

from impl.coordination.protocol.errors import Code


class ServerError(Exception):
    """The server answered ``code``; nothing was changed. ``zxid`` is what it had seen by then."""

    def __init__(self, what: str, code: Code, zxid: int) -> None:
        super().__init__(f"{what}: the server answers {code.name}")
        self.code = code
        self.zxid = zxid


class MultiFailed(ServerError):
    """The operation at ``index`` of a multi failed with ``code``, so none of them was done."""

    def __init__(self, what: str, code: Code, zxid: int, index: int) -> None:
        super().__init__(f"operation {index} of {what}", code, zxid)
        self.index = index


class DidNotHappen(Exception):
    """The request changed nothing and never will: it was not sent, or it only reads."""


class MayHaveHappened(Exception):
    """The request was sent and its outcome is unknown: it may have taken effect, or may yet."""


OUTAGES = (DidNotHappen, MayHaveHappened)
"""What a request ends with when no server answered it."""

_CODES = frozenset(Code)
_UNCERTAIN = frozenset(
    (
        Code.SYSTEM_ERROR,
        Code.RUNTIME_INCONSISTENCY,
        Code.DATA_INCONSISTENCY,
        Code.CONNECTION_LOSS,
        Code.OPERATION_TIMEOUT,
    )
)


def from_reply(what: str, error: int, zxid: int, *, changes: bool) -> Exception:
    """The exception for ``error`` in a reply; ``changes`` says whether the request was a write.

    Codes by which a server says that it broke, or that are unknown here, leave a write's outcome open.
    """
    if error in _CODES and not (changes and error in _UNCERTAIN):
        return ServerError(what, Code(error), zxid)
    reason = Code(error).name if error in _CODES else f"the unknown code {error}"
    if changes:
        return MayHaveHappened(f"{what}: the server answers {reason}")
    return DidNotHappen(f"{what}: the server answers {reason}")
