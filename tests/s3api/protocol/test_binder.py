"""Binding: a request's headers, query and document become AWS's members, or a refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.query import Query
from s3api.protocol import OPERATIONS


def bind(
    name: str,
    headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
    query: str = "",
    body: bytes = b"",
) -> dict[str, Any]:
    """Bind a request to bucket b, key k."""
    items = headers or []
    if isinstance(items, dict):
        items = [(key.encode(), value.encode("latin-1")) for key, value in items.items()]
    bound = OPERATIONS[name].bind("b", "k", Query(query.encode()), items, body)
    for member in ("Bucket", "Key"):
        bound.pop(member, None)
    return bound


def refusal(name: str, **request: Any) -> S3Error:
    """Bind a request that must be refused."""
    with pytest.raises(S3Error) as caught:
        bind(name, **request)
    return caught.value


def test_the_path_is_bound_only_where_the_operation_has_it() -> None:
    """Bucket and Key are members of an input only if the model says so."""
    empty = Query(b"")
    assert OPERATIONS["GetObject"].bind("b", "k", empty, [], b"") == {"Bucket": "b", "Key": "k"}
    assert OPERATIONS["ListObjects"].bind("b", None, empty, [], b"") == {"Bucket": "b"}
    assert OPERATIONS["ListBuckets"].bind(None, None, empty, [], b"") == {}


def test_put_object_binds_what_its_headers_say() -> None:
    """The members of a full PutObject, converted, with foreign headers left out."""
    headers = {
        "host": "s3.local",
        "authorization": "AWS4-HMAC-SHA256 ...",
        "content-type": "text/plain",
        "content-length": "11",
        "cache-control": "no-cache",
        "expires": "never",
        "if-none-match": "*",
        "x-amz-acl": "private",
        "x-amz-checksum-crc32": "AAAAAA==",
        "x-amz-sdk-checksum-algorithm": "crc32",
        "x-amz-meta-color": "blue",
        "x-amz-object-lock-retain-until-date": "2030-01-01T00:00:00Z",
        "x-amz-server-side-encryption-bucket-key-enabled": "True",
        "x-amz-storage-class": "STANDARD",
    }
    assert bind("PutObject", headers, "x-id=PutObject") == {
        "ContentType": "text/plain",
        "ContentLength": 11,
        "CacheControl": "no-cache",
        "Expires": "never",
        "IfNoneMatch": "*",
        "ACL": "private",
        "ChecksumCRC32": "AAAAAA==",
        "ChecksumAlgorithm": "CRC32",
        "Metadata": {"color": "blue"},
        "ObjectLockRetainUntilDate": "2030-01-01T00:00:00Z",
        "BucketKeyEnabled": True,
        "StorageClass": "STANDARD",
    }


def test_headers_are_kept_byte_for_byte() -> None:
    """Header text is Latin-1, so any byte can be written back as it came."""
    raw = bytes(range(0xA0, 0x100))
    headers = [(b"x-amz-meta-raw", raw), (b"content-disposition", raw)]
    bound = bind("PutObject", headers)
    assert bound["Metadata"]["raw"].encode("latin-1") == raw
    assert bound["ContentDisposition"].encode("latin-1") == raw


def test_a_copy_source_is_read_as_utf_8_where_it_is() -> None:
    """A client that does not percent-encode the source's key is understood all the same."""
    assert bind("CopyObject", [(b"x-amz-copy-source", "b/é".encode())])["CopySource"] == "b/é"
    assert bind("CopyObject", [(b"x-amz-copy-source", b"b/\xe9")])["CopySource"] == "b/é"


