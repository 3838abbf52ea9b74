"""Writes outputs, given by AWS's member names, as status, headers and XML document.

Everything about an operation is decided once, at import; a call only looks up what it was given.
A member that is None is left out. The rows of a listing may be given as a table (`xml_tables`),
which is written faster and no differently.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from s3api.protocol import quirks
from s3api.protocol.model import is_streamed, payload_of
from s3api.protocol.timestamps import exact_iso_date, http_date, iso_date
from s3api.protocol.xml_tables import Table, TableWriter
from s3api.protocol.xml_text import encode, escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.errors import S3Error
    from s3api.protocol.model import Member, OperationModel, Shape

    Write = Callable[[Any], str]
    Document = Callable[[dict[str, Any]], tuple[tuple[bytes, bytes], bytes | None]]

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
XML_TYPE: Final = (b"Content-Type", b"application/xml")
JSON_TYPE: Final = (b"Content-Type", b"application/json")

_UNPRINTABLE: Final = re.compile("[^\t\x20-\x7e\x80-\xff]")


class Rendered(NamedTuple):
    """A response but for its streamed payload: `body` is None where there is none to send here."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


# --- documents ----------------------------------------------------------------------------------


def _boolean(value: bool) -> str:  # noqa: FBT001  # it is the value to write
    return "true" if value else "false"


def _scalar(shape: Shape) -> Write:
    if shape.kind == "timestamp":
        return http_date if shape.time_format == "rfc822" else iso_date
    if shape.kind == "boolean":
        return _boolean
    return str if shape.kind in {"integer", "long"} else escape


def _tagged(tag: str, write: Write) -> Write:
    start, end = f"<{tag}>", f"</{tag}>"
    return lambda value: start + write(value) + end


def _children(shape: Shape) -> Write:
    """Make the writer of what stands inside a structure's element."""
    writers = [
        (member.name, _interleaved(member, shape) or _member(member))
        for member in shape.members
        if not member.location and not member.is_attribute
    ]
    names = frozenset(member.name for member in shape.members)

    def write(value: dict[str, Any]) -> str:
        assert value.keys() <= names, f"{shape.name} has no {value.keys() - names}"
        return "".join(
            [write(value[name]) for name, write in writers if value.get(name) is not None]
        )

    return write


def _element(tag: str, shape: Shape) -> Write:
    """Make the writer of one element."""
    if shape.kind == "structure":
        children = _children(shape)
        attributes = [member for member in shape.members if member.is_attribute]
        return _with_attributes(tag, shape, children) if attributes else _tagged(tag, children)
    if shape.item is not None:
        item = _element(shape.item.wire, shape.item.shape)
        return _tagged(tag, lambda values: "".join(map(item, values)))
    return _tagged(tag, exact_iso_date if tag in quirks.EXACT_TIMES else _scalar(shape))


def _with_attributes(tag: str, shape: Shape, children: Write) -> Write:
    """Make the writer of an element with attributes: a grantee and its xsi:type."""
    attributes = [member for member in shape.members if member.is_attribute]
    prefix, uri = shape.namespace or ("", "")

    def write(value: dict[str, Any]) -> str:
        given = "".join(
            f' {member.wire}="{escape(value[member.name])}"'
            for member in attributes
            if value.get(member.name) is not None
        )
        return f'<{tag} xmlns:{prefix}="{uri}"{given}>{children(value)}</{tag}>'

    return write


def _member(member: Member) -> Write:
    item = member.shape.item
    if not member.is_flattened or item is None:
        return _element(member.wire, member.shape)
    write = _element(member.wire, item.shape)
    if item.shape.name not in quirks.ROWS:
        return lambda values: "".join(map(write, values))
    table = TableWriter(member.wire, item.shape, _member)
    return lambda rows: table.write(rows) if isinstance(rows, Table) else "".join(map(write, rows))


def _interleaved(member: Member, parent: Shape) -> Write | None:
    """Make the writer of rows of two members in one order; None for a member of its own."""
    name = quirks.INTERLEAVED.get(member.name)
    if name is None:
        return None
    guest = next(other for other in parent.members if other.name == name)
    assert member.shape.item is not None
    assert guest.shape.item is not None
    pair = (member.wire, member.shape.item.shape), (guest.wire, guest.shape.item.shape)
    write_own, write_guest = (_element(*kind) for kind in pair)
    own, guests = (TableWriter(*kind, _member) for kind in pair)

    def write(rows: Table | list[dict[str, Any]]) -> str:
        if isinstance(rows, Table):
            return own.write_with(guests, rows)
        return "".join([write_guest(row[name]) if name in row else write_own(row) for row in rows])

    return write


