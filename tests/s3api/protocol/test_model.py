"""The model as values: what `s3.json` says, with the quirks applied."""

from __future__ import annotations

from typing import Final

import pytest

from s3api.protocol.model import (
    Level,
    body_shape,
    is_streamed,
    load_operations,
    payload_of,
)

OPERATIONS: Final = {operation.name: operation for operation in load_operations()}


def test_an_operation_says_how_it_is_named_on_the_wire() -> None:
    """Method, level, sub-resources and fixed values come from the URI."""
    select = OPERATIONS["SelectObjectContent"]
    assert (select.method, select.level) == ("POST", Level.OBJECT)
    assert (select.flags, select.values) == (("select",), (("select-type", "2"),))
    assert OPERATIONS["ListObjectsV2"].values == (("list-type", "2"),)
    assert OPERATIONS["ListBuckets"].level is Level.SERVICE
    assert OPERATIONS["WriteGetObjectResponse"].level is Level.BUCKET


@pytest.mark.parametrize(
    ("name", "member", "wire"),
    [
        ("DeleteObjects", "Objects", "Object"),
        ("PutBucketEncryption", "Rules", "Rule"),
        ("PutBucketWebsite", "RoutingRules", "RoutingRules"),
        ("CompleteMultipartUpload", "Parts", "Part"),
    ],
)
def test_a_list_has_the_name_of_the_element_it_stands_in(name: str, member: str, wire: str) -> None:
    """A flattened list is named by its items, another by itself."""
    operation = OPERATIONS[name]
    payload = payload_of(operation.input)
    assert payload is not None
    found = next(item for item in payload.shape.members if item.name == member)
    assert found.wire == wire


def test_payloads_that_are_bytes_are_streamed() -> None:
    """Objects and event streams never pass the codec, documents do."""
    streamed = {name for name, op in OPERATIONS.items() if is_streamed(op.output)}
    assert streamed == {
        "GetObject",
        "GetObjectAnnotation",
        "GetObjectTorrent",
        "SelectObjectContent",
    }
    assert is_streamed(OPERATIONS["PutObject"].input)
    assert not is_streamed(OPERATIONS["PutBucketPolicy"].input)


def test_the_body_of_an_input_holds_only_what_does_not_travel_elsewhere() -> None:
    """Select's document is its members without path and headers; a GET has none."""
    select = body_shape(OPERATIONS["SelectObjectContent"])
    assert select is not None
    assert select.required == {
        *("Expression", "ExpressionType", "InputSerialization", "OutputSerialization")
    }
    assert body_shape(OPERATIONS["GetObject"]) is None
    assert body_shape(OPERATIONS["ListBuckets"]) is None


def test_operations_that_demand_a_digest_are_marked() -> None:
    """AWS refuses these without Content-MD5 or a checksum."""
    demanding = {name for name, op in OPERATIONS.items() if op.requires_checksum}
    assert "DeleteObjects" in demanding
    assert "PutObject" not in demanding
