"""The ten checksums S3 clients may ask for: hashing, naming, and arithmetic on finished values.

Knows no HTTP request: who sent which value is `s3api.http.checksum_headers`' business. CRCs and
XXHashes run at memory speed through awscrt, the digests through hashlib.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Final, Protocol

from awscrt import checksums as crt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_DIGEST_BYTES: Final = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
ALGORITHMS: Final = tuple(_DIGEST_BYTES)
_HEADER_NAMES: Final = {name: f"x-amz-checksum-{name.lower()}" for name in ALGORITHMS}
_ALGORITHMS_BY_HEADER: Final = {header: name for name, header in _HEADER_NAMES.items()}
_CRC: Final[dict[str, Callable[[bytes | memoryview, int], int]]] = {
    "CRC32": crt.crc32,
    "CRC32C": crt.crc32c,
    "CRC64NVME": crt.crc64nvme,
}
_COMBINE: Final[dict[str, Callable[[int, int, int], int]]] = {
    "CRC32": crt.combine_crc32,
    "CRC32C": crt.combine_crc32c,
    "CRC64NVME": crt.combine_crc64nvme,
}
# Seed 0, digests in XXHash's canonical (big-endian) form: what AWS's own SDKs send, which hash with
# these very functions (botocore, httpchecksum.py).
_XXHASH: Final[dict[str, Callable[[], crt.XXHash]]] = {
    "XXHASH64": crt.XXHash.new_xxhash64,
    "XXHASH3": crt.XXHash.new_xxhash3_64,
    "XXHASH128": crt.XXHash.new_xxhash3_128,
}
_SECURE: Final = frozenset({"SHA256", "SHA512"})


class Hasher(Protocol):
    """One running checksum."""

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Answer the checksum of all bytes so far, big-endian."""

    def b64(self) -> str:
        """Answer the digest as it stands in a header."""


class _CrcHasher:
    """A running CRC."""

    __slots__ = ("_crc", "_size", "_value")

    def __init__(self, algorithm: str) -> None:
        self._crc = _CRC[algorithm]
        self._size = _DIGEST_BYTES[algorithm]
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = self._crc(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")

    def b64(self) -> str:
        return b64encode(self.digest()).decode()


class _DigestHasher:
    """A running SHA, MD5 or XXHash."""

    __slots__ = ("digest", "update")

    def __init__(self, algorithm: str) -> None:
        if algorithm in _XXHASH:
            xxhash = _XXHASH[algorithm]()
            # Which takes bytes alone.
            self.update = lambda data: xxhash.update(bytes(data))
            self.digest = xxhash.finalize
        else:
            digest = hashlib.new(algorithm, usedforsecurity=algorithm in _SECURE)
            self.update, self.digest = digest.update, digest.digest

    def b64(self) -> str:
        return b64encode(self.digest()).decode()


def new(algorithm: str) -> Hasher:
    """Start a checksum; `algorithm` is one of ALGORITHMS."""
    assert algorithm in _DIGEST_BYTES, algorithm
    return _CrcHasher(algorithm) if algorithm in _CRC else _DigestHasher(algorithm)


def can_combine(algorithm: str) -> bool:
    """Tell whether the checksum of a whole can be had from those of its parts: a CRC's can."""
    return algorithm in _COMBINE


def header_name(algorithm: str) -> str:
    """Name the header or trailer of an algorithm: `x-amz-checksum-crc32`."""
    return _HEADER_NAMES[algorithm]


def algorithm_of_header(name: str) -> str | None:
    """Name the algorithm whose value a lower-case header or trailer carries, if any."""
    return _ALGORITHMS_BY_HEADER.get(name)


def is_well_formed(algorithm: str, value: str) -> bool:
    """Tell whether `value` is base64 of a digest of the algorithm's length."""
    try:
        return len(b64decode(value, validate=True)) == _DIGEST_BYTES[algorithm]
    except (Base64Error, ValueError):  # ValueError: not even ASCII
        return False


def composite(algorithm: str, parts: Sequence[str]) -> str:
    """Checksum the parts' digests (base64): `base64-N`, AWS's COMPOSITE form."""
    hasher = new(algorithm)
    hasher.update(b"".join(b64decode(part) for part in parts))
    return f"{hasher.b64()}-{len(parts)}"


def combine_full(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """Combine CRCs of consecutive parts `(base64, size in bytes)` into the CRC of the whole.

    Only CRC32, CRC32C and CRC64NVME can be combined: AWS's FULL_OBJECT form of multipart uploads.
    """
    combine = _COMBINE[algorithm]
    value = 0  # the CRC of no bytes
    for encoded, part_bytes in parts:
        value = combine(value, int.from_bytes(b64decode(encoded), "big"), part_bytes)
    return b64encode(value.to_bytes(_DIGEST_BYTES[algorithm], "big")).decode()
