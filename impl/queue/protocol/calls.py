"""The asking side of the protocol: requests to frames, and frames to what was answered."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from impl.queue.protocol.build import Builder
from impl.queue.protocol.codec import BODY_ERRORS
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.fetches import parts
from impl.queue.protocol.keys import ApiKey

_HEAD = struct.Struct(">ihhih")
_LENGTH = struct.Struct(">i")
_FLEXIBLE = 2


class Calls:
    """Writes requests and reads responses; remembers how, by API and version."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id.encode()
        self._builder = Builder()
        self._readers: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._writers: dict[tuple[int, int], tuple[type, Any]] = {}

    def head(self, key: int, version: int, correlation_id: int, size: int) -> bytes:
        """What goes before a body of ``size`` bytes: the frame's length and the request's header."""
        flexible = self._writer(key, version)[0].__header_schema__.__version__ >= _FLEXIBLE  # type: ignore[attr-defined]
        name = self._client_id
        length = _HEAD.size - _LENGTH.size + len(name) + flexible + size
        head = _HEAD.pack(length, key, version, correlation_id, len(name))
        return head + name + (b"\0" if flexible else b"")

    def body(self, key: int, version: int, values: Mapping[str, Any]) -> bytes:
        """The body of a request. Raises KeyError for a field that is missing."""
        entity, write = self._writer(key, version)
        out = BytesIO()
        write(out, self._builder.build(entity, values))
        return out.getvalue()

    def response(self, key: int, version: int, data: bytes, at: int, end: int) -> Any:
        """The body of the answer that is ``data[at:end]``, of Fetch its parts. Raises Malformed."""
        if key == ApiKey.FETCH:
            return parts(version, data, at + _LENGTH.size, end)
        frame = data[at:end]
        read_header, read_body = self._reader(key, version)
        try:
            _, at = read_header(frame, 0)
            return read_body(frame, at)[0]
        except BODY_ERRORS as error:
            raise Malformed(f"the answer to API {key} in version {version}: {error}") from error

    def _reader(self, key: int, version: int) -> tuple[Any, Any]:
        found = self._readers.get((key, version))
        if found is None:
            entity = load_response_schema(key, version)
            found = entity_reader(entity.__header_schema__), entity_reader(entity)
            self._readers[key, version] = found
        return found

    def _writer(self, key: int, version: int) -> tuple[type, Any]:
        found = self._writers.get((key, version))
        if found is None:
            entity = load_request_schema(key, version)
            found = self._writers[key, version] = entity, entity_writer(entity)
        return found
