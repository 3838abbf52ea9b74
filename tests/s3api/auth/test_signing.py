"""What s3api.auth.signing promises: one key per secret, day and region, and bounded memory."""

from __future__ import annotations

from s3api.auth import signing
from tests.s3api.auth.clients import SECRET_KEY, Client


def test_signing_keys() -> None:
    """A signing key is the chain of HMACs that AWS describes, and each part of it counts."""
    key = signing.signing_key(SECRET_KEY, "20130524", "us-east-1")
    assert key == Client().key()
    others = {
        signing.signing_key("other", "20130524", "us-east-1"),
        signing.signing_key(SECRET_KEY, "20130525", "us-east-1"),
        signing.signing_key(SECRET_KEY, "20130524", "us-east-2"),
    }
    assert len(others | {key}) == 4


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
