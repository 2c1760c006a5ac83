"""Paths as the client sees them, below its root, and as the server does."""

from __future__ import annotations


class Chroot:
    """Everything happens below ``prefix``: ``""`` for the whole tree, else a path like ``/app``."""

    __slots__ = ("_prefix",)

    def __init__(self, prefix: str) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"chroot {prefix!r} must begin with '/' and not end with it, or be empty")
        self._prefix = prefix

    def full(self, path: str) -> str:
        """The server's name for ``path``. Raises ValueError unless it begins with ``/``."""
        if not path.startswith("/"):
            raise ValueError(f"path {path!r} must begin with '/'")
        if not self._prefix:
            return path
        return self._prefix if path == "/" else self._prefix + path

    def local(self, path: str) -> str:
        """The client's name for the server's ``path``; one above the root keeps its own."""
        prefix = self._prefix
        if path == prefix:
            return "/"
        return path[len(prefix) :] if path.startswith(prefix + "/") else path
