"""The codecs of record batches, as Kafka's own clients write and read them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import cramjam

_XERIAL = b"\x82SNAPPY\x00" + b"\x00\x00\x00\x01" * 2
_XERIAL_MARK = _XERIAL[:8]
_XERIAL_BLOCK_BYTES = 32 << 10
_GZIP = 31
_ZSTD_LEVEL, _LZ4_LEVEL, _GZIP_LEVEL = 3, 1, 6

NUMBERS: Mapping[str, int] = MappingProxyType({"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4})
"""The number of each codec in a batch's attributes."""


def pack(codec: str, data: bytes) -> bytes:
    """``data`` compressed by the codec of this name. Raises KeyError for another name."""
    return _PACK[codec](data)


def unpack(number: int, data: bytes | memoryview) -> bytes:
    """``data`` as it was before. Raises ValueError if it can't be read, or there is no such codec."""
    if not 0 <= number < len(_UNPACK):
        raise ValueError(f"there is no codec {number}")
    try:
        return _UNPACK[number](data)
    except (cramjam.DecompressionError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(data) + packer.flush()


def _snappy(data: bytes) -> bytes:
    """In the frame of xerial's library: what Kafka's Java client reads."""
    out, view = [_XERIAL], memoryview(data)
    for at in range(0, len(data), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(view[at : at + _XERIAL_BLOCK_BYTES]))
        out += [len(block).to_bytes(4, "big"), block]
    return b"".join(out)


def _lz4(data: bytes) -> bytes:
    """With independent blocks: Kafka reads no others (KIP-57)."""
    packer = cramjam.lz4.Compressor(level=_LZ4_LEVEL, content_checksum=False, block_linked=False)
    packer.compress(data)
    return bytes(packer.finish())


def _unsnappy(data: bytes | memoryview) -> bytes:
    """Raw, or in the frame of xerial's library."""
    if bytes(data[:8]) != _XERIAL_MARK:
        return bytes(cramjam.snappy.decompress_raw(data))
    out, at = [], len(_XERIAL)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 4 + length > len(data):
            raise ValueError(f"a block of {length} bytes")
        out.append(bytes(cramjam.snappy.decompress_raw(data[at + 4 : at + 4 + length])))
        at += 4 + length
    return b"".join(out)


_PACK: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "none": bytes,
        "gzip": _gzip,
        "snappy": _snappy,
        "lz4": _lz4,
        "zstd": lambda data: bytes(cramjam.zstd.compress(data, level=_ZSTD_LEVEL)),
    }
)
_UNPACK: tuple[Callable[[bytes | memoryview], bytes], ...] = (
    bytes,
    lambda data: zlib.decompress(data, _GZIP),
    _unsnappy,
    lambda data: bytes(cramjam.lz4.decompress(data)),
    lambda data: bytes(cramjam.zstd.decompress(data)),
)
