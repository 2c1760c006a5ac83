"""Frames to requests and answers to frames.

A frame is a length and a message; a message is a header and a body whose layout depends on the API's
version (KIP-482). Bodies are kio's entities; what they carry as records stays opaque bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError

from impl.queue.protocol.build import Builder
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.keys import SERVED, ApiKey

_HEAD = struct.Struct(">hhi")
_INT = struct.Struct(">i")
_LENGTH_AND_ID = struct.Struct(">ii")
BODY_ERRORS = (SerialError, ValueError, OverflowError, TypeError, UnicodeError, MemoryError)


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its API, version, correlation id, who sent it (a name of its own), and the body.

    ``supported`` is false for an ApiVersions request of a version that is not known; it has no body.
    """

    key: int
    version: int
    correlation_id: int
    client_id: str
    body: Any
    supported: bool = True


class Codec:
    """Reads requests and writes responses, and the other way round for a client's side."""

    def __init__(self) -> None:
        self._builder = Builder()
        self._readers: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._writers: dict[tuple[int, int], tuple[type, Any, bytes]] = {}

    def request(self, frame: bytes) -> Request:
        """The request in ``frame``. Raises Malformed if it is none that is served."""
        if len(frame) < _HEAD.size:
            raise Malformed(f"a request of {len(frame)} bytes has no header")
        key, version, correlation_id = _HEAD.unpack_from(frame)
        low, high = SERVED.get(key, (0, -1))
        if not low <= version <= high:
            if key == ApiKey.API_VERSIONS:
                return Request(key, version, correlation_id, "", None, supported=False)
            raise Malformed(f"API {key} in version {version} is not served")
        read_header, read_body = self._reader(key, version)
        try:
            header, size = read_header(frame, 0)
            body, _ = read_body(frame, size)
        except BODY_ERRORS as error:
            raise Malformed(f"API {key} in version {version}: {error}") from error
        return Request(key, version, correlation_id, header.client_id or "", body)

    def response(self, request: Request, values: Mapping[str, Any]) -> bytes:
        """The frame that answers ``request`` with ``values``."""
        version = request.version if request.supported else 0
        entity, write, tail = self._writer(request.key, version)
        out = BytesIO()
        out.write(bytes(8))
        out.write(tail)
        write(out, self._builder.build(entity, values))
        frame = out.getbuffer()
        _LENGTH_AND_ID.pack_into(frame, 0, len(frame) - 4, request.correlation_id)
        return bytes(frame)

    def _reader(self, key: int, version: int) -> tuple[Any, Any]:
        found = self._readers.get((key, version))
        if found is None:
            entity = load_request_schema(key, version)
            found = entity_reader(entity.__header_schema__), entity_reader(entity)
            self._readers[key, version] = found
        return found

    def _writer(self, key: int, version: int) -> tuple[type, Any, bytes]:
        found = self._writers.get((key, version))
        if found is None:
            entity = load_response_schema(key, version)
            tail = b"\0" if entity.__header_schema__.__version__ else b""
            found = self._writers[key, version] = entity, entity_writer(entity), tail
        return found
