"""Percent-encoding as S3 reads and signs it: strict when decoding, one form when encoding.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (UriEncode).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes, quote_plus, unquote_to_bytes

from s3api.errors import S3Error

UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PATH_BYTES: Final = UNRESERVED + b"/"
# Escapes other than those that AWS writes: of a byte that needs one, in upper case.
_OWN_ESCAPE: Final = re.compile(rb"%(?![0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])")
_PERCENT: Final = ord("%")
_SLASH: Final = b"%2F"
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NAME_ESCAPED: Final = re.compile(rb"[^A-Za-z0-9_.*/ \n-]+")


def decode(raw: bytes) -> str:
    """Decode escapes and UTF-8; a broken escape or sequence is S3Error InvalidURI."""
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            raise S3Error("InvalidURI")
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidURI") from None


def has_own_escapes(raw: bytes) -> bool:
    """Tell whether a byte is escaped that AWS would not escape, or not as AWS writes it."""
    return _PERCENT in raw and _OWN_ESCAPE.search(raw) is not None


def encode_path(raw: bytes) -> bytes:
    """Rewrite a raw path into the form AWS signs: decoded, then encoded but for `/`."""
    odd = raw.translate(None, _PATH_BYTES)
    if not odd:
        return raw  # the common case: nothing to decode and nothing to encode
    if not odd.strip(b"%") and _SLASH not in raw and not has_own_escapes(raw):
        return raw
    return quote_from_bytes(unquote_to_bytes(raw), safe="/~").encode()


def encode(value: str) -> bytes:
    """Encode a query name or value the way AWS signs it: everything but the unreserved bytes."""
    raw = value.encode()
    if not raw.translate(None, UNRESERVED):
        return raw
    return quote_from_bytes(raw, safe="~").encode()


def encode_name(name: str, *, keep: str = "") -> str:
    """Encode a key the way S3 shows it in documents: a space is `+`; `*` and `keep` stay.

    >>> encode_name("a b/~c", keep="/")
    'a+b/%7Ec'
    """
    return quote_plus(name, safe=f"*{keep}").replace("~", "%7E")


def encode_names(names: list[str]) -> list[str]:
    """Encode each of many keys as `encode_name` does, keeping `/`: all in one, joined by lines."""
    joined = "\n".join(names).encode()
    if joined.count(b"\n") != len(names) - 1:
        return [encode_name(name, keep="/") for name in names]
    encoded = _NAME_ESCAPED.sub(_escapes, joined).replace(b" ", b"+")
    return names if encoded == joined else encoded.decode("ascii").split("\n")


def _escapes(run: re.Match[bytes]) -> bytes:
    return b"%" + run[0].hex("%").upper().encode()
