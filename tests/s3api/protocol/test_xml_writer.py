"""Answers: status, headers and documents, byte for byte where clients look at bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.protocol import OPERATIONS, Table, render_error
from s3api.protocol.xml_text import escape
from s3api.protocol.xml_writer import header_value

DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
XMLNS: Final = b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
TIME: Final = 1_255_369_830_999  # 2009-10-12T17:50:30.999Z


def body(name: str, output: dict[str, Any]) -> bytes:
    """Render an output, and answer its document without the declaration."""
    rendered = OPERATIONS[name].render(output)
    assert rendered.body is not None
    assert rendered.body.startswith(DECLARATION)
    assert (b"Content-Type", b"application/xml") in rendered.headers
    return rendered.body.removeprefix(DECLARATION)


def headers(name: str, output: dict[str, Any]) -> dict[bytes, bytes]:
    """Render an output, and answer its headers."""
    return dict(OPERATIONS[name].render(output).headers)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("PutObject", 200),
        ("CreateBucket", 200),
        ("DeleteObject", 204),
        ("DeleteBucket", 204),
        ("AbortMultipartUpload", 204),
        ("PutBucketPolicy", 204),
        ("PostObject", 204),
    ],
)
def test_the_status_is_the_models_or_the_quirks(name: str, status: int) -> None:
    """An operation answers with its own status, and without a document where it has none."""
    rendered = OPERATIONS[name].render({})
    assert (rendered.status, rendered.headers, rendered.body) == (status, [], None)


def test_a_listing_is_written_in_the_order_of_s3() -> None:
    """ListObjectsV2 byte for byte: order, escapes, dates, and rows with and without an owner."""
    row = {
        "Key": 'a&<b>"\r\x01é',
        "LastModified": TIME,
        "ETag": '"e"',
        "Size": 3,
        "StorageClass": "STANDARD",
    }
    output = {
        "CommonPrefixes": [{"Prefix": "p/"}],
        "Contents": [row, row | {"Owner": {"DisplayName": "n", "ID": "i"}, "ChecksumType": None}],
        "IsTruncated": False,
        "KeyCount": 3,
        "MaxKeys": 1000,
        "Delimiter": "/",
        "Prefix": "",
        "Name": "b",
        "NextContinuationToken": None,
    }
    contents = (
        b"<Contents><Key>a&amp;&lt;b&gt;&quot;&#13;&#x1;\xc3\xa9</Key>"
        b"<LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        b"<Size>3</Size>%s<StorageClass>STANDARD</StorageClass></Contents>"
    )
    assert body("ListObjectsV2", output) == (
        b"<ListBucketResult " + XMLNS + b"><Name>b</Name><Prefix></Prefix><KeyCount>3</KeyCount>"
        b"<MaxKeys>1000</MaxKeys><Delimiter>/</Delimiter><IsTruncated>false</IsTruncated>"
        + contents % b""
        + contents % b"<Owner><ID>i</ID><DisplayName>n</DisplayName></Owner>"
        + b"<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"
    )


def test_an_unknown_member_is_a_programmers_error() -> None:
    """A misspelt member fails at once, at the top and in a row."""
    with pytest.raises(AssertionError, match="Etag"):
        OPERATIONS["PutObject"].render({"Etag": '"e"'})
    with pytest.raises(AssertionError, match="Nmae"):
        OPERATIONS["ListBuckets"].render({"Buckets": [{"Name": "b", "Nmae": "b"}]})
    row = {"Key": "k", "LastModified": 0, "ETag": "e", "Size": 0, "StorageClass": "S", "Onwer": {}}
    table = Table({name: [value] for name, value in row.items()})
    for rows in ([row], table):
        with pytest.raises(AssertionError, match="Onwer"):
            OPERATIONS["ListObjects"].render({"Contents": rows})


def test_lists_stand_in_an_element_or_in_their_parent() -> None:
    """A list with an element of its own is there even when it is empty."""
    assert body("ListBuckets", {"Buckets": [], "Owner": {"ID": "i"}}) == (
        b"<ListAllMyBucketsResult " + XMLNS + b"><Owner><ID>i</ID></Owner><Buckets></Buckets>"
        b"</ListAllMyBucketsResult>"
    )
    assert body("DeleteObjects", {"Deleted": [], "Errors": []}) == (
        b"<DeleteResult " + XMLNS + b"></DeleteResult>"
    )


@pytest.mark.parametrize(("region", "text"), [("eu-west-1", b"eu-west-1"), ("", b""), (None, b"")])
def test_a_location_is_the_text_of_its_root(region: str | None, text: bytes) -> None:
    """GetBucketLocation's odd document; the classic region is an empty one."""
    expected = b"<LocationConstraint " + XMLNS + b">" + text + b"</LocationConstraint>"
    assert body("GetBucketLocation", {"LocationConstraint": region}) == expected


