"""Reads a request's headers, query and document into a dict of AWS's member names.

One pass over what the request carries, each name looked up once; only members that came are in
the dict. A value that is not of its type is refused in S3's words; whether what came is enough and
makes sense is for the operations. Headers are kept as Latin-1, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from s3api.errors import S3Error
from s3api.protocol import quirks
from s3api.protocol.model import OperationModel, body_shape, payload_of, reads_document
from s3api.protocol.timestamps import parse_timestamp
from s3api.protocol.xml_reader import compile_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from s3api.http.query import Query
    from s3api.protocol.model import Member

    Convert = Callable[[str], Any]
    Slots = dict[Any, tuple[str, Convert | None]]  # wire name -> member, conversion

METADATA_PREFIX: Final = b"x-amz-meta-"
HOIST_PREFIX: Final = "x-amz-"
INTEGER: Final = re.compile(r"-?[0-9]+", re.ASCII)
INTEGER_DIGITS_MAX: Final = 19  # of a 64-bit integer


class Bind(Protocol):
    """Reads the input of one operation."""

    def __call__(
        self,
        bucket: str | None,
        key: str | None,
        query: Query,
        header_items: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> dict[str, Any]:
        """Read the members that the request carries.

        Times become integers of epoch milliseconds, lists and structures Python's own; header
        names are lower-case, as ASGI gives them. Raises S3Error for a malformed value or body.
        """


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one operation reads, compiled."""

    takes_bucket: bool
    takes_key: bool
    headers: Slots
    query: Slots
    metadata: str  # the member that x-amz-meta-* make, or ""
    document: Callable[[bytes], dict[str, Any]] | None


def compile_binder(operation: OperationModel) -> Bind:
    """Make the function that reads an operation's input."""
    plan = _plan(operation)
    headers, metadata = plan.headers, plan.metadata

    def bind(
        bucket: str | None,
        key: str | None,
        query: Query,
        header_items: Iterable[tuple[bytes, bytes]],
        body: bytes,
    ) -> dict[str, Any]:
        bound: dict[str, Any] = {}
        if bucket is not None and plan.takes_bucket:
            bound["Bucket"] = bucket
        if key is not None and plan.takes_key:
            bound["Key"] = key
        for name, value in header_items:
            slot = headers.get(name)
            if slot is not None:
                _put(bound, slot, value.decode("latin-1"))
            elif metadata and name.startswith(METADATA_PREFIX):
                _put_metadata(bound, metadata, name.decode("latin-1"), value.decode("latin-1"))
        if query.raw:
            _bind_query(bound, plan, query)
        if plan.document is not None:
            bound |= plan.document(body)
        return bound

    return bind


# --- binding --------------------------------------------------------------------------------


def _put(bound: dict[str, Any], slot: tuple[str, Convert | None], text: str) -> None:
    """Bind one header line; lines of one name are one value, RFC 9110 5.3."""
    member, convert = slot
    if convert is None:
        bound[member] = f"{bound[member]},{text}" if member in bound else text
        return
    value = convert(text)
    if value is None:
        return
    if member not in bound:
        bound[member] = value
    elif isinstance(value, list):
        bound[member] += value


def _put_metadata(bound: dict[str, Any], member: str, name: str, text: str) -> None:
    metadata = bound.setdefault(member, {})
    suffix = name[len(METADATA_PREFIX) :].lower()
    metadata[suffix] = f"{metadata[suffix]},{text}" if suffix in metadata else text


def _bind_query(bound: dict[str, Any], plan: _Plan, query: Query) -> None:
    """Bind the parameters, the first of a name (as S3 does), and the headers hoisted into them."""
    for name, text in query.items():
        slot = plan.query.get(name)
        if slot is not None:
            member, convert = slot
            if member not in bound:
                value = text if convert is None else convert(text)
                if value is not None:
                    bound[member] = value
        elif name[: len(HOIST_PREFIX)].lower() == HOIST_PREFIX:
            _bind_hoisted(bound, plan, name.lower(), text)


