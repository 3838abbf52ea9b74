"""Routing: each request reaches the one operation it names, or none."""

from __future__ import annotations

from typing import Final

import pytest
from botocore.loaders import Loader
from hypothesis import example, given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.query import Query
from s3api.protocol import OPERATIONS, Level, route
from s3api.protocol.quirks import INDISTINGUISHABLE

# Read from botocore anew, so that the expectation shares nothing with the router but the model.
MODEL: Final = Loader().load_service_model("s3", "service-2")["operations"]
LEVELS: Final = {"/": "SERVICE", "/{Bucket}": "BUCKET", "/{Bucket}/{Key+}": "OBJECT"}
METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
FORM: Final = {"content-type": "multipart/form-data; boundary=b"}
SIGNED: Final = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&X-Amz-Date=20260101T000000Z"
    "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Security-Token=t"
)


def operations_with_flags() -> dict[tuple[str, str, str], set[str]]:
    """List the operations by method, level and sub-resource; `uploadId` counts as one."""
    filed: dict[tuple[str, str, str], set[str]] = {}
    for name, operation in MODEL.items():
        path, _, query = operation["http"]["requestUri"].partition("?")
        flag = query.split("&")[0] if "=" not in query.split("&")[0] else ""
        if name in {"AbortMultipartUpload", "CompleteMultipartUpload", "ListParts"}:
            flag = "uploadId"
        if name in {"UploadPart", "UploadPartCopy"}:
            flag = "uploadId"
        place = operation["http"]["method"], LEVELS.get(path, "BUCKET"), flag
        filed.setdefault(place, set()).add(INDISTINGUISHABLE.get(name, name))
    filed["POST", "BUCKET", ""].add("PostObject")
    return filed


FILED: Final = operations_with_flags()
FLAGS: Final = sorted({flag for _, _, flag in FILED if flag})


class Headers:
    """Headers by lower-case name."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self._headers = headers or {}

    def header(self, name: str) -> str | None:
        """Answer one header."""
        return self._headers.get(name)


def ask(
    method: str, level: str, query: str = "", headers: dict[str, str] | None = None
) -> str | S3Error:
    """Route a request: the operation's name, or the refusal."""
    try:
        found = route(method, Level(level), Query(query.encode()), Headers(headers))
    except S3Error as error:
        return error
    return found.name


def refusal(method: str, level: str, query: str, headers: dict[str, str] | None = None) -> S3Error:
    """Route a request that must be refused."""
    answer = ask(method, level, query, headers)
    assert isinstance(answer, S3Error), f"{method} {level} ?{query} reached {answer}"
    return answer


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("level", ["SERVICE", "BUCKET", "OBJECT"])
@pytest.mark.parametrize("method", METHODS)
def test_a_sub_resource_reaches_its_operation_or_none(method: str, level: str, flag: str) -> None:
    """Flag by flag: a known sub-resource never reaches an operation that is not its own."""
    expected = FILED.get((method, level, flag), set())
    for query in (flag, f"{flag}=", f"{flag}=1"):
        answer = ask(method, level, query, FORM)
        assert isinstance(answer, S3Error) or answer in expected
        if isinstance(answer, S3Error) and expected:
            # Only for want of a parameter that the operation cannot be without.
            assert answer.message.startswith("Missing or wrong query string parameter")


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("level", ["BUCKET", "OBJECT"])
@pytest.mark.parametrize("method", METHODS)
def test_a_sub_resource_with_parameters_reaches_its_operation_or_none(
    method: str, level: str, flag: str
) -> None:
    """The same holds beside every parameter that SDKs and presigned URLs add."""
    for more in ("id=1", "uploadId=1", "partNumber=1", "versionId=1", "x-id=PutObject", SIGNED):
        answer = ask(method, level, f"{flag}&{more}")
        assert isinstance(answer, S3Error) or answer in FILED.get((method, level, flag), set())


