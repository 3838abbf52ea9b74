"""What S4 tells the service manager that started it: ready, reloading, stopping, alive.

systemd's protocol (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET names. Whoever runs
S4 by hand named none, and hears nothing. Knows nothing of gunicorn.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MICROSECONDS: Final = 1_000_000


class Supervisor:
    """The service manager, or nobody.

    What `environ` says of it is taken out: S4's children do not speak to it, nor does gunicorn,
    which would call itself ready before its workers are.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        name = environ.pop("NOTIFY_SOCKET", "")
        self.address = (
            "\0" + name[1:] if name.startswith("@") else name
        )  # abstract, as Linux has it
        patience = environ.pop("WATCHDOG_USEC", "")
        environ.pop("WATCHDOG_PID", None)
        self.beat_seconds = int(patience) / MICROSECONDS / 2 if patience.isdigit() else 0.0
        self.beats_at = 0.0

    def ready(self, status: str) -> None:
        """Say that S4 serves, and a line for `systemctl status`."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the workers are replaced; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=Replaces the workers")

    def stopping(self) -> None:
        """Say that S4 ends."""
        self._tell("STOPPING=1", "STATUS=Finishes the requests in progress")

    def beat(self) -> None:
        """Say that the main process lives, as often as was asked for."""
        now = time.monotonic()
        if self.beat_seconds and now >= self.beats_at:
            self.beats_at = now + self.beat_seconds
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        """Send a datagram; one that is not heard is no reason to serve less."""
        if self.address:
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as speaker:
                speaker.sendto("\n".join(lines).encode(), self.address)
