"""XML documents as the schema of an operation has them, and then as it does not.

A document is drawn as a tree of the model's shapes, with values that are right more often than
not, written out, and now and then spoilt: so the reader is reached in its depth.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from s3api.protocol.model import body_shape, load_operations, payload_of, reads_document
from tests.fuzz import texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.protocol.model import Member, OperationModel, Shape

MODELS: Final = {model.name: model for model in load_operations()}
WITH_DOCUMENT: Final = sorted(name for name, model in MODELS.items() if reads_document(model))
DEPTH_MAX: Final = 5
XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
ALWAYS: Final = frozenset({"Parts", "PartNumber", "ETag"})  # the model calls them optional
NAMESPACE: Final = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
LONG_LIST: Final = 10_050
IN_ALPHA: Final = ["arn:aws:s3:::alpha", "arn:aws:s3:::alpha/*"]
ANYBODY: Final[dict[str, Any]] = {"Effect": "Allow", "Principal": "*", "Resource": IN_ALPHA}
POLICIES: Final = [
    json.dumps({"Version": "2012-10-17", "Statement": statement})
    for statement in (
        ANYBODY | {"Effect": "Deny", "Action": "s3:*"},
        ANYBODY | {"Principal": {"CanonicalUser": "<<other>>"}, "Action": "s3:GetObject*"},
        ANYBODY | {"Action": "s3:Get*", "Condition": {"IpAddress": {"aws:SourceIp": "::1/128"}}},
        ANYBODY | {"Action": "*", "Sid": "not a sid"},
        [],
    )
]
# Values that lead somewhere, by member.
USUAL: Final[dict[str, list[str]]] = {
    "Key": ["plain", "dir/one", "large", "k", "new", "none"],
    "ETag": ["<<etag>>", "<<part-etag>>", '"<<part-etag>>"'],
    "VersionId": ["null", "<<version>>", "0" * 16],
    "PartNumber": ["1", "2", "3", "0", "10001"],
    "Status": ["Enabled", "Suspended", "Disabled"],
    "LocationConstraint": ["us-east-1", "", "eu-west-1", "EU"],
    "AllowedMethod": ["GET", "PUT", "HEAD", "POST", "DELETE", "get", "PATCH"],
    "Days": ["1", "30", "0", "2147483647"],
    "Date": ["2030-01-01T00:00:00Z", "2020-02-02", "2030-01-01T00:00:01Z"],
    "ObjectSizeGreaterThan": ["0", "1000"],
    "ObjectSizeLessThan": ["1001", "0"],
    "AllowedOrigin": ["*", "http://a.example", "http://*.example", "*.*"],
    "AllowedHeader": ["*", "x-*", "x-amz-meta-a"],
    "ID": ["<<owner>>", "<<other>>", "f" * 64, "rule"],
    "URI": [
        "http://acs.amazonaws.com/groups/global/AllUsers",
        "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    ],
    "EmailAddress": ["owner@example.org", "nobody@example.org"],
    "type": ["CanonicalUser", "Group", "AmazonCustomerByEmail"],
}


def scalar(name: str, shape: Shape, *, is_wild: bool) -> st.SearchStrategy[str]:
    """Draw the text of one value; one that is not wild is of its type."""
    usual = _usual(name, shape)
    return texts.mostly(usual, texts.anything) if is_wild else usual


def _usual(name: str, shape: Shape) -> st.SearchStrategy[str]:
    if name in USUAL:
        return st.sampled_from(USUAL[name])
    if shape.enum:
        return st.sampled_from(sorted(shape.enum))
    if shape.kind == "boolean":
        return st.sampled_from(["true", "false"])
    if shape.kind in {"integer", "long"}:
        return st.one_of(st.integers(-2, 1100).map(str), texts.chosen(texts.NUMBERS))
    if shape.kind == "timestamp":
        return texts.chosen(texts.DATES)
    return texts.chosen(texts.PLAIN)


@dataclass(frozen=True, slots=True)
class How:
    """How an element is drawn, and how deep it lies."""

    is_wild: bool
    depth: int = 0

    def deeper(self) -> How:
        """Go one level down."""
        return How(self.is_wild, self.depth + 1)


def clean(text: str) -> str:
    """Leave out what XML cannot hold at all; spoilt documents have it again."""
    return "".join(character for character in text if character in "\t\n" or character >= " ")


@st.composite
def element(draw: st.DrawFn, tag: str, name: str, shape: Shape, how: How) -> str:
    """Draw one element with all that stands in it."""
    if shape.kind == "structure":
        attributes = inner = ""
        for member in _drawn(draw, shape, how):
            if member.is_attribute:
                text = clean(draw(scalar("type", member.shape, is_wild=how.is_wild)))
                attributes += f" {XSI} xsi:type={quoteattr(text)}"
            elif not member.location and how.depth < DEPTH_MAX:
                inner += draw(child(member, how.deeper()))
        return f"<{tag}{attributes}>{inner}</{tag}>"
    if shape.item is not None:
        items = draw(repeated(shape.item.wire, name, shape.item.shape, how.deeper()))
        return f"<{tag}>{items}</{tag}>"
    return f"<{tag}>{escape(clean(draw(scalar(name, shape, is_wild=how.is_wild))))}</{tag}>"


def _drawn(draw: st.DrawFn, shape: Shape, how: How) -> list[Member]:
    """Choose members: those that are needed, unless it is wild, and some of the others."""
    chosen = draw(st.sets(st.sampled_from(shape.members))) if shape.members else set()
    needed = set() if how.is_wild and draw(st.booleans()) else shape.required | ALWAYS
    return [member for member in shape.members if member in chosen or member.name in needed]


@st.composite
def repeated(draw: st.DrawFn, tag: str, name: str, shape: Shape, how: How) -> str:
    """Draw the items of a list, now and then none."""
    count = draw(st.sampled_from([1, 1, 1, 2, 3, 0]))
    return "".join(draw(element(tag, name, shape, how)) for _ in range(count))


def child(member: Member, how: How) -> st.SearchStrategy[str]:
    """Draw what stands for one member."""
    if member.is_flattened and member.shape.item is not None:
        return repeated(member.wire, member.name, member.shape.item.shape, how)
    return element(member.wire, member.name, member.shape, how)


def root_of(model: OperationModel) -> tuple[str, Shape]:
    """Name the root of an operation's document, and its shape."""
    shape = body_shape(model)
    assert shape is not None, "an operation with a document"
    payload = payload_of(shape)
    if payload is None:
        return model.input_root, shape
    return payload.wire, payload.shape


