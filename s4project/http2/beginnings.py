"""How a connection begins in the h2 library, with which bounds, and a request behind a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings

from s3api.errors import S3Error
from s4project.forwarding import Malformed

if TYPE_CHECKING:
    from hpack import Encoder

    from s4project.forwarding import Proxies
    from s4project.http2.head import Head

HEADER_TABLE_BYTES: Final = 4096  # RFC 9113, 6.5.2: of a client that says nothing of it
CONFIG: Final = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_outbound_headers=False,  # ours: `stream` makes them as they must be
    normalize_outbound_headers=False,
)


def begin(streams: int, head_bytes: int) -> H2Connection:
    """Make the library's side of a connection, with our bounds from the first byte on."""
    h2 = H2Connection(CONFIG)
    bounds = {
        SettingCodes.MAX_CONCURRENT_STREAMS: streams,
        SettingCodes.MAX_HEADER_LIST_SIZE: head_bytes,
    }
    h2.local_settings = Settings(client=False, initial_values=bounds)
    h2.decoder.max_header_list_size = head_bytes
    return h2


def bound_headers(encoder: Encoder) -> None:
    """Use no more of the client's memory of headers than HTTP/2 begins with.

    It has a copy here, which is searched for every header: what a client allows would cost us.
    """
    if encoder.header_table_size > HEADER_TABLE_BYTES:
        encoder.header_table_size = HEADER_TABLE_BYTES
        told = [size for size in encoder.table_size_changes if size <= HEADER_TABLE_BYTES]
        encoder.table_size_changes = told


def complete(head: Head, proxies: Proxies) -> None:
    """Let client and scheme be those that a trusted proxy tells of; S3Error."""
    try:
        host, scheme = proxies.origin(head.scope["headers"])
    except Malformed as error:
        raise S3Error("BadRequest", str(error)) from error
    if host is not None:
        head.scope["client"] = (host, 0)
    if scheme is not None:
        head.scope["scheme"] = scheme
