"""The five checksums S3 clients may ask for: hashing, naming, and arithmetic on finished values.

Knows no HTTP: which header carried a value is `s3api.http.checksum_headers`' business. CRCs run at
memory speed through awscrt, the SHAs through hashlib; both release the GIL on large pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALGORITHMS: Final = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


class Hasher(Protocol):
    """One running checksum."""

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Answer the checksum of all bytes so far, big-endian."""

    def b64(self) -> str:
        """Answer the digest as it stands in a header."""


def new(algorithm: str) -> Hasher:
    """Start a checksum; `algorithm` is one of ALGORITHMS (KeyError otherwise)."""
    raise NotImplementedError


def header_name(algorithm: str) -> str:
    """Name the header or trailer of an algorithm: `x-amz-checksum-crc32`."""
    raise NotImplementedError


def algorithm_of_header(name: str) -> str | None:
    """Name the algorithm whose value a lower-case header or trailer carries, if any."""
    raise NotImplementedError


def is_well_formed(algorithm: str, value: str) -> bool:
    """Tell whether `value` is base64 of a digest of the algorithm's length."""
    raise NotImplementedError


def composite(algorithm: str, parts: Sequence[str]) -> str:
    """Checksum the parts' digests: `base64-N`, AWS's COMPOSITE form."""
    raise NotImplementedError


def combine_full(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """Combine CRCs of consecutive parts `(base64, size)` into the CRC of the whole.

    Only CRC32, CRC32C and CRC64NVME can be combined (KeyError otherwise).
    """
    raise NotImplementedError
