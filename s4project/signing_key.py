"""Django's signing key: derived from the server key, and followed when another takes its place.

Sessions and messages are signed with it. Each process reads it at its start, and again at the next
request after the server key's file has changed: all of them turn to the new one at one moment.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, ClassVar, Final

from django.conf import settings

from iam.sealing import SERVER_KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.http import HttpRequest, HttpResponse

PURPOSE: Final = b"django-secret-key"


def secret_key(data_dir: Path) -> str:
    """Derive the key; before there is a server key, make a passing one."""
    try:
        server_key = (data_dir / SERVER_KEY_FILE).read_bytes()
    except OSError:
        return secrets.token_hex(32)
    return hmac.new(server_key, PURPOSE, hashlib.sha256).hexdigest()


class FollowServerKey:
    """The middleware that looks whether the file is another; it stands before sessions."""

    _seen: ClassVar[tuple[int, int] | None] = None  # the process has one key

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request under the key that is the key."""
        data_dir: Path = settings.S4.data_dir
        try:
            facts = (data_dir / SERVER_KEY_FILE).stat()
        except OSError:
            return self._get_response(request)
        seen = (facts.st_ino, facts.st_mtime_ns)
        if seen != self._seen:
            settings.SECRET_KEY = secret_key(data_dir)
            FollowServerKey._seen = seen
        return self._get_response(request)