def test_a_grantee_names_its_type_in_an_attribute() -> None:
    """xsi:type stands in the element, with its namespace."""
    grantee = {"Type": "CanonicalUser", "ID": "i"}
    output = {"Grants": [{"Grantee": grantee, "Permission": "READ"}]}
    assert (
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:type="CanonicalUser"><ID>i</ID></Grantee>'
    ) in body("GetBucketAcl", output)


def test_a_policy_is_json() -> None:
    """GetBucketPolicy answers the policy's text itself."""
    rendered = OPERATIONS["GetBucketPolicy"].render({"Policy": '{"é": 1}'})
    assert rendered.body == '{"é": 1}'.encode()
    assert rendered.headers == [(b"Content-Type", b"application/json")]


def test_a_form_is_answered_with_a_document_only_on_demand() -> None:
    """PostObject answers 201 with a PostResponse, and otherwise nothing."""
    output = {"ETag": '"e"', "PostResponse": {"Bucket": "b", "Key": "k"}}
    assert body("PostObject", output) == (
        b"<PostResponse><Bucket>b</Bucket><Key>k</Key></PostResponse>"
    )


def test_versions_and_markers_stand_in_the_order_given() -> None:
    """Rows of ListObjectVersions that are markers are written among the versions."""
    version = {"Key": "k", "VersionId": "v", "IsLatest": False, "LastModified": TIME, "ETag": "e"}
    version |= {"Size": 1, "StorageClass": "STANDARD"}
    marker = {"DeleteMarkers": {"Key": "k", "VersionId": "m", "IsLatest": True}}
    written = body("ListObjectVersions", {"Versions": [marker, version, marker, marker, version]})
    tags = re.findall(rb"<(Version|DeleteMarker)>", written)
    assert tags == [b"DeleteMarker", b"Version", b"DeleteMarker", b"DeleteMarker", b"Version"]


def test_an_object_is_left_to_others_and_its_headers_are_not() -> None:
    """GetObject renders headers only: dates, integers, booleans and metadata as S3 writes them."""
    rendered = OPERATIONS["GetObject"].render(
        {
            "ETag": '"e"',
            "LastModified": TIME,
            "ContentLength": 5,
            "DeleteMarker": False,
            "Expires": "never",
            "ObjectLockRetainUntilDate": "2009-10-12T17:50:30.007Z",
            "VersionId": None,
            "Metadata": {"a": "1", "name": "Ä"},
        }
    )
    assert rendered.body is None
    assert rendered.headers == [
        (b"ETag", b'"e"'),
        (b"Last-Modified", b"Mon, 12 Oct 2009 17:50:30 GMT"),
        (b"Content-Length", b"5"),
        (b"x-amz-delete-marker", b"false"),
        (b"Expires", b"never"),
        (b"x-amz-object-lock-retain-until-date", b"2009-10-12T17:50:30.007Z"),
        (b"x-amz-meta-a", b"1"),
        (b"x-amz-meta-name", b"=?UTF-8?B?w4Q=?="),
    ]


@given(st.text(max_size=20))
def test_no_text_can_leave_its_header(text: str) -> None:
    """A header's value is one line of Latin-1, and Latin-1 is kept byte for byte."""
    value = header_value(text)
    assert not set(value) & {0, 10, 13}
    if text.isprintable() and all(character <= "\xff" for character in text):
        assert value == text.encode("latin-1")


@given(st.text())
def test_text_that_xml_can_carry_is_read_back_equal(text: str) -> None:
    """Escaping loses nothing; only what XML cannot carry at all becomes unreadable."""
    document = f"<a>{escape(text)}</a>".encode("utf-8", "xmlcharrefreplace")
    carried = all(c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") for c in text)
    if carried:
        assert (ET.fromstring(document).text or "") == text  # noqa: S314  # our own document
    else:
        with pytest.raises(ET.ParseError):
            ET.fromstring(document)  # noqa: S314  # as above


def test_a_refusal_is_a_document_without_namespace() -> None:
    """The details stand between message and resource, in the order given, and are escaped."""
    error = S3Error("InvalidArgument", "no <b>", ArgumentName="a", ArgumentValue="\x00&\ud800")
    assert render_error(error, resource="/b/k", request_id="R", host_id="H") == DECLARATION + (
        b"<Error><Code>InvalidArgument</Code><Message>no &lt;b&gt;</Message>"
        b"<ArgumentName>a</ArgumentName><ArgumentValue>&#x0;&amp;&#55296;</ArgumentValue>"
        b"<Resource>/b/k</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>"
    )
