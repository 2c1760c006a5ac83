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

import orjson
from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError

from impl.queue.protocol.build import Builder
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.keys import SERVED, ApiKey, OwnKey

_HEAD = struct.Struct(">hhi")
_OWN_HEAD = struct.Struct(">ihhih")
_OWN = frozenset(OwnKey)
_INT = struct.Struct(">i")
_LENGTH_AND_ID = struct.Struct(">ii")
_FLEXIBLE_HEADER = 2
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
        if key in _OWN and version == 0:
            return Request(key, version, correlation_id, "", _json(frame[_HEAD.size + 2 :]))
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

    def addressed(self, frame: bytes, correlation_id: int) -> bytes:
        """A frame made for one request, as the answer to another one of the same version."""
        return frame[:4] + _INT.pack(correlation_id) + frame[8:]

    def own_response(self, request: Request, values: Mapping[str, Any]) -> bytes:
        """The frame that answers one of our own requests."""
        body = orjson.dumps(values)
        return _LENGTH_AND_ID.pack(len(body) + 4, request.correlation_id) + body

    # --- the side that asks -------------------------------------------------------------------

    def ask(self, key: int, version: int, correlation_id: int, values: Mapping[str, Any]) -> bytes:
        """The frame of a request; ``read_answer`` reads what comes."""
        if key in _OWN:
            body = orjson.dumps(values)
            return _OWN_HEAD.pack(len(body) + 10, key, version, correlation_id, -1) + body
        entity = load_request_schema(key, version)
        out = BytesIO()
        out.write(_OWN_HEAD.pack(0, key, version, correlation_id, -1))
        if entity.__header_schema__.__version__ >= _FLEXIBLE_HEADER:
            out.write(b"\0")
        entity_writer(entity)(out, self._builder.build(entity, values))
        frame = out.getbuffer()
        _INT.pack_into(frame, 0, len(frame) - 4)
        return bytes(frame)

    def read_answer(self, key: int, version: int, frame: bytes) -> tuple[int, Any]:
        """Correlation id and body of an answer without its length. Raises Malformed."""
        if len(frame) < _INT.size:
            raise Malformed(f"an answer of {len(frame)} bytes")
        (correlation_id,) = _INT.unpack_from(frame)
        if key in _OWN:
            return correlation_id, _json(frame[_INT.size :])
        entity = load_response_schema(key, version)
        at = _INT.size + bool(entity.__header_schema__.__version__)
        try:
            return correlation_id, entity_reader(entity)(frame, at)[0]
        except BODY_ERRORS as error:
            raise Malformed(f"an answer to API {key} in version {version}: {error}") from error

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


def _json(data: bytes) -> Mapping[str, Any]:
    try:
        values = orjson.loads(data)
    except ValueError as error:
        raise Malformed(f"a message among brokers is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise Malformed("a message among brokers is no JSON object")
    return values