def test_repeated_headers_are_one_value() -> None:
    """Lines of one name are joined (RFC 9110 5.3); of a scalar the first counts."""
    headers = [
        (b"x-amz-meta-a", b"1"),
        (b"x-amz-meta-a", b"2"),
        (b"if-match", b'"a"'),
        (b"if-match", b'"b"'),
        (b"content-length", b"1"),
        (b"content-length", b"2"),
    ]
    assert bind("PutObject", headers) == {
        "Metadata": {"a": "1,2"},
        "IfMatch": '"a","b"',
        "ContentLength": 1,
    }
    lines = [
        (b"x-amz-object-attributes", b"ETag,ObjectSize"),
        (b"x-amz-object-attributes", b"Checksum"),
    ]
    bound = bind("GetObjectAttributes", lines, "attributes")
    assert bound["ObjectAttributes"] == ["ETag", "ObjectSize", "Checksum"]


@pytest.mark.parametrize(
    ("sent", "bound"),
    [
        ("ETag", ["ETag"]),
        ("ETag, ObjectSize", ["ETag", "ObjectSize"]),
        ("ETag,,", ["ETag"]),
        (",", []),
    ],
)
def test_a_list_in_a_header_is_split_as_s3_splits_it(sent: str, bound: list[str]) -> None:
    """Empty pieces at the end are dropped, blanks around a piece too."""
    assert (
        bind("GetObjectAttributes", {"x-amz-object-attributes": sent})["ObjectAttributes"] == bound
    )


@pytest.mark.parametrize("sent", ["Etag", ",ETag", "ETag,,ObjectSize"])
def test_an_unknown_attribute_is_refused(sent: str) -> None:
    """The first name that is none is told."""
    error = refusal("GetObjectAttributes", headers={"x-amz-object-attributes": sent})
    assert error.message == "Invalid attribute name specified."


def test_headers_hoisted_into_a_presigned_url_are_bound() -> None:
    """SDKs move x-amz-* headers into the query; a header that is sent wins over them."""
    query = "X-Amz-Checksum-Crc32=AAAAAA%3D%3D&x-amz-acl=private&X-Amz-Meta-A=1&x-amz-meta-b=2"
    assert bind("PutObject", {"x-amz-meta-b": "3", "x-amz-acl": "public-read"}, query) == {
        "ChecksumCRC32": "AAAAAA==",
        "ACL": "public-read",
        "Metadata": {"a": "1", "b": "3"},
    }


def test_query_parameters_are_bound_first_come() -> None:
    """Of a repeated parameter S3 reads the first; an empty one is there."""
    query = (
        "list-type=2&prefix=a&prefix=b&delimiter=&max-keys=05&fetch-owner=true&start-after=%C3%A9"
    )
    assert bind("ListObjectsV2", query=query) == {
        "Prefix": "a",
        "Delimiter": "",
        "MaxKeys": 5,
        "FetchOwner": True,
        "StartAfter": "é",
    }


@pytest.mark.parametrize(
    ("sent", "bound"),
    [("", None), ("0", 0), ("-0", 0), ("0" * 5000, 0), ("1001", 1001), ("2147483647", 2**31 - 1)],
)
def test_max_keys_is_read_as_s3_reads_it(sent: str, bound: int | None) -> None:
    """Empty is absent, leading zeros do not count, and the value is not capped."""
    assert bind("ListObjects", query=f"max-keys={sent}").get("MaxKeys") == bound


@pytest.mark.parametrize(
    "sent", ["abc", "+5", " 5", "1.0", "٣", "2147483648", "-2147483649", "9" * 5000]
)
def test_max_keys_that_is_no_integer_is_refused(sent: str) -> None:
    """A word, a blank or a number beyond 32 bits has AWS's message, name and value."""
    error = refusal("ListObjectsV2", query=f"list-type=2&max-keys={sent.replace('+', '%2B')}")
    assert (error.code, error.message) == (
        "InvalidArgument",
        "Provided max-keys not an integer or within integer range",
    )
    assert error.detail == {"ArgumentName": "max-keys", "ArgumentValue": sent}


