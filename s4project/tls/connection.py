"""TLS on one connection: to the protocol inside it is a transport like that of TCP.

Done here, over OpenSSL's memory buffers, because the event loop's own TLS counts no handshakes,
cannot half-close, and answers plain HTTP with nothing a person could read. Knows nothing of
certificates' files nor of what HTTP says.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from s3api.errors import S3Error
from s4project.refusals import http11_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from uvicorn.server import ServerState

    from s4project.edge import Limits
    from s4project.tls.keeper import Keeper

HANDSHAKE_RECORD: Final = 0x16  # RFC 8446, 5.1: the first byte of every client that speaks TLS
Inner = asyncio.Protocol | asyncio.BufferedProtocol
READ_BYTES: Final = 64 * 1024
LOOKED_AT_BYTES: Final = 1024 * 1024  # dropped of a client that did not speak TLS


class TlsTransport(asyncio.Transport):
    """What the protocol inside reads from and writes to."""

    def __init__(self, connection: TlsConnection) -> None:
        super().__init__()
        self._connection = connection
        self._outer = connection.outer
        self._tls = connection.tls
        self._is_closed = False
        self.is_half_closed = False
        self.is_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Answer what is known of the connection; the socket is that of TCP."""
        if name == "sslcontext":
            return self._tls.context
        return self._outer.get_extra_info(name, default)

    @property
    def is_resting(self) -> bool:
        """Whether nothing of what comes is to be decrypted."""
        return self.is_paused or self.is_half_closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have what comes from now on."""
        self._connection.inner = cast("Inner", protocol)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if data and not self._is_closed:
            self._tls.write(data)
            self._connection.flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Encrypt and send several pieces at once."""
        if not self._is_closed:
            for data in list_of_data:
                if data:
                    self._tls.write(data)
            self._connection.flush()

    def get_write_buffer_size(self) -> int:
        """Tell how many bytes wait to be taken by the system."""
        return self._outer.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """Tell that it can half-close."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more comes, in TLS and in TCP; what the client sends is still read.

        But not decrypted: OpenSSL ends a connection on which something follows its goodbye.
        """
        if not self._is_closed:
            self._is_closed = self.is_half_closed = True
            self._say_goodbye()
            self._outer.write_eof()

    def _say_goodbye(self) -> None:
        """Send close_notify: without it the client must take the reply for one cut short."""
        with suppress(ssl.SSLError):  # that the client has not said it yet
            self._tls.unwrap()
        self._connection.flush()

    def close(self) -> None:
        """Close once all is sent."""
        if not self._is_closed and not self._outer.is_closing():
            self._say_goodbye()
        self._is_closed = True
        self._outer.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_closed = True
        self._outer.abort()

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be."""
        return self._outer.is_closing()

    def pause_reading(self) -> None:
        """Read no more until told."""
        self.is_paused = True
        self._outer.pause_reading()

    def resume_reading(self) -> None:
        """Read on, first what was read already of TCP."""
        self.is_paused = False
        self._outer.resume_reading()
        self._connection.loop.call_soon(self._connection.read)


class TlsConnection(asyncio.Protocol):
    """One connection to a port with TLS. Until its handshake is done it is swept like others."""

    def __init__(
        self,
        keeper: Keeper,
        limits: Limits,
        server_state: ServerState,
        handshakes: dict[TlsConnection, None],
        choose: Callable[[str | None], asyncio.Protocol],
    ) -> None:
        self.limits = limits
        self.server_state = server_state
        self.handshakes = handshakes  # of this worker in progress, oldest first
        self.choose = choose  # the protocol inside, by the name that was agreed on
        self.loop = asyncio.get_running_loop()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = keeper.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.outer: asyncio.Transport
        self.transport: TlsTransport
        self.inner: Inner | None = None
        self.since = self.loop.time()
        self.is_first = True  # nothing has come yet
        self.dropped_bytes = -1  # of a client that does not speak TLS; -1: it may
        self.is_reading = False

    # --- TCP's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; too many connections are cut, of too many handshakes the oldest."""
        self.outer = transport
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # sweeps like those
        self.handshakes[self] = None
        if len(self.handshakes) > self.limits.handshakes:
            next(iter(self.handshakes)).give_up()
        limits = self.limits
        if len(self.server_state.connections) > limits.connections + limits.connections_refused:
            self.give_up()

    def give_up(self) -> None:
        """Cut a connection whose handshake is not done."""
        self._forget()
        self.outer.abort()

    def _forget(self) -> None:
        self.handshakes.pop(self, None)
        self.server_state.connections.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol inside, and let go of it: its transport knows this connection."""
        self._forget()
        if self.inner is not None:
            inner, self.inner = self.inner, None
            del self.transport
            inner.connection_lost(exc)

    def eof_received(self) -> None:
        """Close as well: nothing that is asked after this can be answered."""
        if self.inner is not None:
            self.transport.close()

    def pause_writing(self) -> None:
        """Pass on that the client takes too slowly what is sent."""
        if self.inner is not None:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that it goes on."""
        if self.inner is not None:
            self.inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Decrypt what came."""
        if self.dropped_bytes >= 0:
            self._drop(len(data))
            return
        if self.is_first:
            self.is_first = False
            if data[0] != HANDSHAKE_RECORD:
                self._refuse_plain_text(data)
                return
        if self.inner is not None and self.transport.is_half_closed:
            cast("asyncio.Protocol", self.inner).data_received(data)  # it only counts
            return
        self.incoming.write(data)
        if self.inner is not None:
            self.read()
        else:
            self._shake_hands()

    # --- the handshake ---

    def _shake_hands(self) -> None:
        """Go on with the handshake; when it is done, let the protocol inside begin."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush()
            return
        except ssl.SSLError:  # the client's affair: an alert tells it why
            self.flush()
            self._forget()
            self.outer.close()
            return
        self.flush()
        self._forget()
        self.transport = TlsTransport(self)
        self.inner = self.choose(self.tls.selected_alpn_protocol())
        self.inner.connection_made(self.transport)
        self.read()

    def _refuse_plain_text(self, data: bytes) -> None:
        """Tell a client that forgot the s of https; close on whatever else does not speak TLS."""
        if not data[:1].isalpha():
            self.give_up()
            return
        error = S3Error("BadRequest", "This port speaks HTTPS: the URL must begin with https://.")
        self.outer.write(http11_refusal(error, self.server_state.default_headers))
        self.outer.write_eof()
        self.dropped_bytes = len(data)

    def _drop(self, byte_count: int) -> None:
        """Read on without listening, so that the client gets to read the refusal."""
        self.dropped_bytes += byte_count
        if self.dropped_bytes > LOOKED_AT_BYTES:
            self.give_up()

    def shutdown(self) -> None:
        """End, unless a handshake is in progress: it is finished, then closed in order."""
        if self.is_first or self.dropped_bytes >= 0:
            self.give_up()

    def sweep(self, now: float) -> None:
        """Cut the connection if its handshake takes too long."""
        if now - self.since > self.limits.handshake_seconds:
            self.give_up()

    # --- after the handshake ---

    def flush(self) -> None:
        """Send what was encrypted."""
        if self.outgoing.pending:
            self.outer.write(self.outgoing.read())

    def _hand_over(self, inner: Inner) -> int:
        """Decrypt a record, for a large body into its own memory; answer how many bytes."""
        if isinstance(inner, asyncio.BufferedProtocol):
            buffer = memoryview(inner.get_buffer(READ_BYTES))
            # The type is that of a reading without a buffer.
            count = cast("int", self.tls.read(len(buffer), cast("bytearray", buffer)))
            if count:
                inner.buffer_updated(count)
            return count
        data = self.tls.read(READ_BYTES)
        if data:
            inner.data_received(data)
        return len(data)

    def read(self) -> None:
        """Hand what can be decrypted to the protocol inside, as long as it wants more."""
        if self.is_reading or self.inner is None:
            return
        self.is_reading = True
        try:
            while not (self.transport.is_resting or self.outer.is_closing()):
                if not self._hand_over(self.inner):
                    self.transport.close()  # the client has said that nothing more comes
        except ssl.SSLWantReadError:
            self.flush()  # such as the answer to a change of keys
        except ssl.SSLZeroReturnError:  # the same, when both have said it
            self.transport.close()
        except ssl.SSLError:  # not what the client encrypted
            self.flush()
            self.transport.abort()
        finally:
            self.is_reading = False