@pytest.mark.parametrize("first", FLAGS)
@pytest.mark.parametrize("method", METHODS)
def test_two_sub_resources_conflict(method: str, first: str) -> None:
    """Two sub-resources at once are refused by name, whatever their order."""
    second = "acl" if first != "acl" else "tagging"
    for query in (f"{first}&{second}", f"{second}&{first}"):
        error = refusal(method, "OBJECT", query)
        names = sorted([first, second])
        assert error.message == "Conflicting query string parameters: " + ", ".join(names)
        assert error.detail == {"ArgumentName": "ResourceType", "ArgumentValue": names[0]}


@pytest.mark.parametrize("name", sorted(MODEL))
def test_every_operation_of_the_model_is_known(name: str) -> None:
    """No operation of the pinned model is missing."""
    assert name in OPERATIONS


@pytest.mark.parametrize(
    ("method", "level", "query", "headers", "name"),
    [
        ("GET", "SERVICE", "", {}, "ListBuckets"),
        ("GET", "SERVICE", "x-id=ListBuckets&max-buckets=1", {}, "ListBuckets"),
        ("GET", "BUCKET", "", {}, "ListObjects"),
        ("GET", "BUCKET", "list-type=1", {}, "ListObjects"),
        ("GET", "BUCKET", "list-type=2", {}, "ListObjectsV2"),
        ("GET", "BUCKET", "list-type=2&list-type=1", {}, "ListObjectsV2"),
        ("GET", "BUCKET", "prefix=a&delimiter=/&marker=", {}, "ListObjects"),
        ("GET", "BUCKET", "versions&prefix=a", {}, "ListObjectVersions"),
        ("GET", "BUCKET", "uploads", {}, "ListMultipartUploads"),
        ("GET", "BUCKET", "inventory", {}, "ListBucketInventoryConfigurations"),
        ("GET", "BUCKET", "inventory&id=1", {}, "GetBucketInventoryConfiguration"),
        ("GET", "BUCKET", "lifecycle", {}, "GetBucketLifecycleConfiguration"),
        ("PUT", "BUCKET", "notification", {}, "PutBucketNotificationConfiguration"),
        ("POST", "BUCKET", "delete", {}, "DeleteObjects"),
        ("POST", "BUCKET", "", FORM, "PostObject"),
        (
            *("POST", "BUCKET", ""),
            {"x-amz-request-route": "r", "x-amz-request-token": "t"},
            "WriteGetObjectResponse",
        ),
        ("GET", "OBJECT", "", {}, "GetObject"),
        ("GET", "OBJECT", "partNumber=1&versionId=null", {}, "GetObject"),
        ("GET", "OBJECT", "response-content-type=a%2Fb&" + SIGNED, {}, "GetObject"),
        ("GET", "OBJECT", "AWSAccessKeyId=a&Signature=b&Expires=1", {}, "GetObject"),
        ("GET", "OBJECT", "v=20260101", {}, "GetObject"),
        ("GET", "OBJECT", "x-source=newsletter", {}, "GetObject"),
        ("HEAD", "OBJECT", "x-id=HeadObject&versionId=a", {}, "HeadObject"),
        ("GET", "OBJECT", "uploadId=1", {}, "ListParts"),
        ("GET", "OBJECT", "uploadId=", {}, "ListParts"),
        ("GET", "OBJECT", "attributes", {}, "GetObjectAttributes"),
        ("GET", "OBJECT", "annotation", {}, "ListObjectAnnotations"),
        ("GET", "OBJECT", "annotation&annotationName=a", {}, "GetObjectAnnotation"),
        ("POST", "OBJECT", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "OBJECT", "uploadId=1", {}, "CompleteMultipartUpload"),
        ("POST", "OBJECT", "select&select-type=2", {}, "SelectObjectContent"),
        ("POST", "OBJECT", "restore&versionId=a", {}, "RestoreObject"),
        ("DELETE", "OBJECT", "uploadId=1", {}, "AbortMultipartUpload"),
        ("DELETE", "OBJECT", "versionId=a&x-id=DeleteObject", {}, "DeleteObject"),
        ("PUT", "OBJECT", "", {}, "PutObject"),
        ("PUT", "OBJECT", "x-id=PutObject", {}, "PutObject"),
        ("PUT", "OBJECT", SIGNED, {}, "PutObject"),
        (
            *("PUT", "OBJECT", SIGNED + "&x-amz-checksum-crc32=AAAAAA%3D%3D&X-Amz-Meta-A=1"),
            *({}, "PutObject"),
        ),
        ("PUT", "OBJECT", "", {"x-amz-copy-source": "a/b"}, "CopyObject"),
        ("PUT", "OBJECT", "", {"x-amz-copy-source": ""}, "CopyObject"),
        ("PUT", "OBJECT", "x-amz-copy-source=a%2Fb&" + SIGNED, {}, "CopyObject"),
        ("PUT", "OBJECT", "uploadId=1&partNumber=1", {}, "UploadPart"),
        ("PUT", "OBJECT", "partNumber=1&uploadId=1&x-id=UploadPart", {}, "UploadPart"),
        (
            *("PUT", "OBJECT", "uploadId=1&partNumber=1"),
            *({"x-amz-copy-source": "a/b"}, "UploadPartCopy"),
        ),
        ("PUT", "OBJECT", "renameObject", {"x-amz-rename-source": "a"}, "RenameObject"),
        ("PUT", "OBJECT", "renameObject", {}, "RenameObject"),
        ("OPTIONS", "OBJECT", "anything", {}, "OptionsObject"),
        ("OPTIONS", "BUCKET", "acl&tagging", {}, "OptionsObject"),
        ("OPTIONS", "SERVICE", "", {}, "OptionsObject"),
    ],
)
def test_a_request_reaches_the_operation_it_names(
    method: str, level: str, query: str, headers: dict[str, str], name: str
) -> None:
    """Operations that share a path are told apart by query values and headers alone."""
    assert ask(method, level, query, headers) == name


