"""What requests leave for the collector: nothing, so that a worker need hardly ever collect."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tests.e2e.signing import UNSIGNED, Signer
from tests.fuzz.world import KEYS, SECRET, living

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

REQUESTS = [
    ("PUT", "/alpha/plain", b"other", 200),
    ("GET", "/alpha/plain", b"", 200),
    ("HEAD", "/alpha/plain", b"", 200),
    ("GET", "/alpha?list-type=2", b"", 200),
    ("DELETE", "/alpha/plain", b"", 204),
    ("GET", "/alpha/none", b"", 404),
]


@pytest.mark.django_db(transaction=True)
def test_a_request_makes_no_circles(settings: SettingsWrapper, tmp_path: Path) -> None:
    """After requests of every usual kind, also a refused one, there is nothing to collect."""
    signer = Signer(KEYS["owner"], SECRET)
    with living(settings, tmp_path) as world:

        def ask(method: str, target: str, body: bytes, status: int) -> None:
            own = {"host": "s3.test", "content-length": str(len(body))}
            signed = signer.sign(method, target, own, UNSIGNED)
            headers = [
                (name.lower().encode(), text.encode()) for name, text in signed.headers.items()
            ]
            reply = world.ask(method, target, headers, [body])
            assert reply is not None
            assert reply.status == status

        for request in REQUESTS:
            ask(*request)
        for request in REQUESTS:
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    ask(*request)
                found = gc.collect()
            finally:
                gc.enable()
            assert found < 10, f"{request} left {found} objects in 10 requests"