# --- headers --------------------------------------------------------------------------------


def header_value(text: str) -> bytes:
    """Write text as a header's value: Latin-1 as it is, anything else as RFC 2047 words.

    Control characters become words too, so no value can end its line and begin another header.
    """
    if text.isascii() and text.isprintable():  # three times as fast as the search
        return text.encode()
    return _word(text) if _UNPRINTABLE.search(text) else text.encode("latin-1")


def _word(text: str) -> bytes:
    return b"=?UTF-8?B?" + b64encode(text.encode("utf-8", "replace")) + b"?="


def _header(member: Member) -> Callable[[Any], bytes]:
    shape = member.shape
    if shape.kind == "timestamp":
        write: Write = iso_date if shape.time_format == "iso8601" else http_date
        return lambda value: write(value).encode()
    if shape.kind in {"integer", "long"}:
        return lambda value: b"%d" % value
    if shape.kind == "boolean":
        return lambda value: b"true" if value else b"false"
    return header_value


def _metadata(metadata: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Write user metadata, non-ASCII as S3 does: RFC 2047 words (GUIDE UsingMetadata)."""
    return [
        (
            f"x-amz-meta-{name}".encode("latin-1", "replace"),
            header_value(value) if value.isascii() else _word(value),
        )
        for name, value in metadata.items()
    ]


# --- operations -----------------------------------------------------------------------------


def compile_renderer(operation: OperationModel) -> Callable[[dict[str, Any]], Rendered]:
    """Make the function that writes an operation's output."""
    members = operation.output.members if operation.output else ()
    slots = {
        member.name: (member.wire.encode(), _header(member))
        for member in members
        if member.location == "header"
    }
    known = frozenset(member.name for member in members)
    status, document = operation.status, _document(operation)

    def render(output: dict[str, Any]) -> Rendered:
        headers: list[tuple[bytes, bytes]] = []
        for name, value in output.items():
            slot = slots.get(name)
            if slot is None:
                assert name in known, f"{operation.name} has no {name}"
            elif value is not None:
                headers.append((slot[0], slot[1](value)))
        metadata = output.get("Metadata")
        if metadata:
            headers += _metadata(metadata)
        body = None
        if document is not None:
            content_type, body = document(output)
            if body is not None:
                headers.append(content_type)
        return Rendered(status, headers, body)

    return render


def _document(operation: OperationModel) -> Document | None:
    """Make the writer of an operation's document; None if it has none or streams it."""
    shape = operation.output
    if shape is None:
        return None
    payload = payload_of(shape)
    if payload is not None:
        return None if is_streamed(shape) else _payload(payload)
    if all(member.location for member in shape.members):
        return None
    root = quirks.ROOTS[operation.name]
    write = _root_text(root) if operation.name in quirks.ROOT_TEXT else _root(root, shape)
    return lambda output: (XML_TYPE, encode(write(output)))


def _payload(payload: Member) -> Document:
    """Make the writer of a payload member: an XML document, or the text of a policy."""
    name, shape = payload.name, payload.shape
    if shape.kind == "string":
        return lambda output: (JSON_TYPE, _if_given(str.encode, output.get(name)))
    write = _root(payload.wire, shape)
    return lambda output: (
        XML_TYPE,
        _if_given(lambda value: encode(write(value)), output.get(name)),
    )


def _if_given(write: Callable[[Any], bytes], value: Any) -> bytes | None:
    return None if value is None else write(value)


def _root(tag: str, shape: Shape) -> Write:
    children = _children(shape)
    namespace = "" if tag in quirks.BARE_ROOTS else f' xmlns="{NAMESPACE}"'
    start = f"{DECLARATION}<{tag}{namespace}>"
    return lambda output: f"{start}{children(output)}</{tag}>"


def _root_text(tag: str) -> Write:
    """Make the writer of the one document that is nothing but text, under its member's name."""
    start = f'{DECLARATION}<{tag} xmlns="{NAMESPACE}">'
    return lambda output: f"{start}{escape(output.get(tag) or '')}</{tag}>"


# --- refusals -------------------------------------------------------------------------------


def render_error(error: S3Error, *, resource: str, request_id: str, host_id: str) -> bytes:
    """Write a refusal as S3's Error document, which has no namespace (REF ErrorResponses).

    Its details stand between the message and the resource, in the order they were given.
    """
    elements = {
        "Code": error.code,
        "Message": error.message,
        **error.detail,
        "Resource": resource,
        "RequestId": request_id,
        "HostId": host_id,
    }
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in elements.items())
    return encode(f"{DECLARATION}<Error>{inner}</Error>")
