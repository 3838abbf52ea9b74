"""Text in headers that can only hold ASCII, as S3 answers metadata that came in a form.

RFC 2047; which of its two encodings S3 chooses, localstack recorded (TestS3PresignedPost): that for
mostly readable text when more than half of it is.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

from base64 import b64encode
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PRINTABLE: Final = frozenset(map(chr, range(32, 127))) | frozenset("\t")
_PLAIN: Final = frozenset((ascii_letters + digits + "!\"#$%&'()*+,-./:;<>@[\\]^`{|}~").encode())
_WORD_BYTES_MAX: Final = 75  # RFC 2047, 2


def encode_words(text: str) -> str:
    """Write text as it is when it is printable ASCII, otherwise as encoded words of UTF-8."""
    readable = sum(character in _PRINTABLE for character in text)
    if readable == len(text):
        return text
    return _words(text, _quoted if readable > len(text) - readable else _base64)


def _words(text: str, encode: Callable[[str], str]) -> str:
    """Encode text as one word, or each half of it when that would be too long."""
    word = encode(text)
    if len(word) <= _WORD_BYTES_MAX:
        return word
    half = len(text) // 2
    return f"{_words(text[:half], encode)} {_words(text[half:], encode)}"


def _quoted(text: str) -> str:
    spelled = "".join(
        chr(byte) if byte in _PLAIN else "_" if byte == ord(" ") else f"={byte:02X}"
        for byte in text.encode()
    )
    return f"=?UTF-8?Q?{spelled}?="


def _base64(text: str) -> str:
    return f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="
