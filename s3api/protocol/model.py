"""AWS's S3 service model as values: operations, shapes, and where each member travels.

Read once at import from `s3.json` (botocore's model without its prose, see NOTICE) with the
amendments of `quirks`. Knows no request, no codec and no botocore.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from s3api.protocol import quirks

MODEL_PATH: Final = Path(__file__).with_name("s3.json")


class Level(StrEnum):
    """What the path of a request names."""

    SERVICE = "SERVICE"
    BUCKET = "BUCKET"
    OBJECT = "OBJECT"


@dataclass(frozen=True, slots=True)
class Shape:
    """A type of the model; `kind` is its Smithy type."""

    name: str
    kind: str
    members: tuple[Member, ...] = ()
    item: Member | None = None  # of a list
    required: frozenset[str] = frozenset()
    enum: frozenset[str] = frozenset()
    time_format: str = ""
    payload: str = ""
    namespace: tuple[str, str] | None = None  # prefix and URI that its attributes need
    is_event_stream: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure, or the item of a list."""

    name: str
    wire: str  # its element, attribute, header or query name
    shape: Shape
    location: str = ""  # "" is the body
    is_flattened: bool = False  # a list whose items stand in its own place
    is_attribute: bool = False


@dataclass(frozen=True, slots=True)
class OperationModel:
    """One operation: how it is named on the wire, what it takes and what it answers."""

    name: str
    method: str
    level: Level
    flags: tuple[str, ...]  # sub-resource names in the query
    values: tuple[tuple[str, str], ...]  # query parameters that must have one value
    status: int
    input: Shape | None
    input_root: str
    output: Shape | None
    is_deprecated: bool
    requires_checksum: bool


_LEVELS: Final = {
    "/": Level.SERVICE,
    "/{Bucket}": Level.BUCKET,
    "/{Bucket}/{Key+}": Level.OBJECT,
    "/WriteGetObjectResponse": Level.BUCKET,  # its own host, but a path like a bucket's
}


class _Shapes:
    """Turns the JSON shapes into `Shape`s, each once."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw
        self._made: dict[str, Shape] = {}

    def get(self, name: str | None) -> Shape | None:
        """Find a shape by name; None for none."""
        if name is None:
            return None
        if name not in self._made:
            self._made[name] = self._make(name, self._raw[name])
        return self._made[name]

    def _make(self, name: str, raw: dict[str, Any]) -> Shape:
        namespace = raw.get("xmlNamespace")
        like = self._raw[raw["like"]]["members"] if "like" in raw else {}
        named = like | raw.get("members", {})
        members = [self._member(key, value) for key, value in named.items()]
        order = {name: place for place, name in enumerate(quirks.ELEMENT_ORDER.get(name, ()))}
        members.sort(key=lambda member: order.get(member.name, len(order)))
        return Shape(
            name=name,
            kind="string" if name in quirks.VERBATIM_SHAPES else raw["type"],
            members=tuple(members),
            item=self._member("member", raw["member"]) if "member" in raw else None,
            required=frozenset(raw.get("required", ())),
            enum=frozenset() if name in quirks.OPEN_ENUMS else frozenset(raw.get("enum", ())),
            time_format=raw.get("timestampFormat", ""),
            payload=raw.get("payload", ""),
            namespace=(namespace["prefix"], namespace["uri"]) if namespace else None,
            is_event_stream=raw.get("eventstream", False),
        )

    def _member(self, name: str, raw: dict[str, Any]) -> Member:
        of = self._raw[raw["shape"]]
        shape = self.get(raw["shape"])
        assert shape is not None, "named by a member"
        is_flattened = raw.get("flattened", False) or of.get("flattened", False)
        wire = raw.get("locationName") or of.get("locationName") or name
        if is_flattened and shape.item is not None and shape.item.wire != "member":
            wire = shape.item.wire
        return Member(
            name=name,
            wire=wire,
            shape=shape,
            location=raw.get("location", ""),
            is_flattened=is_flattened,
            is_attribute=raw.get("xmlAttribute", False),
        )


def _operation(name: str, raw: dict[str, Any], shapes: _Shapes) -> OperationModel:
    path, _, query = raw["uri"].partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    return OperationModel(
        name=name,
        method=raw["method"],
        level=_LEVELS[path],
        flags=tuple(name for name, value in pairs if not value),
        values=tuple(pair for pair in pairs if pair[1]),
        status=quirks.STATUS.get(name, raw.get("status", 200)),
        input=shapes.get(raw.get("input")),
        input_root=raw.get("inputRoot", ""),
        output=shapes.get(raw.get("output")),
        is_deprecated=raw.get("deprecated", False),
        requires_checksum=raw.get("checksumRequired", False),
    )


@cache
def load_operations() -> tuple[OperationModel, ...]:
    """Read every operation of the model, and those that AWS serves without modelling them."""
    raw = json.loads(MODEL_PATH.read_bytes())
    shapes = _Shapes(raw["shapes"] | quirks.EXTRA_SHAPES)
    return tuple(
        _operation(name, operation, shapes)
        for name, operation in (raw["operations"] | quirks.EXTRA_OPERATIONS).items()
    )


def body_shape(operation: OperationModel) -> Shape | None:
    """Answer the input shape reduced to the members that its document holds; None for none."""
    shape = operation.input
    members = tuple(member for member in shape.members if not member.location) if shape else ()
    if shape is None or not members:
        return None
    return replace(shape, members=members, required=shape.required & {m.name for m in members})


def payload_of(shape: Shape | None) -> Member | None:
    """Answer the member that is the whole body of a message of that shape."""
    members = shape.members if shape else ()
    return next((m for m in members if shape and m.name == shape.payload), None)


def is_streamed(shape: Shape | None) -> bool:
    """Say whether the body is a payload that never passes the codec."""
    payload = payload_of(shape)
    return payload is not None and (payload.shape.kind == "blob" or payload.shape.is_event_stream)


def reads_document(operation: OperationModel) -> bool:
    """Say whether an operation's body is a document: XML, or the text of a policy."""
    return body_shape(operation) is not None and not is_streamed(operation.input)
