"""Reads XML documents of requests into dicts of AWS's member names, strictly by their schema.

The parser walks the schema as it reads, so nothing outside of it is ever built: an unknown or
repeated element, a missing one, text where elements belong, a DTD or a wrong value is
MalformedXML at once, as AWS answers (REF in `quirks`: "did not validate against our published
schema"), and depth is bounded by the schema. Namespaces are not looked at, as S3 does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat  # hardened below: no DTD, hence no entities

from s3api.errors import S3Error
from s3api.protocol import quirks
from s3api.protocol.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.protocol.model import Member, Shape

DOCUMENT_BYTES_MAX: Final = 8 * 1024**2  # 10,000 parts with every checksum, 1,000 escaped keys
ITEMS_MAX: Final = 10_000  # the longest list of S3: the parts of an upload
STEP_BYTES: Final = 64 * 1024  # and so long a tag may be: megabytes of attributes take seconds
SEPARATOR: Final = " "  # between namespace and name; neither can hold one
INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(slots=True)
class Element:
    """What may stand in the document, and what it becomes."""

    member: str  # its name in the parent's dict
    kind: str  # structure, list, or the kind of a scalar
    is_scalar: bool
    convert: Callable[[str], Any] | None = None  # of a scalar
    repeats: bool = False  # it is an item: of its parent, or of a flattened list
    children: dict[str, Element] = field(default_factory=dict)
    attributes: dict[str, Element] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


class MalformedDocumentError(Exception):
    """The document is not what its schema says; as the cause of a refusal it says where."""


# --- compiling the schema -----------------------------------------------------------------------


def compile_reader(root: str, shape: Shape) -> Callable[[bytes], dict[str, Any]]:
    """Make the reader of a document whose root element has that name and shape.

    The reader raises S3Error: MalformedXML (MalformedACLError for an access control list), or
    MaxMessageLengthExceeded.
    """
    schema = _element("", shape)
    code = quirks.MALFORMED.get(root, "MalformedXML")

    def read(document: bytes) -> dict[str, Any]:
        if len(document) > DOCUMENT_BYTES_MAX:
            raise S3Error("MaxMessageLengthExceeded")
        reading = _Reading(root, schema)
        try:
            return reading.read(document)
        except (MalformedDocumentError, expat.ExpatError, ValueError):
            raise S3Error(code) from MalformedDocumentError(reading.place)

    return read


def _element(member: str, shape: Shape, *, repeats: bool = False) -> Element:
    required = shape.required - quirks.OPTIONAL_ELEMENTS.get(shape.name, frozenset())
    is_scalar = shape.kind not in {"structure", "list"}
    element = Element(member, shape.kind, is_scalar, repeats=repeats, required=required)
    if shape.kind == "structure":
        for child in shape.members:
            places = element.attributes if child.is_attribute else element.children
            places[child.wire.rpartition(":")[2]] = _child(child)
    elif shape.item is not None:
        element.children[shape.item.wire] = _element("", shape.item.shape, repeats=True)
    else:
        element.convert = _converter(member, shape)
    return element


def _child(member: Member) -> Element:
    if member.is_flattened and member.shape.item is not None:
        return _element(member.name, member.shape.item.shape, repeats=True)
    return _element(member.name, member.shape)


def _converter(member: str, shape: Shape) -> Callable[[str], Any] | None:
    if shape.enum:
        return _enumeration(shape.enum)
    if shape.kind == "boolean":
        return _lenient_boolean if member in quirks.LENIENT_BOOLEANS else _boolean
    if shape.kind in {"integer", "long"}:
        return _integer(quirks.INT32_MAX if shape.kind == "integer" else quirks.INT64_MAX)
    if shape.kind == "timestamp":
        return _timestamp
    return None


def _enumeration(values: frozenset[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        value = text.strip()
        if value not in values:
            raise MalformedDocumentError
        return value

    return convert


def _integer(limit: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        digits = text.strip()
        if INTEGER.fullmatch(digits) is None or abs(value := int(digits)) > limit:
            raise MalformedDocumentError
        return value

    return convert


def _boolean(text: str) -> bool:
    value = BOOLEANS.get(text.strip().lower())
    if value is None:
        raise MalformedDocumentError
    return value


def _lenient_boolean(text: str) -> bool:
    return BOOLEANS.get(text.strip().lower(), False)


def _timestamp(text: str) -> int:
    value = parse_timestamp(text.strip())
    if value is None:
        raise MalformedDocumentError
    return value


# --- reading ------------------------------------------------------------------------------------


class _Reading:
    """One document on its way through the parser."""

    def __init__(self, root: str, schema: Element) -> None:
        self._root = root
        self._schema = schema
        self._open: list[tuple[Element, Any]] = []  # the path from the root, and what it holds
        self._text: list[str] = []
        self._names: dict[str, str] = {}  # of tags, without their namespaces
        self._result: dict[str, Any] | None = None
        self._parser = expat.ParserCreate("utf-8", SEPARATOR)
        self._tag = ""  # the last one that was read

    @property
    def place(self) -> str:
        """Say, for people, how far it was read."""
        name = self._tag.rpartition(SEPARATOR)[2]
        near = f", near <{name}>" if name else ""
        return f"line {self._parser.CurrentLineNumber}{near}"

    def read(self, document: bytes) -> dict[str, Any]:
        # UTF-8 whatever the document declares, and no UTF-16 that its mark would declare: one
        # reading for every reader of it.
        document.decode()
        parser = self._parser
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._text.append
        parser.EndElementHandler = self._end
        try:
            self._feed(document)
        finally:  # they make a circle with the parser, which only the collector would find
            parser.StartDoctypeDeclHandler = parser.StartElementHandler = None
            parser.CharacterDataHandler = parser.EndElementHandler = None
        assert self._result is not None, "a well-formed document has a root"
        return self._result

    def _feed(self, document: bytes) -> None:
        parser, end = self._parser, STEP_BYTES
        while end < len(document):
            parser.Parse(document[end - STEP_BYTES : end], False)  # noqa: FBT003  # by position only
            if end - parser.CurrentByteIndex > STEP_BYTES:
                raise MalformedDocumentError  # a tag without an end
            end += STEP_BYTES
        parser.Parse(document[end - STEP_BYTES :], True)  # noqa: FBT003

    def _refuse_doctype(self, *_: object) -> None:
        raise MalformedDocumentError

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._tag = tag
        name = self._names.get(tag)
        if name is None:
            name = self._names[tag] = tag.rpartition(SEPARATOR)[2]
        if self._open:
            element = self._open[-1][0].children.get(name)
        else:
            element = self._schema if name == self._root else None
        if element is None:
            raise MalformedDocumentError
        if self._text:
            self._drop_blanks()
        value: Any = None if element.is_scalar else [] if element.kind == "list" else {}
        for attribute, text in attributes.items():
            known = element.attributes.get(attribute.rpartition(SEPARATOR)[2])
            if known is not None:
                value[known.member] = known.convert(text) if known.convert else text
        self._open.append((element, value))

    def _drop_blanks(self) -> None:
        """Take the text read since the last tag: between elements only blanks may stand."""
        text = "".join(self._text)
        self._text.clear()
        if text.strip():
            raise MalformedDocumentError

    def _end(self, tag: str) -> None:
        self._tag = tag
        element, value = self._open.pop()
        if element.is_scalar:
            value = "".join(self._text)
            self._text.clear()
            if element.convert is not None:
                value = element.convert(value)
        else:
            if self._text:
                self._drop_blanks()
            if element.kind == "structure" and not element.required <= value.keys():
                raise MalformedDocumentError
        if not self._open:
            self._result = value
        elif element.repeats:
            self._attach(element, value)
        else:
            holder = self._open[-1][1]
            if element.member in holder:
                raise MalformedDocumentError
            holder[element.member] = value

    def _attach(self, element: Element, item: Any) -> None:
        """Add an item to its list, or to the flattened one in its parent."""
        _, holder = self._open[-1]
        items = holder if isinstance(holder, list) else holder.setdefault(element.member, [])
        if len(items) >= ITEMS_MAX:
            raise MalformedDocumentError
        items.append(item)
