"""What s3api.http.aws_chunked promises: any split decodes alike, and nothing broken is accepted.

The refusals are those that AWS's servers were observed to give.
"""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.aws_chunked import ChunkedDecoder
from tests.s3api.refusals import code_of

DATA = b"hello, chunked world"
CRC32 = "x-amz-checksum-crc32"


@dataclass
class Tally:
    """A stand-in chain of signatures: a chunk's signature is the digest of all chunks so far."""

    digest: str = ""
    data: bytes = b""
    chunks: list[bytes] = field(default_factory=list)

    def update(self, data: memoryview) -> None:
        """Take bytes."""
        self.data += data

    def _next(self, data: bytes) -> str:
        self.digest = sha256(self.digest.encode() + data).hexdigest()
        return self.digest

    def sign(self, data: bytes) -> str:
        """Sign as a client would."""
        return self._next(data)

    def finish_chunk(self, signature: str) -> None:
        """Check the bytes taken since the last chunk."""
        self.chunks.append(self.data)
        self._check(self.data, signature)
        self.data = b""

    def finish_trailer(self, trailer: bytes, signature: str) -> None:
        """Check the trailer."""
        self._check(trailer, signature)

    def _check(self, data: bytes, signature: str) -> None:
        if self._next(data) != signature:
            raise S3Error("SignatureDoesNotMatch")


def encode(chunks: list[bytes], trailers: dict[str, str] | None = None) -> bytes:
    """Encode as unsigned chunks, the empty one and the trailers."""
    lines = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    fields = [f"{name}:{value}\r\n".encode() for name, value in (trailers or {}).items()]
    return b"".join([*lines, b"0\r\n", *fields, b"\r\n"])


def encode_signed(chunks: list[bytes], trailers: dict[str, str] | None = None) -> bytes:
    """Encode as chunks signed by a Tally, with a signed trailer if there is one."""
    tally = Tally()
    lines = [
        b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), tally.sign(chunk).encode(), chunk)
        for chunk in chunks
    ]
    lines.append(b"0;chunk-signature=%s\r\n" % tally.sign(b"").encode())
    if trailers:
        lines += [f"{name}:{value}\r\n".encode() for name, value in trailers.items()]
        canonical = "".join(f"{name}:{trailers[name]}\n" for name in sorted(trailers))
        lines.append(b"x-amz-trailer-signature:%s\r\n" % tally.sign(canonical.encode()).encode())
    return b"".join([*lines, b"\r\n"])


def decode(
    body: bytes,
    length: int,
    *,
    names: tuple[str, ...] = (),
    cuts: tuple[int, ...] = (),
    is_signed: bool = False,
) -> tuple[bytes, dict[str, str]]:
    """Decode a body fed in the pieces that `cuts` make of it."""
    decoder = ChunkedDecoder(
        length,
        Tally() if is_signed else None,
        names,
        has_signed_trailer=is_signed and bool(names),
    )
    bounds = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})
    pieces: list[memoryview] = []
    for start, end in pairwise(bounds):
        pieces += decoder.feed(body[start:end])
    decoder.finish()
    return b"".join(pieces), decoder.trailers


payloads = st.tuples(
    st.lists(st.integers(8192, 8200), max_size=2), st.integers(0, 300), st.binary(max_size=20)
).map(
    lambda drawn: [
        chunk for size in (*drawn[0], drawn[1]) if (chunk := (drawn[2] * size + b"x" * size)[:size])
    ]
)
splits = st.lists(st.integers(0, 17_500), max_size=12).map(tuple)
fields = st.dictionaries(
    st.sampled_from([CRC32, "x-amz-checksum-sha256", "x-amz-meta-b"]),
    st.text("ABCxyz019+/=", max_size=12),
    max_size=3,
)


@given(chunks=payloads, trailers=fields, cuts=splits)
def test_any_split_of_unsigned_chunks_decodes(
    chunks: list[bytes], trailers: dict[str, str], cuts: tuple[int, ...]
) -> None:
    """However the network cuts an encoded body, its payload and trailers come out."""
    body = encode(chunks, trailers)
    payload = b"".join(chunks)
    assert decode(body, len(payload), names=tuple(trailers), cuts=cuts) == (payload, trailers)


