"""What an event may carry: JSON data, made so that memory and file hold the same.

Text, booleans, None, finite floats, integers of 64 bits (from -2**63 to 2**64 - 1), lists of such
and maps from text to such. A tuple becomes a list, a member of an enumeration of text or integers
its value. Everything else is refused: sets have no order, bytes no encoding, and what has no place
in JSON would come back as something else. Larger integers go as text, UUIDs for one.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from history.errors import HistoryError

_LEAST, _GREATEST = -(2**63), 2**64 - 1
_WAYS_OUT: dict[type, str] = {
    set: "give a sorted list",
    frozenset: "give a sorted list",
    bytes: "give text, in hex or base64",
    bytearray: "give text, in hex or base64",
}


def plain(value: Any) -> Any:
    """A copy of ``value`` that equals what is read back from a file; HistoryError if there is none."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(int(value))
    if kind is float:
        return _number(value)
    if kind is list or kind is tuple:
        return [plain(one) for one in value]
    if kind is dict:
        return {_key(key): plain(one) for key, one in value.items()}
    way_out = _WAYS_OUT.get(kind, "give text, a number, a list or a map")
    raise HistoryError(f"a history cannot hold {kind.__name__}: {way_out}")


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise HistoryError(
                f"a history cannot hold text with half a surrogate pair: {error}"
            ) from None
    return value if type(value) is str else str.__str__(value)


def _integer(value: int) -> int:
    if not _LEAST <= value <= _GREATEST:
        raise HistoryError(f"a history cannot hold {value}, it needs more than 64 bits: give it as text")
    return value


def _number(value: float) -> float:
    if not isfinite(value):
        raise HistoryError(f"a history cannot hold {value}, JSON has no such number: give it as text")
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise HistoryError(f"a history cannot hold a map with the key {key!r}: give its keys as text")
    return _text(key)
