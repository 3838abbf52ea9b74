"""Keeps the certificate that new connections get, and follows its files while S4 runs.

The main process looks at the files once a second, alone, takes a new pair once it has been quiet
for that long, and tells the workers by a number in memory that they share. Connections that exist
keep what they were opened with. Knows nothing of sockets.
"""

from __future__ import annotations

import mmap
from struct import Struct
from typing import TYPE_CHECKING, Final

import structlog

from s4project.tls.certificate import CertificateError, make_context

if TYPE_CHECKING:
    import ssl

    from s4project.tls.certificate import Facts, Pair

HTTP_1_1: Final = "http/1.1"
HTTP_2: Final = "h2"

log = structlog.get_logger(__name__)


class Keeper:
    """The pair in use; made before the workers are forked, who follow by `follow`."""

    def __init__(self, pair: Pair, *, has_http2: bool = True) -> None:
        """Read the pair; CertificateError."""
        self.pair = pair
        self.protocols = (HTTP_2, HTTP_1_1) if has_http2 else (HTTP_1_1,)
        self.seen = self.changing = _traces(pair)  # of the files, as they were taken or refused
        self.context: ssl.SSLContext
        self.context, facts = make_context(pair, self.protocols)
        self._shared = mmap.mmap(-1, NUMBER.size)
        self.generation = 0
        _tell("Serving TLS", facts)

    # --- in the main process ---

    def look(self, *, is_asked: bool = False) -> None:
        """Take a new pair if the files have changed: at once when asked, else once they rest."""
        traces = _traces(self.pair)
        if traces == self.seen:
            return
        if traces != self.changing and not is_asked:
            self.changing = traces
            return
        self.seen = self.changing = traces
        try:
            self.context, facts = make_context(self.pair, self.protocols)
        except CertificateError as error:
            log.error("The new certificate is refused, the old one stays", reason=str(error))  # noqa: TRY400  # its text says it all
            return
        self.generation += 1
        NUMBER.pack_into(self._shared, 0, self.generation)
        _tell("The certificate was renewed", facts)

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


def _tell(event: str, facts: Facts) -> None:
    """Log what is served from now on, and warn of its time."""
    names, end = ", ".join(facts.names), facts.not_after.isoformat()
    log.info(event, names=names, not_after=end)
    if warning := facts.warning():
        log.warning(warning, not_before=facts.not_before.isoformat(), not_after=end)
