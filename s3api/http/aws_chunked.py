"""The aws-chunked content encoding, without I/O: bytes in, payload pieces out."""

from __future__ import annotations

from typing import Protocol


class ChunkVerifier(Protocol):
    """Checks the signature chain of the chunks; raises S3Error SignatureDoesNotMatch."""

    def update(self, data: memoryview) -> None:
        """Take the next bytes of the current chunk."""

    def finish_chunk(self, signature: str) -> None:
        """Check the current chunk against its signature and begin the next."""

    def finish_trailer(self, trailer: bytes, signature: str) -> None:
        """Check the trailer (`name:value` lines, each ended by LF)."""


class ChunkedDecoder:
    """Decodes one aws-chunked body."""

    trailers: dict[str, str]

    def __init__(
        self,
        decoded_length: int,
        verifier: ChunkVerifier | None,
        trailer_names: tuple[str, ...] | None,
    ) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> list[memoryview]:
        """Decode the next bytes."""
        raise NotImplementedError

    def finish(self) -> None:
        """State that no byte follows; refuses an incomplete body."""
        raise NotImplementedError