@given(chunks=payloads, trailers=fields, cuts=splits)
def test_any_split_of_signed_chunks_decodes(
    chunks: list[bytes], trailers: dict[str, str], cuts: tuple[int, ...]
) -> None:
    """The same holds for signed chunks, and the verifier sees each chunk whole."""
    body = encode_signed(chunks, trailers)
    payload = b"".join(chunks)
    decoded = decode(body, len(payload), names=tuple(trailers), cuts=cuts, is_signed=True)
    assert decoded == (payload, trailers)


def test_every_single_split() -> None:
    """A cut at each byte in turn, and a feed byte by byte, make no difference."""
    body = encode_signed([DATA], {CRC32: "AAAAAA=="}) + b"\r\n"
    expected = (DATA, {CRC32: "AAAAAA=="})
    every = range(len(body))
    for cut in every:
        assert decode(body, len(DATA), names=(CRC32,), cuts=(cut,), is_signed=True) == expected
    assert decode(body, len(DATA), names=(CRC32,), cuts=tuple(every), is_signed=True) == expected


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), is_cut=st.booleans())
def test_no_mutation_changes_what_is_accepted(position: int, byte: int, *, is_cut: bool) -> None:
    """A body with a byte altered or cut out is refused, or says exactly what it said before."""
    body = encode_signed([DATA], {CRC32: "AAAAAA=="})
    position %= len(body)
    middle = b"" if is_cut else bytes([byte])
    mutated = body[:position] + middle + body[position + 1 :]
    if code_of(decode, mutated, len(DATA), names=(CRC32,), is_signed=True) is None:
        decoded = decode(mutated, len(DATA), names=(CRC32,), is_signed=True)
        assert decoded == (DATA, {CRC32: "AAAAAA=="})


@given(length=st.integers(0, 10_000))
def test_no_truncation_is_accepted(length: int) -> None:
    """A body cut off before its trailer's signature is refused wherever the cut is."""
    body = encode_signed([DATA], {CRC32: "AAAAAA=="})
    truncated = body[: length % (len(body) - len("\r\n\r\n") + 1)]
    assert code_of(decode, truncated, len(DATA), names=(CRC32,), is_signed=True) == "IncompleteBody"


def test_order_of_chunks_is_signed() -> None:
    """Two chunks exchanged, each with its own signature, are refused."""
    first, second = b"a" * 8192, b"b" * 8192
    body = encode_signed([first, second])
    size = len(b"2000;chunk-signature=") + 64 + 2 + 8192 + 2
    swapped = body[size : 2 * size] + body[:size] + body[2 * size :]
    assert code_of(decode, swapped, 16_384, is_signed=True) == "SignatureDoesNotMatch"


@given(body=st.binary(max_size=200), length=st.integers(0, 50), is_signed=st.booleans())
def test_random_bytes_are_refused(body: bytes, length: int, *, is_signed: bool) -> None:
    """No body raises anything but S3Error."""
    code_of(decode, body, length, is_signed=is_signed)
    code_of(decode, b"5\r\n" + body, length, names=(CRC32,))
    code_of(decode, b"0\r\n" + body, 0, names=(CRC32,))


BIG = b"a" * 8192
OPEN = encode([DATA])[:-2]  # the trailer may follow
FIELD = b"x-amz-checksum-crc32:x"