def _bind_hoisted(bound: dict[str, Any], plan: _Plan, name: str, text: str) -> None:
    """Bind a header that a presigned URL carries as a parameter; a real header wins."""
    slot = plan.headers.get(name.encode())
    if slot is not None and slot[0] not in bound:
        _put(bound, slot, text)
    elif plan.metadata and name.encode().startswith(METADATA_PREFIX):
        suffix = name[len(METADATA_PREFIX) :]
        if suffix not in bound.get(plan.metadata, {}):
            _put_metadata(bound, plan.metadata, name, text)


# --- compiling ------------------------------------------------------------------------------


def _plan(operation: OperationModel) -> _Plan:
    members = operation.input.members if operation.input else ()
    at = {location: [m for m in members if m.location == location] for location in _LOCATIONS}
    return _Plan(
        takes_bucket=any(member.name == "Bucket" for member in at["uri"]),
        takes_key=any(member.name == "Key" for member in at["uri"]),
        headers={
            member.wire.lower().encode(): (member.name, _header_conversion(member))
            for member in at["header"]
        },
        query={
            member.wire: (member.name, _query_conversion(member)) for member in at["querystring"]
        },
        metadata=at["headers"][0].name if at["headers"] else "",
        document=_document(operation),
    )


_LOCATIONS: Final = ("uri", "header", "headers", "querystring")


def _document(operation: OperationModel) -> Callable[[bytes], dict[str, Any]] | None:
    """Make the reader of an operation's document, as members to bind; None if it has none."""
    shape = body_shape(operation)
    if shape is None or not reads_document(operation):
        return None
    needed = bool(shape.required) or operation.name in quirks.DOCUMENT_REQUIRED
    payload = payload_of(shape)
    if payload is None:  # the members themselves are the document
        return _present(compile_reader(operation.input_root, shape), needed=needed)
    if payload.shape.kind != "structure":  # a policy, and none at all is a malformed one: RECORDED
        return lambda body: {payload.name: _policy_text(body)}
    read = compile_reader(payload.wire, payload.shape)
    return _present(lambda body: {payload.name: read(body)}, needed=needed)


def _present(
    read: Callable[[bytes], dict[str, Any]], *, needed: bool
) -> Callable[[bytes], dict[str, Any]]:
    def read_present(body: bytes) -> dict[str, Any]:
        if body:
            return read(body)
        if needed:
            raise S3Error("MissingRequestBodyError")
        return {}

    return read_present


def _policy_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise S3Error("MalformedPolicy") from error


def _header_conversion(member: Member) -> Convert | None:
    wire, shape = member.wire.lower(), member.shape
    if shape.item is not None:
        return _list(wire, shape.item.shape.enum)
    if wire in quirks.UTF8_HEADERS:
        return _utf8
    if shape.kind in {"integer", "long"}:
        return _header_integer(wire)
    if shape.kind == "timestamp":
        return _header_time(wire)
    if shape.kind == "boolean":
        return _header_boolean
    return _enumeration(wire, shape.enum) if shape.enum else None


def _query_conversion(member: Member) -> Convert | None:
    wire, shape = member.wire, member.shape
    if wire.startswith("response-"):
        return _header_override(wire)
    if wire == "partNumber":
        return _part_number
    if wire == "versionId":
        return _version_id
    if shape.kind == "integer":
        return _query_integer(wire)
    if shape.kind == "boolean":
        return _query_boolean
    return _enumeration(wire, shape.enum) if shape.enum else None


def _refusal(wire: str, value: str, code: str = "InvalidArgument", text: str = "") -> S3Error:
    if code != "InvalidArgument":
        return S3Error(code, text or None)
    return S3Error(code, text or None, ArgumentName=wire, ArgumentValue=value)