@pytest.mark.parametrize(
    ("method", "level", "query", "code", "detail"),
    [
        # What other stores let fall through to an overwrite or a deletion.
        (
            "DELETE",
            "OBJECT",
            "acl",
            "MethodNotAllowed",
            {"Method": "DELETE", "ResourceType": "ACL"},
        ),
        ("POST", "BUCKET", "acl", "MethodNotAllowed", {"Method": "POST", "ResourceType": "ACL"}),
        ("DELETE", "BUCKET", "acl", "MethodNotAllowed", {"ResourceType": "ACL"}),
        ("DELETE", "BUCKET", "versioning", "MethodNotAllowed", {"ResourceType": "VERSIONING"}),
        ("PUT", "BUCKET", "uploads", "MethodNotAllowed", {"ResourceType": "UPLOADS"}),
        ("PUT", "BUCKET", "policyStatus", "MethodNotAllowed", {"ResourceType": "POLICY_STATUS"}),
        ("PUT", "OBJECT", "uploads", "MethodNotAllowed", {"ResourceType": "UPLOADS"}),
        ("HEAD", "OBJECT", "uploadId=1", "MethodNotAllowed", {"ResourceType": "UPLOAD"}),
        ("PUT", "BUCKET", "delete", "MethodNotAllowed", {"ResourceType": "MULTI_OBJECT_DELETE"}),
        ("POST", "OBJECT", "", "MethodNotAllowed", {"ResourceType": "OBJECT"}),
        ("PATCH", "OBJECT", "", "MethodNotAllowed", {"ResourceType": "OBJECT"}),
        ("PUT", "SERVICE", "", "MethodNotAllowed", {"ResourceType": "SERVICE"}),
        # The other level's sub-resources.
        ("PUT", "OBJECT", "website", "InvalidRequest", {}),
        ("PUT", "OBJECT", "versions", "InvalidRequest", {}),
        ("GET", "OBJECT", "logging", "NoLoggingStatusForKey", {}),
        ("PUT", "BUCKET", "legal-hold", "InvalidRequest", {}),
        ("DELETE", "BUCKET", "uploadId=1", "InvalidRequest", {}),
        ("GET", "SERVICE", "acl", "InvalidRequest", {}),
        # Parameters that would mean another thing than the sender thinks.
        ("DELETE", "BUCKET", "versionId=1", "InvalidArgument", {"ArgumentName": "versionId"}),
        ("PUT", "OBJECT", "versionId=1", "InvalidArgument", {"ArgumentName": "versionId"}),
        ("GET", "BUCKET", "versionId=1", "InvalidArgument", {"ArgumentName": "versionId"}),
        ("PUT", "OBJECT", "partNumber=1", "InvalidArgument", {"ArgumentName": "partNumber"}),
        ("PUT", "BUCKET", "partNumber=1", "InvalidRequest", {"ArgumentName": "partNumber"}),
        ("PUT", "OBJECT", "uploadId=1", "InvalidArgument", {"ArgumentName": "partNumber"}),
        ("GET", "OBJECT", "uploadId=1&partNumber=1", "InvalidArgument", {}),
        ("DELETE", "BUCKET", "inventory", "InvalidArgument", {"ArgumentName": "id"}),
        ("POST", "OBJECT", "select", "InvalidArgument", {"ArgumentName": "select-type"}),
        ("GET", "OBJECT", "annotationName=a", "InvalidArgument", {}),
        ("GET", "BUCKET", "start-after=a", "InvalidArgument", {"ArgumentName": "start-after"}),
        ("GET", "BUCKET", "list-type=2&marker=", "InvalidArgument", {"ArgumentName": "marker"}),
        # A presigned URL's headers of another operation.
        ("PUT", "OBJECT", "x-amz-rename-source=a", "InvalidArgument", {}),
        ("PUT", "OBJECT", "x-amz-anything=a", "InvalidArgument", {}),
        ("GET", "OBJECT", "x-amz-meta-a=1", "InvalidArgument", {}),
        ("PUT", "OBJECT", "If-None-Match=*", "InvalidArgument", {"ArgumentName": "If-None-Match"}),
        ("POST", "BUCKET", "", "PreconditionFailed", {}),
        ("BREW", "OBJECT", "", "BadRequest", {}),
    ],
)
def test_a_request_that_names_no_operation_is_refused(
    method: str, level: str, query: str, code: str, detail: dict[str, str]
) -> None:
    """What AWS refuses is refused in its words, and what it would confuse is refused too."""
    error = refusal(method, level, query)
    assert error.code == code
    assert detail.items() <= error.detail.items()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("query", ["unknown", "unknown=", "Versioning", "ACL", "acl%20"])
