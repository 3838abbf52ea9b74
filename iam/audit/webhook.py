"""Posts audit entries to a webhook: one batch, one attempt, an answer or a reason.

The form is `{"entries": [...]}`, oldest first. Any answer but 2xx is a refusal. Redirects are not
followed: the token is for the one who is named in the settings. Knows no Django and no table.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SILENCE_SECONDS: Final = 10.0  # how long it may keep still
ATTEMPT_SECONDS: Final = 30.0  # how long a whole attempt may take, however it drips
BATCH_BYTES_MAX: Final = 512 * 1024
OK: Final = range(200, 300)


class RefusedError(Exception):
    """The webhook did not take a batch; the text says why, and holds neither URL nor token."""


def post(url: str, token: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """Give a batch to the webhook; RefusedError unless it says that it has it."""
    place = urlsplit(url)
    connection = _connection(place)
    is_over = threading.Event()
    watch = threading.Timer(ATTEMPT_SECONDS, _break_off, (connection, is_over))
    watch.daemon = True
    watch.start()
    try:
        status = _exchange(connection, place, token, json.dumps({"entries": entries}).encode())
    except (OSError, http.client.HTTPException) as error:
        raise RefusedError(f"{type(error).__name__}: {error}") from error
    finally:
        watch.cancel()
        connection.close()
    if is_over.is_set():  # half a reply that says 200 reads like one
        raise RefusedError(f"it took longer than {ATTEMPT_SECONDS:.0f} seconds")
    if status not in OK:
        raise RefusedError(f"it answered {status}")


def batches(entries: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Cut entries into batches of a size that a webhook takes; each has one at least."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for entry in entries:
        size += len(json.dumps(entry))
        if batch and size > BATCH_BYTES_MAX:
            yield batch
            batch, size = [], len(json.dumps(entry))
        batch.append(entry)
    if batch:
        yield batch


def _connection(place: SplitResult) -> http.client.HTTPConnection:
    """Make a connection, not yet opened."""
    host = place.hostname or ""
    if place.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, place.port, timeout=SILENCE_SECONDS, context=context
        )
    return http.client.HTTPConnection(host, place.port, timeout=SILENCE_SECONDS)


def _exchange(
    connection: http.client.HTTPConnection, place: SplitResult, token: str, body: bytes
) -> int:
    """Send the batch and read the answer's status."""
    headers = {"Content-Type": "application/json", "User-Agent": "S4", "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    connection.request("POST", target, body, headers)
    return connection.getresponse().status


def _break_off(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    """End an attempt that goes on too long."""
    is_over.set()
    with suppress(OSError, AttributeError):  # there may be no socket yet, or no more
        connection.sock.shutdown(2)