def _enumeration(wire: str, values: frozenset[str]) -> Convert:
    code, message = quirks.ENUM_REFUSALS.get(wire, ("InvalidArgument", ""))
    is_caseless = wire in quirks.CASELESS
    known = {value.lower() if is_caseless else value: value for value in values}

    def convert(text: str) -> str | None:
        value = known.get(text.lower() if is_caseless else text)
        if value is None:
            if text == "" and wire in quirks.EMPTY_IS_ABSENT:
                return None
            raise _refusal(wire, text, code, message.replace("{}", text))
        return value

    return convert


def _list(wire: str, values: frozenset[str]) -> Convert:
    """Read a list: `ETag,` is one item, `,ETag` begins with an empty one (MEASURED, see quirks)."""
    check = _enumeration(wire, values)

    def convert(text: str) -> list[str]:
        pieces = text.split(",")
        while len(pieces) > 1 and not pieces[-1]:
            pieces.pop()
        return [check(piece.strip()) for piece in pieces] if text.strip(",") else []

    return convert


def _utf8(text: str) -> str:
    """Read a header that names a key as UTF-8, or as the Latin-1 it came in."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _header_integer(wire: str) -> Convert:
    def convert(text: str) -> int:
        digits = text.strip()
        if INTEGER.fullmatch(digits) is None or len(digits) > INTEGER_DIGITS_MAX:
            raise S3Error("InvalidRequest", f"Value for {wire} header is invalid.")
        return int(digits)

    return convert


def _header_time(wire: str) -> Convert:
    def convert(text: str) -> int | None:
        value = parse_timestamp(text.strip())
        if value is None and wire not in quirks.LENIENT_DATES:
            raise _refusal(wire, text)
        return value

    return convert


def _header_boolean(text: str) -> bool:
    return text.strip().lower() == "true"


def _query_boolean(text: str) -> bool:
    """Read `fetch-owner`: only `true`, spelled so, is true, and nothing is refused: MEASURED."""
    return text == "true"


def _query_integer(wire: str) -> Convert:
    """Read an integer as S3 does: empty is absent, zeros lead, the value is a signed 32-bit one."""
    name, least, greatest = quirks.RANGES[wire]

    def convert(text: str) -> int | None:
        if text == "":
            return None
        sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
        digits = digits.lstrip("0") or "0"
        if INTEGER.fullmatch(text) is None or len(digits) > INTEGER_DIGITS_MAX:
            raise _refusal(wire, text, text=_NO_INTEGER.format(wire))
        value = int(sign + digits)
        if not -quirks.INT32_MAX - 1 <= value <= quirks.INT32_MAX:
            raise _refusal(wire, text, text=_NO_INTEGER.format(wire))
        if not least <= value <= greatest:
            message = f"Argument {name} must be an integer between {least} and {greatest}"
            raise _refusal(name, str(value), text=message)
        return value

    return convert


_NO_INTEGER: Final = "Provided {} not an integer or within integer range"


def _part_number(text: str) -> int:
    digits = text.lstrip("0")
    is_number = INTEGER.fullmatch(text) is not None and 0 < len(digits) <= INTEGER_DIGITS_MAX
    if not is_number or not 1 <= int(digits) <= quirks.PART_NUMBER_MAX:
        message = (
            f"Part number must be an integer between 1 and {quirks.PART_NUMBER_MAX}, inclusive"
        )
        raise _refusal("partNumber", text, text=message)
    return int(digits)


def _version_id(text: str) -> str:
    if not text:
        raise _refusal("versionId", text, text="Version id cannot be the empty string")
    return text


def _header_override(wire: str) -> Convert:
    """Read a response-* parameter: it must be able to stand in a header, on one line."""

    def convert(text: str) -> str:
        if any(character > "\xff" or (character < " " and character != "\t") for character in text):
            message = "Header value cannot be represented using ISO-8859-1."
            raise _refusal(wire, text, text=message)
        return text

    return convert
