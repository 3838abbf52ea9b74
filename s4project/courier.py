"""Delivers the audit log to a webhook: from the table, in order, each entry at least once.

A thread of the jobs process. It sleeps in the kernel until an entry is written; a webhook that does
not take a batch is asked again, each time later, and everything after that batch waits for it.
How far it came stands in the database.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings
from django.db import Error, connections

from iam.audit import bell, webhook
from iam.services.audit import entries_after, move_cursor, read_cursor
from s4project.sql.gate import gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SINK: Final = "webhook"
ENTRIES_AT_ONCE: Final = 100
AWAY_SECONDS: Final = 5.0  # before the database is asked again
RETRY_SECONDS_MIN: Final = 1.0
RETRY_SECONDS_MAX: Final = 300.0
LOOK_SECONDS: Final = 3600.0  # entries of a process that was killed before it could ring
STOP_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Courier:
    """The thread, and the way to end it."""

    def __init__(self, url: str, token: str, directory: Path) -> None:
        self._url = url
        self._token = token
        self._directory = directory
        self._is_ending = threading.Event()
        self._retry_seconds = RETRY_SECONDS_MIN
        # A daemon: an attempt that hangs does not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is on its way now will be delivered again."""
        self._is_ending.set()
        bell.ring(self._directory)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            with bell.hung_up(self._directory) as waiting:
                while not self._is_ending.is_set():
                    if self._try_to_deliver():
                        waiting.wait(LOOK_SECONDS)
                    else:
                        self._is_ending.wait(self._retry_seconds)
                        self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS_MAX)
        finally:
            if not self._is_ending.is_set():  # the process ends too, and is started anew
                os.kill(os.getpid(), signal.SIGTERM)

    def _try_to_deliver(self) -> bool:
        """Deliver all there is; False when it must be tried again."""
        try:
            self.deliver()
        except Error as error:
            self._retry_seconds = AWAY_SECONDS
            if not gate.is_away:
                log.warning("The audit log cannot be read", error=str(error), retry=AWAY_SECONDS)
            return False
        except webhook.RefusedError as error:
            log.warning(
                "Audit entries wait for the webhook", error=str(error), retry=self._retry_seconds
            )
            return False
        finally:
            connections.close_all()  # it may sleep for long
        return True

    def deliver(self) -> None:
        """Deliver all there is, batch by batch; RefusedError, Django's Error."""
        last_id = read_cursor(SINK)
        while entries := entries_after(last_id, ENTRIES_AT_ONCE):
            for batch in webhook.batches([entry.as_dict() for entry in entries]):
                if self._is_ending.is_set():
                    return
                webhook.post(self._url, self._token, batch)
                last_id = batch[-1]["id"]
                move_cursor(SINK, last_id)
                self._retry_seconds = RETRY_SECONDS_MIN


@contextmanager
def delivering() -> Iterator[None]:
    """Deliver until the block ends, if the settings name a webhook."""
    chosen = settings.S4
    if not chosen.audit_webhook_url:
        yield
        return
    courier = Courier(chosen.audit_webhook_url, chosen.audit_webhook_token, chosen.data_dir)
    courier.start()
    try:
        yield
    finally:
        courier.stop()
