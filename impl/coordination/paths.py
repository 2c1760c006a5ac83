"""Which paths a znode may have: the rules of ZooKeeper's ``PathUtils``."""

from __future__ import annotations

from impl.coordination.protocol.errors import ApiError, Code


def check(path: str) -> None:
    """Raise ApiError BAD_ARGUMENTS unless ``path`` is the path of a znode."""
    if path == "/":
        return
    if not path.startswith("/") or path.endswith("/"):
        raise ApiError(Code.BAD_ARGUMENTS)
    names = path[1:].split("/")
    if "" in names or "." in names or ".." in names or not (path.isascii() and path.isprintable()):
        _check_slowly(path, names)


def _check_slowly(path: str, names: list[str]) -> None:
    if any(name in ("", ".", "..") for name in names) or any(map(_forbidden, path)):
        raise ApiError(Code.BAD_ARGUMENTS)


def _forbidden(character: str) -> bool:
    code = ord(character)
    return code <= 0x1F or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xF8FF or 0xFFF0 <= code <= 0xFFFF
