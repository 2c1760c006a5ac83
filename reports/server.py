"""A store over HTTP, for one's own browser: the index, the pages of the runs, and their files."""

from __future__ import annotations

import mimetypes
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from history.errors import StoreError
from reports import index, page
from reports.material import read
from reports.view import view

LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
_TEXT = frozenset({".log", ".jsonl", ".json", ".xml"})


def server(store: Path, *, host: str = "127.0.0.1", port: int = 8000) -> ThreadingHTTPServer:
    """A server of ``store``, ready for ``serve_forever``; port 0 takes any that is free.

    Raises StoreError if the store is no directory or the address cannot be had.
    """
    if not store.is_dir():
        raise StoreError(f"{store} is no store: there is no such directory")
    try:
        return ThreadingHTTPServer((host, port), partial(_Handler, store.resolve()))
    except OSError as error:
        raise StoreError(
            f"{host}:{port} cannot be served ({error.strerror}): give another port"
        ) from None


def inside(store: Path, path: str) -> Path | None:
    """The file that ``path``, the one of a URL, names in ``store``; None if it is outside or hidden.

    Links are followed first: what leads out of the store is outside.
    """
    parts = [part for part in unquote(path).split("/") if part]
    if any(part.startswith(".") or "\\" in part or "\x00" in part for part in parts):
        return None
    found = store.joinpath(*parts).resolve()
    return found if found.is_relative_to(store) else None


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, about files of one store."""

    server_version = "windtunnel"
    sys_version = ""

    def __init__(self, store: Path, request: Any, client: Any, server: ThreadingHTTPServer) -> None:
        self._store = store
        self._host = server.server_name if server.server_name in LOCAL else str(server.server_address[0])
        super().__init__(request, client, server)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to whoever started the server."""

    def _answer(self) -> None:
        if not self._meant_for_us():
            return self._send(HTTPStatus.FORBIDDEN, b"this server answers to its own address only\n")
        path = urlsplit(self.path).path
        if path in ("/", f"/{index.INDEX}"):
            text = index.html(index.index(self._store, every_page=True))
            return self._send(HTTPStatus.OK, text.encode(), "text/html; charset=utf-8")
        found = inside(self._store, path)
        if found is None:
            return self._send(HTTPStatus.FORBIDDEN, b"outside the store\n")
        return self._file(found)

    def _meant_for_us(self) -> bool:
        """A page of somebody else may point a name of its own at this address: refuse such names."""
        if self._host not in LOCAL:
            return True
        host = self.headers.get("Host", "")
        return host.rsplit(":", 1)[0] in LOCAL

    def _file(self, path: Path) -> None:
        if path.name == index.PAGE and not path.exists():
            return self._page(path)
        try:
            data = path.read_bytes()
        except OSError:
            return self._send(HTTPStatus.NOT_FOUND, b"there is no such file in the store\n")
        return self._send(HTTPStatus.OK, data, _type(path))

    def _page(self, path: Path) -> None:
        try:
            text = page.html(view(read(path.parent)))
        except StoreError:
            return self._send(HTTPStatus.NOT_FOUND, b"there is no such run in the store\n")
        return self._send(HTTPStatus.OK, text.encode(), "text/html; charset=utf-8")

    def _send(self, status: HTTPStatus, data: bytes, type_: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _type(path: Path) -> str:
    """Only our own pages are HTML; what a run left behind is text or a download."""
    if path.name in (index.PAGE, index.INDEX):
        return "text/html; charset=utf-8"
    if path.suffix in _TEXT:
        return "text/plain; charset=utf-8"
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return "application/octet-stream" if "html" in guessed or "svg" in guessed else guessed