def cut(text: str, place: int) -> str:
    """End a document early."""
    return text[: place % (len(text) + 1)]


def long_list(text: str, place: int) -> str:
    """Repeat a piece of the document more often than any list may be long."""
    start = text.find("<", 1 + place % max(1, len(text) - 1))
    end = text.find(">", start)
    close = text.find("</", end)
    stop = text.find(">", close) + 1
    if start < 0 or not 0 < close < stop or stop - start > 200:
        return text
    return text[:start] + text[start:stop] * LONG_LIST + text[stop:]


def deep(text: str, place: int) -> str:
    """Nest the document in itself."""
    depth = (10, 1000, 50_000)[place % 3]
    return "<a>" * depth + text + "</a>" * depth


def _inserted(piece: str) -> Callable[[str, int], str]:
    def insert(text: str, place: int) -> str:
        at = place % (len(text) + 1)
        return text[:at] + piece + text[at:]

    return insert


def _before(piece: str) -> Callable[[str, int], str]:
    return lambda text, _: piece + text


def _in_root(attributes: str) -> Callable[[str, int], str]:
    return lambda text, _: text.replace(">", attributes + ">", 1)


def prefixed(text: str, _: int) -> str:
    """Give all names a prefix that nobody declares."""
    return text.replace("<", "<p:").replace("<p:/", "</p:")


SPOILERS: Final[list[Callable[[str, int], str]]] = [
    *(cut, cut, deep, long_list, prefixed),
    *map(_inserted, ["<Unknown/>", "&e;", "\x00", "&#x0;", "&#xd800;", "text", "<![CDATA[x]]>"]),
    _before('<!DOCTYPE a [<!ENTITY e "x">]>'),
    _before('<!DOCTYPE a SYSTEM "file:///etc/passwd">'),
    _before('<?xml version="1.0" encoding="UTF-16"?>'),
    _before('<?xml version="1.0" encoding="latin-1" standalone="no"?>'),
    *map(_before, ['<?xml version="1.1"?>', "\ufeff", ' \n<?xml version="1.0"?>', "<Extra/>"]),
    *map(_in_root, [' a="1" a="2"', ' xmlns="urn:x"', ' xmlns:p="urn:x"', " b"]),
    lambda text, place: _in_root(' xmlns:p="u"')(prefixed(text, place), 0),
    lambda text, _: f"<Wrong>{text}</Wrong>",
    lambda text, _: text + text,
    lambda text, _: text + "<!-- end -->\n",
    lambda text, _: text.replace("</", "< /", 1),
    lambda text, _: text.upper(),
    lambda _, __: "",
]
CODINGS: Final = ["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7"]


@st.composite
def documents(draw: st.DrawFn, name: str, *, is_wild: bool = True) -> bytes:
    """Draw a document for an operation; one that is not wild is as its schema has it."""
    tag, shape = root_of(MODELS[name])
    if is_wild and draw(st.sampled_from(range(10))) == 0:
        return draw(st.one_of(texts.raw_bytes, texts.anything.map(str.encode)))
    root = element(tag, "", shape, How(is_wild))
    text = draw(root if shape.kind == "structure" else st.sampled_from(POLICIES))
    coding = "utf-8"
    if is_wild and draw(st.booleans()):
        for _ in range(draw(st.sampled_from([1, 1, 2]))):
            text = draw(st.sampled_from(SPOILERS))(text, draw(st.integers(0, 4000)))
        coding = draw(st.sampled_from(CODINGS))
    return text.encode(coding, "surrogatepass")
