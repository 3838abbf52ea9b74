"""What s3api.auth.signing promises: one key per secret, day and region, and bounded memory."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from s3api.auth import signing
from tests.s3api.auth.clients import SECRET_KEY, Client


def test_signing_keys() -> None:
    """A signing key is the chain of HMACs that AWS describes, and each part of it counts."""
    key = signing.signing_key(SECRET_KEY, "20130524", "us-east-1")
    signature = hmac.new(Client().key(), b"text", hashlib.sha256).hexdigest().encode()
    assert key.sign(b"text") == signature
    others = {
        signing.signing_key("other", "20130524", "us-east-1").sign(b"text"),
        signing.signing_key(SECRET_KEY, "20130525", "us-east-1").sign(b"text"),
        signing.signing_key(SECRET_KEY, "20130524", "us-east-2").sign(b"text"),
    }
    assert len(others | {signature}) == 4


@given(key=st.binary(max_size=64), text=st.binary(max_size=300))
def test_a_signature_is_an_hmac(key: bytes, text: bytes) -> None:
    """A key that was made ready signs as HMAC-SHA256 does."""
    assert signing.SigningKey(key).sign(text) == hmac.digest(key, text, "sha256").hex().encode()


def test_the_cache_is_bounded() -> None:
    """Keys of many clients do not pile up."""
    maxsize = signing.signing_key.cache_parameters()["maxsize"]
    assert maxsize is not None
    for number in range(maxsize + 10):
        signing.signing_key(f"secret-{number}", "20130524", "us-east-1")
    assert signing.signing_key.cache_info().currsize == maxsize


def test_a_mismatch_shows_any_bytes() -> None:
    """What was signed may hold bytes that are not text, and still can be shown."""
    refusal = signing.mismatch("AKIA", "sig", b"\xff", b"GET\n/\xfe")
    assert refusal.detail["StringToSignBytes"] == "ff"
    assert refusal.detail["CanonicalRequestBytes"] == "47 45 54 0a 2f fe"
