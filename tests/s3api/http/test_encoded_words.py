"""Metadata of forms that no header could hold as it is."""

from __future__ import annotations

from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.http.encoded_words import encode_words


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain = text_?", "plain = text_?"),
        ("", ""),
        ("=?UTF-8?Q?=C3=84?=", "=?UTF-8?Q?=C3=84?="),
        # Recorded from S3 by localstack, TestS3PresignedPost.
        ("ÄMÄZÕÑ S3", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="),
        ("\x00\x01\x02\x03\x04", "=?UTF-8?B?AAECAwQ=?="),
    ],
)
def test_text_is_encoded_as_s3_does(text: str, encoded: str) -> None:
    """Printable ASCII stays; the rest is quoted or base64, whichever S3 was seen to choose."""
    assert encode_words(text) == encoded


@given(st.text(max_size=200).filter(lambda text: "=?" not in text))
def test_every_text_is_read_back(text: str) -> None:
    """What is encoded is printable ASCII in words of 75 bytes at most, and decodes to the text."""
    encoded = encode_words(text)
    assert encoded.isascii()
    if encoded != text:
        assert all(len(word) <= 75 for word in encoded.split(" "))
        assert encoded.isprintable()
        assert str(make_header(decode_header(encoded))) == text
