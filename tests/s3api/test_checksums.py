"""What s3api.checksums promises: known values, and arithmetic that agrees with hashing."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api import checksums

CRCS = ("CRC32", "CRC32C", "CRC64NVME")
# The catalogue's check values: the checksum of "123456789". XXHash's are of seed 0, canonical.
CHECK_VALUES = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": hashlib.sha1(b"123456789").hexdigest(),  # noqa: S324 - a checksum here
    "SHA256": hashlib.sha256(b"123456789").hexdigest(),
    "SHA512": hashlib.sha512(b"123456789").hexdigest(),
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "XXHASH64": "8cb841db40e6ae83",
    "XXHASH3": "72dcb18b67a17dff",
    "XXHASH128": "33119477ede5dcd5e9716427681d5860",
}


def of(algorithm: str, data: bytes) -> str:
    """Checksum bytes in one go."""
    hasher = checksums.new(algorithm)
    hasher.update(data)
    return hasher.b64()


@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
def test_check_values(algorithm: str) -> None:
    """Every algorithm answers its published check value, big-endian."""
    hasher = checksums.new(algorithm)
    hasher.update(b"12345")
    hasher.update(b"6789")
    assert hasher.digest().hex() == CHECK_VALUES[algorithm]
    assert b64decode(hasher.b64()) == hasher.digest()


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("XXHASH64", "ef46db3751d8e999"),
        ("XXHASH3", "2d06800538d394c2"),
        ("XXHASH128", "99aa06d3014798d86001c324468d497f"),
    ],
)
def test_xxhash_of_nothing(algorithm: str, digest: str) -> None:
    """XXHashes begin with seed 0 and are written in canonical byte order, as AWS writes them."""
    assert checksums.new(algorithm).digest().hex() == digest
    assert checksums.new(algorithm).b64() == b64encode(bytes.fromhex(digest)).decode()


@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
def test_pieces_do_not_matter(algorithm: str, data: bytes, cut: int) -> None:
    """A checksum depends on the bytes, not on how they were cut."""
    hasher = checksums.new(algorithm)
    hasher.update(data[:cut])
    hasher.update(data[cut:])
    assert hasher.b64() == of(algorithm, data)


@given(data=st.binary(max_size=200))
def test_crc32_agrees_with_zlib(data: bytes) -> None:
    """CRC32 is zlib's."""
    assert b64decode(of("CRC32", data)) == zlib.crc32(data).to_bytes(4, "big")


@given(parts=st.lists(st.binary(max_size=200), max_size=6))
@pytest.mark.parametrize("algorithm", CRCS)
def test_combined_crcs_equal_the_crc_of_the_whole(algorithm: str, parts: list[bytes]) -> None:
    """Combining the parts' CRCs gives the CRC of the parts put together."""
    pairs = [(of(algorithm, part), len(part)) for part in parts]
    assert checksums.combine_full(algorithm, pairs) == of(algorithm, b"".join(parts))


@pytest.mark.parametrize("algorithm", CRCS)
def test_combination_takes_part_sizes_beyond_four_gib(algorithm: str) -> None:
    """Sizes of 2**33 bytes combine: appending zeros twice equals appending them at once."""
    start, zeros = of(algorithm, b"data"), of(algorithm, b"")
    blank = checksums.combine_full(algorithm, [(zeros, 0)])
    assert blank == zeros
    half = 2**32
    in_two = checksums.combine_full(algorithm, [(start, 4), (zeros, half), (zeros, half)])
    assert in_two == checksums.combine_full(algorithm, [(start, 4), (zeros, 2 * half)])
    assert in_two != start


def test_composite_is_the_checksum_of_digests_and_a_count() -> None:
    """A COMPOSITE value hashes the parts' raw digests and names how many there were."""
    parts = [of("SHA256", b"a"), of("SHA256", b"b")]
    digests = hashlib.sha256(b"a").digest() + hashlib.sha256(b"b").digest()
    expected = b64encode(hashlib.sha256(digests).digest()).decode()
    assert checksums.composite("SHA256", parts) == f"{expected}-2"


@pytest.mark.parametrize("algorithm", checksums.ALGORITHMS)
def test_names_go_there_and_back(algorithm: str) -> None:
    """Each algorithm has a lower-case header of its own."""
    name = checksums.header_name(algorithm)
    assert name == f"x-amz-checksum-{algorithm.lower()}"
    assert checksums.algorithm_of_header(name) == algorithm


def test_other_headers_carry_no_checksum() -> None:
    """The headers that merely talk about checksums are not taken for one."""
    for name in ("x-amz-checksum-type", "x-amz-checksum-mode", "x-amz-checksum-algorithm", "etag"):
        assert checksums.algorithm_of_header(name) is None


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("AAAAAA==", True),
        ("AAAAAA", False),
        ("AAAAAA==\n", False),
        ("AAAA", False),
        ("AAAAAAAA", False),
        ("", False),
        ("bad", False),
        ("Ä===", False),
    ],
)
def test_form_of_a_crc32(value: str, is_right: bool) -> None:
    """Only base64 of exactly four bytes is a CRC32."""
    assert checksums.is_well_formed("CRC32", value) is is_right


@given(value=st.text(max_size=20))
def test_no_text_upsets_the_form_check(value: str) -> None:
    """Whatever a client sends as a checksum is judged, not stumbled over."""
    assert checksums.is_well_formed("SHA1", value) in {True, False}
