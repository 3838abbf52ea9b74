"""S3's wire contract, compiled once from AWS's service model: the facade of the room.

`route` names the operation of a request, `Operation.bind` reads its input, `Operation.render`
writes its output, `render_error` writes a refusal. Knows names and shapes only; whether a request
is allowed, sensible or implemented is for others to say.

    s3.json     AWS's model, without its prose      quirks      what AWS does beside it, cited
    model       both, as values                     router      request -> operation
    binder      headers, query, document -> dict    xml_reader  document -> dict
    xml_writer  dict -> status, headers, document   xml_tables  the rows of listings, in columns
    xml_text    what is escaped                     timestamps  times on the wire
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from s3api.protocol import quirks
from s3api.protocol.binder import Bind, compile_binder
from s3api.protocol.model import (
    Level,
    OperationModel,
    is_streamed,
    load_operations,
    reads_document,
)
from s3api.protocol.router import Headers, find_operation
from s3api.protocol.xml_reader import DOCUMENT_BYTES_MAX
from s3api.protocol.xml_tables import Table
from s3api.protocol.xml_writer import Rendered, compile_renderer, render_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.http.query import Query

__all__ = ["OPERATIONS", "Level", "Operation", "Rendered", "Table", "render_error", "route"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One S3 operation under its AWS name, and its codec.

    Two are not in AWS's model: `PostObject` (a browser's form) and `OptionsObject` (a CORS
    preflight). `bind(bucket, key, query, header_items, body)` reads the input, `render(output)`
    writes the answer; both speak of AWS's member names.
    """

    name: str
    streams_input: bool  # the body is an object's bytes: bind is given b""
    streams_output: bool  # the body is an object's bytes: render leaves it to others
    reads_body: bool  # bind wants the whole body: an XML document, or a policy
    document_bytes_max: int
    demands_checksum: bool  # S3 refuses the document without Content-MD5 or an x-amz-checksum-*
    bind: Bind
    render: Callable[[dict[str, Any]], Rendered]


def _compile(model: OperationModel) -> Operation:
    return Operation(
        name=model.name,
        streams_input=is_streamed(model.input),
        streams_output=is_streamed(model.output),
        reads_body=reads_document(model),
        document_bytes_max=quirks.DOCUMENT_BYTES_MAX.get(model.name, DOCUMENT_BYTES_MAX),
        demands_checksum=model.name in quirks.CHECKSUM_DEMANDED,
        bind=compile_binder(model),
        render=compile_renderer(model),
    )


OPERATIONS: Final = {model.name: _compile(model) for model in load_operations()}


def route(method: str, level: Level, query: Query, headers: Headers) -> Operation:
    """Find the operation of a request, or refuse it: nothing falls through to another one.

    Raises S3Error, see `router.find_operation`.
    """
    return OPERATIONS[find_operation(method, level, query, headers)]