@pytest.mark.parametrize(
    ("body", "length", "names", "code"),
    [
        # --- framing ---
        (DATA, 20, (), "IncompleteBody"),
        (b"", 0, (), "IncompleteBody"),
        (b"14\r\n" + DATA, 20, (), "IncompleteBody"),
        (b"14\r\n" + DATA + b"\r\n", 20, (), "IncompleteBody"),
        (b"14\n" + DATA + b"\n0\n\n", 20, (), "IncompleteBody"),
        (b"14\r" + DATA + b"\r0\r\r", 20, (), "IncompleteBody"),
        (b"14\r\n" + DATA + b"0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"14\r\n" + DATA + b"\r\n0\r\n\r", 20, (), "IncompleteBody"),
        (b"-14\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"+14\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"0x14\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"1_4\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b" 14\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"\r\n14\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (b"f" * 17 + b"\r\n", 20, (), "IncompleteBody"),
        (b"0" * 2000, 0, (), "IncompleteBody"),
        (b"14;ext=1\r\n" + DATA + b"\r\n0\r\n\r\n", 20, (), "IncompleteBody"),
        (encode([DATA]) + b"junk", 20, (), "IncompleteBody"),
        # --- the total ---
        (encode([DATA]), 19, (), "IncompleteBody"),
        (encode([DATA]), 21, (), "IncompleteBody"),
        (encode([DATA[:4]]) + encode([DATA[4:]]), 20, (), "IncompleteBody"),
        # --- chunk sizes ---
        (encode([DATA, DATA]), 40, (), "InvalidChunkSizeError"),
        (encode([BIG, DATA, BIG]), 16_404, (), "InvalidChunkSizeError"),
        # --- trailers ---
        (encode([DATA], {CRC32: "x"}), 20, (), "IncompleteBody"),
        (encode([DATA]), 20, (CRC32,), "MalformedTrailerError"),
        (encode([DATA])[:-2], 20, (CRC32,), "MalformedTrailerError"),
        (encode([DATA], {CRC32: "x", "bonus": "y"}), 20, (CRC32,), "MalformedTrailerError"),
        (encode([DATA], {"x-amz-checksum-bad": "x"}), 20, (CRC32,), "MalformedTrailerError"),
        (OPEN + b"no colon\r\n\r\n", 20, (CRC32,), "MalformedTrailerError"),
        (OPEN + b"\r\n" + FIELD + b"\r\n", 20, (CRC32,), "MalformedTrailerError"),
        (OPEN + FIELD + b"\n", 20, (CRC32,), "IncompleteBody"),
        (OPEN + FIELD + b"\r", 20, (CRC32,), "IncompleteBody"),
        (OPEN + FIELD, 20, (CRC32,), "IncompleteBody"),
        (OPEN + (FIELD + b"\r\n") * 400, 20, (CRC32,), "MalformedTrailerError"),
        (OPEN + FIELD * 100, 20, (CRC32,), "IncompleteBody"),
    ],
)  # fmt: skip
def test_unsigned_refusals(body: bytes, length: int, names: tuple[str, ...], code: str) -> None:
    """Each way to get the framing wrong has AWS's code."""
    assert code_of(decode, body, length, names=names) == code


@pytest.mark.parametrize(
    ("body", "names", "trailers"),
    [
        (encode([DATA])[:-2], (), {}),
        (encode([DATA]) + b"\r\n\r\n", (), {}),
        (encode([DATA], {CRC32: "x"})[:-2], (CRC32,), {CRC32: "x"}),
        (encode([DATA], {CRC32: " x "}), (CRC32,), {CRC32: "x"}),
        (encode([DATA], {CRC32.upper(): "x"}), (CRC32,), {CRC32: "x"}),
        (encode([DATA], {CRC32: "x\n"}), (CRC32,), {CRC32: "x"}),
        (encode([DATA])[:-2] + b"x-amz-checksum-crc32:a\r\n" * 2, (CRC32,), {CRC32: "a"}),
        (b"14 \r\n" + DATA + b"\r\n00\r\n\r\n", (), {}),
        (b"0014\r\n" + DATA + b"\r\n0\r\n\r\n", (), {}),
    ],
)
def test_liberties_of_clients(
    body: bytes, names: tuple[str, ...], trailers: dict[str, str]
) -> None:
    """What AWS lets pass, real clients send: it is accepted here too."""
    assert decode(body, 20, names=names) == (DATA, trailers)


def test_a_later_trailer_replaces_an_earlier_one() -> None:
    """Of a trailer sent twice the last value counts."""
    body = encode([DATA])[:-2] + b"x-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:b\r\n\r\n"
    assert decode(body, 20, names=(CRC32,)) == (DATA, {CRC32: "b"})


def signed_header(parameter: bytes) -> bytes:
    """Encode one signed chunk and the last, with `parameter` for `;chunk-signature=`."""
    return encode_signed([DATA]).replace(b";chunk-signature=", parameter)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (encode([DATA]), "IncompleteBody"),
        (b"14;chunk-signature=\r\n" + DATA + b"\r\n0;chunk-signature=\r\n\r\n", "IncompleteBody"),
        (b"14;chunk-signature=invalid\r\n" + DATA + b"\r\n", "SignatureDoesNotMatch"),
        (b"14;chunk-signature=" + b"0" * 64 + b"\r\n" + DATA + b"\r\n", "SignatureDoesNotMatch"),
        (signed_header(b";extra=param;chunk-signature="), "SignatureDoesNotMatch"),
        (signed_header(b";chunk-signatur="), "SignatureDoesNotMatch"),
        (signed_header(b";signature="), "SignatureDoesNotMatch"),
        (signed_header(b";Chunk-Signature="), "SignatureDoesNotMatch"),
        (signed_header(b" ; chunk-signature = "), None),
        (encode_signed([DATA]).replace(b"\r\nhello", b";extra=param\r\nhello"), "IncompleteBody"),
        (encode_signed([DATA])[: -len("0;chunk-signature=") - 68], "IncompleteBody"),
        (encode_signed([DATA]) + b"\r\n", None),
    ],
)
def test_signed_refusals(body: bytes, code: str | None) -> None:
    """Chunk signatures are read strictly and must all be there."""
    assert code_of(decode, body, len(DATA), is_signed=True) == code


