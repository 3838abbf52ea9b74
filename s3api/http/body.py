"""Request bodies as ASGI delivers them, in large steps and with bounded patience."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

STEP_BYTES: Final = 1 << 20


class ClientDisconnected(Exception):  # noqa: N818 - an event, not a refusal: nobody is left to answer
    """The client went away before its body was complete."""


class Body:
    """The raw body of one request, read once from beginning to end."""

    def __init__(
        self, receive: Callable[[], Awaitable[dict[str, Any]]], *, idle_seconds: float
    ) -> None:
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """Whether the last byte has arrived."""
        raise NotImplementedError

    async def read(self, size_hint: int = STEP_BYTES) -> bytes:
        """Return the next bytes, about `size_hint` of them; b"" at the end.

        Raises ClientDisconnected, and S3Error RequestTimeout after an idle wait.
        """
        raise NotImplementedError

    async def drain(self, bytes_max: int, seconds_max: float) -> bool:
        """Throw the rest away so that the connection can be used again; False if it is too long."""
        raise NotImplementedError
