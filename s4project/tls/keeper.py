"""Keeps the certificate that new connections get, and follows its files while S4 runs.

The main process looks at the files once a second, alone, takes a new pair once it has been quiet
for that long, and tells the workers by a number in memory that they share. Connections that exist
keep what they were opened with. Knows nothing of sockets.
"""

from __future__ import annotations

import mmap
import time
from struct import Struct
from typing import TYPE_CHECKING, Final

import structlog

from s4project.tls.certificate import CertificateError, make_context

if TYPE_CHECKING:
    import ssl

    from s4project.tls.certificate import Pair

HTTP_1_1: Final = "http/1.1"
HTTP_2: Final = "h2"
WARNING_SECONDS: Final = 24 * 3600.0  # between two words on a certificate out of its time

log = structlog.get_logger(__name__)


class Keeper:
    """The pair in use; made before the workers are forked, who follow by `follow`."""

    def __init__(self, pair: Pair, *, has_http2: bool = True) -> None:
        """Read the pair; CertificateError."""
        self.pair = pair
        self.protocols = (HTTP_2, HTTP_1_1) if has_http2 else (HTTP_1_1,)
        self.seen = self.changing = _traces(pair)  # of the files, as they were taken or refused
        self.context: ssl.SSLContext
        self.context, self.facts = make_context(pair, self.protocols)
        self._shared = mmap.mmap(-1, NUMBER.size)
        self.generation = 0
        self._tell("Serving TLS")

    # --- in the main process ---

    def look(self, *, is_asked: bool = False) -> None:
        """Take a new pair if the files have changed: at once when asked, else once they rest."""
        if time.monotonic() - self.warned_at > WARNING_SECONDS:
            self._warn()
        traces = _traces(self.pair)
        if traces == self.seen:
            return
        if traces != self.changing and not is_asked:
            self.changing = traces
            return
        self.seen = self.changing = traces
        try:
            self.context, self.facts = make_context(self.pair, self.protocols)
        except CertificateError as error:
            log.error("The new certificate is refused, the old one stays", reason=str(error))  # noqa: TRY400  # its text says it all
            return
        self.generation += 1
        NUMBER.pack_into(self._shared, 0, self.generation)
        self._tell("The certificate was renewed")

    def _tell(self, event: str) -> None:
        """Log what is served from now on, and warn of its time."""
        facts = self.facts
        log.info(event, names=", ".join(facts.names), not_after=facts.not_after.isoformat())
        self._warn()

    def _warn(self) -> None:
        """Warn of a certificate out of its time, or soon to be."""
        self.warned_at = time.monotonic()
        if warning := self.facts.warning():
            begin, end = self.facts.not_before.isoformat(), self.facts.not_after.isoformat()
            log.warning(warning, not_before=begin, not_after=end)

    # --- in a worker ---

    def follow(self) -> None:
        """Do as the main process did; tried again while the files are just being replaced."""
        (generation,) = NUMBER.unpack_from(self._shared, 0)
        if generation == self.generation:
            return
        try:
            self.context, _ = make_context(self.pair, self.protocols)
        except CertificateError:
            return  # the main process says so, if it stays like this
        self.generation = generation


NUMBER: Final = Struct("=Q")


def _traces(pair: Pair) -> tuple[tuple[int, ...], ...]:
    """Note what tells a file from what it was, or that it is not there."""
    traces: list[tuple[int, ...]] = []
    for path in (pair.certificate, pair.key):
        try:
            facts = path.stat()
        except OSError:
            traces.append(())
        else:
            traces.append((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))
    return tuple(traces)