def test_max_keys_out_of_range_is_refused_by_value() -> None:
    """A negative number is an integer, and refused under the name S3 uses then."""
    error = refusal("ListObjects", query="max-keys=-01")
    assert error.message == "Argument maxKeys must be an integer between 0 and 2147483647"
    assert error.detail == {"ArgumentName": "maxKeys", "ArgumentValue": "-1"}


@pytest.mark.parametrize("sent", ["", "0", "00", "-1", "10001", "1.0", "%201", "abc", "1" * 30])
def test_a_part_number_is_from_1_to_10000(sent: str) -> None:
    """Anything else is refused, an empty value too."""
    error = refusal("UploadPart", query=f"uploadId=u&partNumber={sent}")
    assert error.message == "Part number must be an integer between 1 and 10000, inclusive"


def test_a_part_number_may_have_leading_zeros() -> None:
    """The value counts, not how it is written."""
    assert bind("UploadPart", query="uploadId=u&partNumber=0007")["PartNumber"] == 7


def test_an_empty_version_id_is_refused() -> None:
    """S3 tells an empty version id from an absent one."""
    error = refusal("GetObject", query="versionId=")
    assert error.message == "Version id cannot be the empty string"


def test_dates_that_are_conditions_may_be_wrong() -> None:
    """A malformed date is no condition, RFC 9110 13.1.3; a good one is milliseconds."""
    good = {"if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert bind("GetObject", good) == {"IfModifiedSince": 784_111_777_000}
    assert bind("GetObject", {"if-modified-since": "yesterday"}) == {}


def test_dates_that_are_promises_must_be_right() -> None:
    """A date that a delete depends on and that cannot be read is refused."""
    header = "x-amz-if-match-last-modified-time"
    error = refusal("DeleteObject", headers={header: "soon"})
    assert error.detail["ArgumentName"] == header


@pytest.mark.parametrize(
    ("name", "header", "code"),
    [
        ("PutObject", "x-amz-server-side-encryption", "InvalidArgument"),
        ("PutObject", "x-amz-sdk-checksum-algorithm", "InvalidRequest"),
        ("PutObject", "x-amz-object-lock-legal-hold", "InvalidArgument"),
        ("CreateMultipartUpload", "x-amz-checksum-algorithm", "InvalidRequest"),
        ("CreateMultipartUpload", "x-amz-checksum-type", "InvalidRequest"),
        ("CopyObject", "x-amz-metadata-directive", "InvalidArgument"),
        ("GetObject", "x-amz-checksum-mode", "InvalidRequest"),
        ("CompleteMultipartUpload", "x-amz-mp-object-size", "InvalidRequest"),
    ],
)
def test_a_value_outside_of_its_type_is_refused(name: str, header: str, code: str) -> None:
    """Each header refuses in the code AWS has for it."""
    assert refusal(name, headers={header: "NONSENSE"}).code == code


def test_an_empty_algorithm_is_no_algorithm() -> None:
    """S3 takes an empty x-amz-sdk-checksum-algorithm for none."""
    assert bind("PutObject", {"x-amz-sdk-checksum-algorithm": ""}) == {}


def test_an_unknown_request_payer_and_region_are_for_the_operation() -> None:
    """Enumerations that grow, or that S3 is lenient with, are bound as sent."""
    assert bind("GetObject", {"x-amz-request-payer": "me"}) == {"RequestPayer": "me"}
    location = "<LocationConstraint>mars</LocationConstraint>"
    document = f"<CreateBucketConfiguration>{location}</CreateBucketConfiguration>"
    bound = bind("CreateBucket", body=document.encode())
    assert bound == {"CreateBucketConfiguration": {"LocationConstraint": "mars"}}


@pytest.mark.parametrize("value", ["a%0D%0ASet-Cookie:%20x", "%00", "%E2%80%99"])
def test_a_response_override_must_fit_into_a_header(value: str) -> None:
    """No parameter can break out of the header it overrides."""
    error = refusal("GetObject", query=f"response-content-disposition={value}")
    assert error.message == "Header value cannot be represented using ISO-8859-1."
    assert error.detail["ArgumentName"] == "response-content-disposition"


@pytest.mark.parametrize(
    "name", ["DeleteObjects", "PutBucketTagging", "PutBucketLifecycleConfiguration"]
)
def test_a_missing_document_is_told(name: str) -> None:
    """An operation that is its document refuses to go without."""
    assert refusal(name).code == "MissingRequestBodyError"


@pytest.mark.parametrize("name", ["CreateBucket", "PutBucketAcl", "CompleteMultipartUpload"])
def test_an_optional_document_may_be_missing(name: str) -> None:
    """Where headers can say it, an empty body binds nothing."""
    assert bind(name) == {}


def test_a_policy_is_text() -> None:
    """A policy is bound as it came, and must be UTF-8."""
    assert bind("PutBucketPolicy", body=b'{"a": 1}') == {"Policy": '{"a": 1}'}
    assert refusal("PutBucketPolicy", body=b"\xff").code == "MalformedPolicy"
    assert bind("PutBucketPolicy") == {"Policy": ""}  # its operation calls it malformed


def test_only_documents_are_asked_for() -> None:
    """`reads_body` and `streams_input` tell the caller what to do with the body."""
    documents = {name for name, operation in OPERATIONS.items() if operation.reads_body}
    streams = {name for name, operation in OPERATIONS.items() if operation.streams_input}
    assert {"DeleteObjects", "SelectObjectContent", "PutBucketPolicy"} <= documents
    assert {"PutObject", "UploadPart", "PostObject"} <= streams
    assert not documents & streams
    assert not OPERATIONS["GetObject"].reads_body


HEADER_NAMES = st.sampled_from(
    [
        b"content-length",
        b"expires",
        b"if-modified-since",
        b"x-amz-acl",
        b"x-amz-checksum-algorithm",
        b"x-amz-copy-source",
        b"x-amz-if-match-last-modified-time",
        b"x-amz-if-match-size",
        b"x-amz-meta-",
        b"x-amz-meta-a",
        b"x-amz-mp-object-size",
        b"x-amz-object-attributes",
        b"x-amz-object-lock-retain-until-date",
        b"x-amz-server-side-encryption-bucket-key-enabled",
        b"x-amz-write-offset-bytes",
    ]
)
PARAMETER_NAMES = st.sampled_from(
    [
        "encoding-type",
        "max-buckets",
        "max-keys",
        "max-parts",
        "part-number-marker",
        "partNumber",
        "response-content-type",
        "response-expires",
        "versionId",
        "X-AMZ-ACL",
        "x-amz-meta-é",
    ]
)


@given(
    name=st.sampled_from(sorted(OPERATIONS)),
    headers=st.lists(st.tuples(HEADER_NAMES, st.binary(max_size=40)), max_size=6),
    raw=st.binary(max_size=60),
    body=st.binary(max_size=80),
)
def test_no_request_raises_anything_but_s3_errors(
    name: str, headers: list[tuple[bytes, bytes]], raw: bytes, body: bytes
) -> None:
    """Any headers, query and body are bound or refused, and never a crash."""
    try:
        bound = OPERATIONS[name].bind("b", "k", Query(raw), headers, body)
    except S3Error:
        return
    assert isinstance(bound, dict)


@given(
    name=st.sampled_from(["GetObject", "ListBuckets", "ListObjectsV2", "ListParts", "PutObject"]),
    pairs=st.lists(st.tuples(PARAMETER_NAMES, st.text(max_size=30)), max_size=5),
)
def test_no_parameter_raises_anything_but_s3_errors(
    name: str, pairs: list[tuple[str, str]]
) -> None:
    """Any text in any parameter is bound or refused, and never a crash."""
    try:
        bind(name, query=urlencode(pairs, errors="ignore"))
    except S3Error:
        return
