"""Writes outputs, given by AWS's member names, as status, headers and XML document.

Everything about an operation is decided once, at import; a call only looks up what it was given.
A member that is None is left out. The row of a listing is generated code (see `_generate_rows`).
"""

from __future__ import annotations

import linecache
import re
from base64 import b64encode
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from s3api.protocol import quirks
from s3api.protocol.model import is_streamed, payload_of
from s3api.protocol.timestamps import (
    MINUTE_MS,
    SECOND_MS,
    SECONDS,
    exact_iso_date,
    http_date,
    iso_date,
    minute,
)

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

# XML 1.0 cannot carry most control characters at all; S3 writes them as references all the same,
# which only encoding-type=url avoids (GUIDE object-keys, "XML related object key constraints"). A
# raw carriage return would be read back as a line feed.
_REFERENCES: Final = {
    code: f"&#x{code:x};" for code in (*range(32), 0xFFFE, 0xFFFF) if chr(code) not in "\t\n"
} | {ord("\r"): "&#13;"}
_UNPRINTABLE: Final = re.compile("[^\t\x20-\x7e\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A response but for its streamed payload: `body` is None where there is none to send here."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | None


def escape(text: str) -> str:
    """Write text so that it can stand in an element or an attribute.

    Looking before replacing makes the common case 0.1 us; `str.translate` would be 1.7 us.
    """
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    return text if text.isprintable() else text.translate(_REFERENCES)


def encode(document: str) -> bytes:
    """Encode a document; what UTF-8 cannot carry becomes a reference."""
    return document.encode("utf-8", "xmlcharrefreplace")


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
    if item.shape.name in quirks.ROWS:
        return _rows(member.wire, item.shape)
    write = _element(member.wire, item.shape)
    return lambda values: "".join(map(write, values))


# --- rows of listings -----------------------------------------------------------------------


def _interleaved(member: Member, parent: Shape) -> Write | None:
    """Make the writer of rows of two members in one order; None for a member of its own."""
    guest = quirks.INTERLEAVED.get(member.name)
    if guest is None:
        return None
    write_guests = next(_member(other) for other in parent.members if other.name == guest)
    write_own = _member(member)

    def write(rows: list[dict[str, Any]]) -> str:
        return "".join(
            write_guests([row[guest] for row in group]) if is_guest else write_own(list(group))
            for is_guest, group in groupby(rows, key=lambda row: guest in row)
        )

    return write


def _rows(tag: str, shape: Shape) -> Write:
    """Make the writer of a listing's rows: generated code, or the general one for odd rows."""
    general = _element(tag, shape)
    generated = _generate_rows(tag, shape)
    names = frozenset(member.name for member in shape.members)
    always = quirks.ROWS[shape.name]

    def write(rows: list[dict[str, Any]]) -> str:
        assert not rows or rows[0].keys() <= names, f"{shape.name} has no {rows[0].keys() - names}"
        try:
            is_odd = any(None in [row[name] for row in rows] for name in always)
        except KeyError:
            is_odd = True
        return "".join(map(general, rows)) if is_odd else generated(rows)

    return write


def _generate_rows(tag: str, shape: Shape) -> Write:
    """Generate the writer of rows of one shape as one f-string, and compile it.

    The only use of `exec` in S4: a page of 1,000 keys costs a third of what closures cost. The
    source is built from the model alone and registered with linecache, so tracebacks show it.
    """
    names: dict[str, Any] = {"escape": escape, "minute": minute, "second": SECONDS, "once": _once}
    row = ""
    for number, member in enumerate(shape.members):
        place = f"row[{member.name!r}]"
        if member.name in quirks.ROWS[shape.name]:
            row += f"<{member.wire}>{{{_inline(member.shape, place)}}}</{member.wire}>"
        else:
            names[f"write{number}"] = _member(member)
            row += f"{{memo{number}({place}) if {member.name!r} in row else ''}}"
    memos = "".join(
        f"    memo{name.removeprefix('write')} = once({name})\n"
        for name in names
        if name.startswith("write")
    )
    page = f'    return "".join([f"<{tag}>{row}</{tag}>" for row in rows])\n'
    source = f"def write(rows):\n{memos}{page}"
    filename = f"<rows of {shape.name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), names)  # noqa: S102  # the one place, see above
    write: Write = names["write"]
    return write


def _inline(shape: Shape, place: str) -> str:
    """Write the expression of a scalar that every row has."""
    if shape.kind == "timestamp":  # `iso_date`, without its call
        return f"minute({place} // {MINUTE_MS})}}{{second[{place} // {SECOND_MS} % 60]"
    if shape.kind == "boolean":
        return f"'true' if {place} else 'false'"
    return place if shape.enum or shape.kind in {"integer", "long"} else f"escape({place})"


def _once(write: Write) -> Write:
    """Write a value again only when it is another object: the rows of a page share one owner."""
    last: Any = None
    text = ""

    def write_once(value: Any) -> str:
        nonlocal last, text
        if value is not last:
            text = "" if value is None else write(value)
            last = value
        return text

    return write_once


# --- headers --------------------------------------------------------------------------------


def header_value(text: str) -> bytes:
    """Write text as a header's value: Latin-1 as it is, anything else as RFC 2047 words.

    Control characters become words too, so no value can end its line and begin another header.
    """
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
        assert output.keys() <= known, f"{operation.name} has no {output.keys() - known}"
        headers: list[tuple[bytes, bytes]] = []
        for name, value in output.items():
            slot = slots.get(name)
            if slot is not None and value is not None:
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
