r"""The aws-chunked content encoding, without I/O: bytes in, payload pieces out.

    <hex size>[;chunk-signature=<hex>]\r\n<bytes>\r\n ... 0[;chunk-signature=<hex>]\r\n<trailer>\r\n

Pieces are views of what was fed and are handed on before the signature of their chunk has come
round, so memory stays bounded whatever size a client gives its chunks. Nothing may be committed
before `finish` has returned. Source: AWS's sigv4-streaming.html and sigv4-streaming-trailers.html.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES_MIN: Final = 8192  # of every chunk but the last
LINE_BYTES_MAX: Final = 1024
TRAILER_BYTES_MAX: Final = 8192
TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"

_CRLF: Final = b"\r\n"
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")  # int() would also take signs and underscores
_NEEDS_MORE: Final = -1


class ChunkVerifier(Protocol):
    """Checks the chain of chunk signatures; raises S3Error SignatureDoesNotMatch."""

    def update(self, data: memoryview) -> None:
        """Take the next bytes of the current chunk."""

    def finish_chunk(self, signature: str) -> None:
        """Check the current chunk against its signature and begin the next."""

    def finish_trailer(self, trailer: bytes, signature: str) -> None:
        """Check the trailer: `name:value` lines sorted by name, each ended by LF."""


def _incomplete() -> S3Error:
    return S3Error("IncompleteBody", "The request body terminated unexpectedly")


class ChunkedDecoder:
    """Decodes one aws-chunked body.

    Every malformation is an S3Error: IncompleteBody for broken framing or a wrong total,
    InvalidChunkSizeError, MalformedTrailerError, SignatureDoesNotMatch from the verifier.
    """

    def __init__(
        self,
        decoded_length: int,
        verifier: ChunkVerifier | None,
        trailer_names: tuple[str, ...],
        *,
        has_signed_trailer: bool = False,
    ) -> None:
        """Expect `decoded_length` payload bytes, then exactly the trailers named (lower-case)."""
        self.trailers: dict[str, str] = {}
        self._decoded_length = decoded_length
        self._verifier = verifier
        self._trailer_names = frozenset(trailer_names)
        self._has_signed_trailer = has_signed_trailer
        self._step: Callable[[ChunkedDecoder, memoryview, int], int] = ChunkedDecoder._read_size
        self._held = b""  # the beginning of a line whose end has not arrived
        self._pieces: list[memoryview] = []
        self._signature = ""
        self._chunk_number = 0
        self._chunk_bytes = CHUNK_BYTES_MIN
        self._chunk_bytes_left = 0
        self._declared_bytes = 0
        self._trailer_bytes = 0
        self._trailer_signature: str | None = None

    def feed(self, given: bytes | memoryview) -> list[memoryview]:
        """Decode the next bytes of the body into pieces of the payload."""
        data = memoryview(self._held + given if self._held else given)
        self._held = b""
        position = 0
        while position < len(data):
            reached = self._step(self, data, position)
            if reached == _NEEDS_MORE:
                self._held = bytes(data[position:])
                break
            position = reached
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """State that no byte follows: the payload is whole and verified, or S3Error is raised."""
        if self._step is ChunkedDecoder._read_trailer and not self._held:
            self._end()  # AWS, too, does without the last empty line
        if self._step is not ChunkedDecoder._read_epilogue or self._held:
            raise _incomplete()

    def _line(self, data: memoryview, position: int) -> bytes | None:
        """Return the line from `position` to CRLF; None: its end has not arrived."""
        text = bytes(data[position : position + LINE_BYTES_MAX])
        line, end, _ = text.partition(_CRLF)
        if not end and len(text) == LINE_BYTES_MAX:
            raise _incomplete()
        return line if end else None

    def _read_size(self, data: memoryview, position: int) -> int:
        """Read a chunk's first line."""
        line = self._line(data, position)
        if line is None:
            return _NEEDS_MORE
        size_text, _, parameter = line.partition(b";")
        size_text = size_text.rstrip()
        if _SIZE.fullmatch(size_text) is None:
            raise _incomplete()
        self._signature = self._signature_of(parameter)
        self._begin_chunk(int(size_text, 16))
        return position + len(line) + len(_CRLF)

    def _signature_of(self, parameter: bytes) -> str:
        """Read `chunk-signature=...`; unsigned chunks have no parameter at all."""
        if self._verifier is None:
            if parameter:
                raise _incomplete()
            return ""
        name, _, value = parameter.partition(b"=")
        value = value.strip()
        if parameter and name.strip() != b"chunk-signature":
            return ""  # under another name it is no signature, and "" never equals one
        if not value or b";" in value:
            raise _incomplete()
        return value.decode("latin-1")

    def _begin_chunk(self, size: int) -> None:
        self._chunk_number += 1
        if size and self._chunk_bytes < CHUNK_BYTES_MIN:
            raise S3Error(
                "InvalidChunkSizeError",
                Chunk=str(self._chunk_number),
                BadChunkSize=str(self._chunk_bytes),
            )
        self._declared_bytes += size
        if self._declared_bytes > self._decoded_length:
            raise self._wrong_length()
        self._chunk_bytes = self._chunk_bytes_left = size
        if size:
            self._step = ChunkedDecoder._read_data
        else:
            self._finish_chunk()
            self._step = ChunkedDecoder._read_trailer

    def _read_data(self, data: memoryview, position: int) -> int:
        """Hand on the bytes of a chunk."""
        reached = min(position + self._chunk_bytes_left, len(data))
        piece = data[position:reached]
        if self._verifier is not None:
            self._verifier.update(piece)
        self._pieces.append(piece)
        self._chunk_bytes_left -= reached - position
        if not self._chunk_bytes_left:
            self._finish_chunk()
            self._step = ChunkedDecoder._read_chunk_end
        return reached

    def _finish_chunk(self) -> None:
        if self._verifier is not None:
            self._verifier.finish_chunk(self._signature)

    def _read_chunk_end(self, data: memoryview, position: int) -> int:
        """Read the CRLF after a chunk's bytes."""
        if len(data) - position < len(_CRLF):
            return _NEEDS_MORE
        if bytes(data[position : position + len(_CRLF)]) != _CRLF:
            raise _incomplete()
        self._step = ChunkedDecoder._read_size
        return position + len(_CRLF)

    def _read_trailer(self, data: memoryview, position: int) -> int:
        """Read one line of the trailer; an empty one ends it."""
        line = self._line(data, position)
        if line is None:
            return _NEEDS_MORE
        if line:
            self._take_trailer(line)
        else:
            self._end()
        return position + len(line) + len(_CRLF)

    def _take_trailer(self, line: bytes) -> None:
        if not self._trailer_names and not self._has_signed_trailer:
            raise _incomplete()
        self._trailer_bytes += len(line)
        name, _, value = line.decode("latin-1").partition(":")
        name = name.strip().lower()
        if name == TRAILER_SIGNATURE and self._has_signed_trailer:
            self._trailer_signature = value.strip()
        elif name in self._trailer_names and self._trailer_bytes <= TRAILER_BYTES_MAX:
            # Some clients end the value with LF before the CRLF; all of it is white space to trim.
            self.trailers[name] = value.strip()
        else:
            raise S3Error("MalformedTrailerError")

    def _end(self) -> None:
        """Check the trailer and the total once the last line has been read."""
        if self._has_signed_trailer and not (self._trailer_signature and self._trailer_names):
            raise _incomplete()  # the form promises a trailer and its signature
        if self.trailers.keys() != self._trailer_names:
            raise S3Error("MalformedTrailerError")
        if self._trailer_signature is not None:
            self._check_trailer_signature(self._trailer_signature)
        if self._declared_bytes != self._decoded_length:
            raise self._wrong_length()
        self._step = ChunkedDecoder._read_epilogue

    def _check_trailer_signature(self, signature: str) -> None:
        assert self._verifier is not None, "a signed trailer follows signed chunks"
        lines = (f"{name}:{self.trailers[name]}\n" for name in sorted(self.trailers))
        self._verifier.finish_trailer("".join(lines).encode("latin-1"), signature)

    def _read_epilogue(self, data: memoryview, position: int) -> int:
        """Let empty lines follow the end, as AWS does; other bytes belong to nothing."""
        line = self._line(data, position)
        if line is None:
            return _NEEDS_MORE
        if line:
            raise _incomplete()
        return position + len(_CRLF)

    def _wrong_length(self) -> S3Error:
        return S3Error(
            "IncompleteBody",
            NumberBytesExpected=str(self._decoded_length),
            NumberBytesProvided=str(self._declared_bytes),
        )