def test_a_signed_trailer_needs_its_signature_and_a_trailer() -> None:
    """The signed-trailer form without a signature, or without a trailer, is incomplete."""
    whole = encode_signed([DATA], {CRC32: "x"})
    start = whole.index(b"x-amz-trailer-signature")
    unsigned = whole[:start] + b"\r\n"
    assert code_of(decode, unsigned, 20, names=(CRC32,), is_signed=True) == "IncompleteBody"
    decoder = ChunkedDecoder(20, Tally(), (), has_signed_trailer=True)
    decoder.feed(encode_signed([DATA])[:-2] + whole[start:-2])
    assert code_of(decoder.finish) == "IncompleteBody"


def test_an_altered_trailer_is_refused() -> None:
    """A trailer's value is covered by its signature."""
    body = encode_signed([DATA], {CRC32: "x"}).replace(b"crc32:x", b"crc32:y")
    assert code_of(decode, body, 20, names=(CRC32,), is_signed=True) == "SignatureDoesNotMatch"


def test_details_of_a_wrong_total() -> None:
    """A wrong total tells how many bytes were declared and how many came."""
    for chunks, provided in (([DATA], "20"), ([BIG, BIG], "8192")):
        with pytest.raises(S3Error) as refusal:
            decode(encode(chunks), 30, names=())
        assert refusal.value.detail == {
            "NumberBytesExpected": "30",
            "NumberBytesProvided": provided,
        }


def test_details_of_a_small_chunk() -> None:
    """A small chunk in the middle is reported as AWS does: the number of the chunk after it."""
    with pytest.raises(S3Error) as refusal:
        decode(encode([b"x" * 1024, b"y" * 4096, b"z" * 3072]), 8192)
    assert refusal.value.status == 403
    assert refusal.value.detail == {"Chunk": "2", "BadChunkSize": "1024"}


def test_pieces_are_views_and_memory_is_bounded() -> None:
    """A chunk of 32 MiB passes through in the steps it came in, without being gathered."""
    step = b"x" * (1 << 20)
    decoder = ChunkedDecoder(32 << 20, None, ())
    decoder.feed(b"%x\r\n" % (32 << 20))
    tracemalloc.start()
    for _ in range(32):
        pieces = decoder.feed(step)
        assert [piece.obj for piece in pieces] == [step]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    decoder.feed(b"\r\n0\r\n\r\n")
    decoder.finish()
    assert peak < 64 * 1024