def test_an_unknown_sub_resource_is_refused_on_every_method(method: str, query: str) -> None:
    """A name without a value that nobody knows never reaches the object, the bucket or a list."""
    for level in ("BUCKET", "OBJECT"):
        refusal(method, level, query, FORM)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("query", ["a=b", "prefix=a", "acl2=1", "X-Amz-Unheard-Of=1"])
def test_a_write_with_an_unknown_parameter_is_refused(method: str, query: str) -> None:
    """A write does nothing when it does not understand all of the request."""
    for level in ("BUCKET", "OBJECT"):
        refusal(method, level, query, FORM)


@pytest.mark.parametrize(
    ("level", "flag", "allow"),
    [
        ("BUCKET", "location", "GET"),
        ("BUCKET", "uploads", "GET"),
        ("BUCKET", "versioning", "GET, PUT"),
        ("BUCKET", "tagging", "DELETE, GET, PUT"),
        ("OBJECT", "uploadId", "DELETE, GET, POST, PUT"),
        ("SERVICE", "", "GET"),
    ],
)
def test_a_refused_method_is_told_which_are_allowed(level: str, flag: str, allow: str) -> None:
    """A 405 carries Allow, RFC 9110 15.5.6."""
    assert refusal("PATCH", level, flag).headers == {"Allow": allow}


@given(
    method=st.sampled_from(METHODS),
    level=st.sampled_from(list(Level)),
    raw=st.binary(max_size=60)
    | st.lists(
        st.sampled_from([*FLAGS, "partNumber=1", "uploadId=1", "list-type=2", "x=1", "%"]),
        max_size=4,
    ).map(lambda pieces: "&".join(pieces).encode()),
)
@example(method="PUT", level=Level.OBJECT, raw=b"&&=&=1&%00")
def test_no_query_raises_anything_but_s3_errors(method: str, level: Level, raw: bytes) -> None:
    """Any bytes for a query are routed or refused, and never a crash."""
    try:
        found = route(method, level, Query(raw), Headers(FORM))
    except S3Error:
        return
    assert found.name in OPERATIONS
