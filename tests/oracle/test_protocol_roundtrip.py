"""Botocore as judge: what AWS's own client writes we read, what we write AWS's client reads.

For every operation of the model, inputs and outputs are drawn from botocore's shapes. The oracle
shares the model, so it proves consistency; `quirks` is where AWS differs from its model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit

import pytest
from botocore import xform_name
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config
from botocore.handlers import parse_get_bucket_location
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3api.http.dates import format_http_date
from s3api.http.query import Query
from s3api.protocol import OPERATIONS, Level, route
from s3api.protocol.quirks import (
    DOCUMENT_REQUIRED,
    INDISTINGUISHABLE,
    OPEN_ENUMS,
    VERBATIM_SHAPES,
)
from s3api.protocol.timestamps import parse_timestamp

MODEL: Final = ServiceModel(Loader().load_service_model("s3", "service-2"), "s3")
SERIALIZER: Final = create_serializer("rest-xml", include_validation=False)
PARSER: Final = create_parser("rest-xml")
NAMES: Final = sorted(MODEL.operation_names)

# Outputs that are not rendered here: the events of a stream are written one by one, later.
STREAMED_DOCUMENTS: Final = {"SelectObjectContent"}
# Its output is the text of the root; botocore itself needs a handler to read it.
ROOT_TEXT: Final = {"GetBucketLocation"}
# Deprecated, and not to be told from their successors: two members share the element <Event>.
AMBIGUOUS: Final = {"GetBucketNotification", "PutBucketNotification"}

INPUTS: Final = [
    name for name in NAMES if MODEL.operation_model(name).input_shape and name not in AMBIGUOUS
]
OUTPUTS: Final = [
    name
    for name in NAMES
    if MODEL.operation_model(name).output_shape
    and name not in STREAMED_DOCUMENTS | ROOT_TEXT | AMBIGUOUS
]

LINE: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1).map(
    lambda text: text.strip() or "x"  # HTTP strips blanks around a header
)
TOKEN: Final = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
TEXT: Final = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
)
SECONDS: Final = st.integers(min_value=0, max_value=4_102_444_800)

few = settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)


def values(shape: Shape, location: str) -> st.SearchStrategy[Any]:
    """Draw what a member of that shape may be at that place of the message."""
    if shape.name == "RequestRoute":
        return TOKEN  # it is a label of a host name
    if shape.name in VERBATIM_SHAPES:
        return SECONDS.map(lambda seconds: verbatim(seconds * 1000, shape))
    if shape.type_name == "structure":
        return structures(shape)
    if shape.type_name == "list":
        # A list in its parent's place or in a header cannot be empty: it is not there then.
        least = 1 if shape.serialization.get("flattened") or location == "header" else 0
        return st.lists(values(shape.member, location), min_size=least, max_size=3)
    if shape.type_name == "map":
        return st.dictionaries(TOKEN, LINE, min_size=1, max_size=3)
    if shape.type_name == "timestamp":
        return SECONDS.map(lambda seconds: seconds * 1000)
    if shape.type_name in {"integer", "long"}:
        return st.integers(min_value=1, max_value=1000)
    if shape.type_name == "boolean":
        return st.booleans()
    if getattr(shape, "enum", None) and shape.name not in OPEN_ENUMS:
        return st.sampled_from(shape.enum)
    return LINE if location or shape.name == "Policy" else TEXT


def verbatim(epoch_ms: int, shape: Shape) -> str:
    """Write a time as botocore does where S3 keeps what was written."""
    if shape.name == "ObjectLockRetainUntilDate":
        return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return format_http_date(epoch_ms)


def structures(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a structure: its required members, and some of the others."""
    members = {
        name: values(member, member.serialization.get("location", ""))
        for name, member in shape.members.items()
        if not is_streamed(shape, name)
    }
    required = set(shape.required_members)
    return st.fixed_dictionaries(
        {name: drawn for name, drawn in members.items() if name in required},
        optional={name: drawn for name, drawn in members.items() if name not in required},
    )


def is_streamed(shape: Shape, name: str) -> bool:
    """Say whether a member is a payload that never passes the codec."""
    member = shape.members[name]
    is_payload = shape.serialization.get("payload") == name
    return is_payload and (member.type_name == "blob" or name == "Payload")


def to_botocore(value: Any, shape: Shape) -> Any:
    """Turn our values into botocore's: times into datetimes."""
    if shape.type_name == "structure":
        return {name: to_botocore(item, shape.members[name]) for name, item in value.items()}
    if shape.type_name == "list":
        return [to_botocore(item, shape.member) for item in value]
    if shape.name in VERBATIM_SHAPES and isinstance(value, str):
        epoch_ms = parse_timestamp(value)
        assert epoch_ms is not None
        return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    if shape.type_name == "timestamp" and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC)
    return value


def from_botocore(value: Any, shape: Shape) -> Any:
    """Turn botocore's values into ours: datetimes into milliseconds, verbatim dates into text."""
    if shape.type_name == "structure":
        return {name: from_botocore(item, shape.members[name]) for name, item in value.items()}
    if shape.type_name == "list":
        return [from_botocore(item, shape.member) for item in value]
    if isinstance(value, datetime):
        millis = int(value.timestamp() * 1000)
        return verbatim(millis, shape) if shape.name in VERBATIM_SHAPES else millis
    return value


@cache
def make_client(signature: str) -> Any:
    """Make a client that signs with that version."""
    return Session().create_client(
        "s3",
        "us-east-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(signature_version=signature, s3={"addressing_style": "path"}),
    )


class Headers:
    """A request's headers as the router sees them."""

    def __init__(self, items: list[tuple[bytes, bytes]]) -> None:
        self._first = dict(reversed(items))

    def header(self, name: str) -> str | None:
        """Answer the header of that lower-case name."""
        value = self._first.get(name.encode())
        return None if value is None else value.decode("latin-1")


def send(name: str, value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Let botocore write a request, then route and bind it: the operation's name and its input."""
    model = MODEL.operation_model(name)
    request = SERIALIZER.serialize_to_request(to_botocore(value, model.input_shape), model)
    items = [
        (key.lower().encode(), str(text).encode("latin-1"))
        for key, text in request["headers"].items()
    ]
    path, _, flags = request["url_path"].partition("?")
    parameters = [(key, text) for key, text in request["query_string"].items()]
    raw = "&".join(filter(None, [flags, urlencode(parameters)]))
    bucket, _, key = path.removeprefix("/").partition("/")
    level = Level.OBJECT if key else Level.BUCKET if bucket else Level.SERVICE
    query, body = Query(raw.encode()), request["body"]
    found = route(request["method"], level, query, Headers(items)).name
    bound = OPERATIONS[name].bind(
        unquote(bucket) or None,
        unquote(key) or None,
        query,
        items,
        body if isinstance(body, bytes) else b"",
    )
    return found, bound


def with_document(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a message that holds its document, where it can have one."""
    drawn, payload = structures(shape), shape.serialization.get("payload")
    if not payload or is_streamed(shape, payload):
        return drawn
    return st.builds(
        lambda value, document: value | {payload: document},
        drawn,
        values(shape.members[payload], ""),
    )


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_botocore_writes_is_routed_and_bound_equal(name: str) -> None:
    """Whatever botocore serializes for an operation reaches that operation, member for member."""
    shape = MODEL.operation_model(name).input_shape
    drawn = with_document(shape) if name in DOCUMENT_REQUIRED else structures(shape)

    @few
    @given(drawn)
    def check(value: dict[str, Any]) -> None:
        if "Bucket" in value:
            value["Bucket"] = "a-bucket"
        found, bound = send(name, value)
        assert found == INDISTINGUISHABLE.get(name, name)
        assert bound == value

    check()


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_rendered_is_parsed_equal_by_botocore(name: str) -> None:
    """Whatever an operation answers, botocore's parser reads back member for member."""
    shape = MODEL.operation_model(name).output_shape

    @few
    @given(with_document(shape))
    def check(value: dict[str, Any]) -> None:
        rendered = OPERATIONS[name].render(value)
        response = {
            "status_code": rendered.status,
            "headers": HeadersDict(
                {key.decode(): text.decode("latin-1") for key, text in rendered.headers}
            ),
            "body": rendered.body or b"",
        }
        parsed = PARSER.parse(response, shape)
        streamed = [member for member in shape.members if is_streamed(shape, member)]
        for member in ["ResponseMetadata", *streamed]:
            parsed.pop(member, None)
        if not parsed.get("Metadata", True):
            del parsed["Metadata"]  # botocore makes an empty one where there is none
        assert from_botocore(parsed, shape) == value

    check()


@pytest.mark.parametrize(("region", "parsed"), [("eu-west-1", "eu-west-1"), ("", None)])
def test_bucket_location_is_read_by_botocores_own_handler(region: str, parsed: str | None) -> None:
    """The one document that is only text is read by the handler botocore has for it."""
    rendered = OPERATIONS["GetBucketLocation"].render({"LocationConstraint": region})

    body = rendered.body or b""
    response = AWSResponse("http://a-bucket", rendered.status, {}, BytesIO(body))
    response.raw.stream = lambda: [body]
    result: dict[str, Any] = {}
    parse_get_bucket_location(result, response)
    assert result == {"LocationConstraint": parsed}


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("GetObject", {"ResponseContentType": "a/b", "VersionId": "null", "PartNumber": 1}),
        ("HeadObject", {}),
        ("PutObject", {"ContentType": "a/b", "ContentMD5": "m", "Metadata": {"a": "b"}}),
        ("PutObject", {"ACL": "private", "ChecksumAlgorithm": "CRC32"}),
        ("CopyObject", {"CopySource": {"Bucket": "other", "Key": "é"}}),
        ("DeleteObject", {"VersionId": "null"}),
        ("CreateMultipartUpload", {"StorageClass": "STANDARD"}),
        ("UploadPart", {"UploadId": "u", "PartNumber": 1}),
        ("UploadPartCopy", {"UploadId": "u", "PartNumber": 1, "CopySource": "other/k"}),
        ("CompleteMultipartUpload", {"UploadId": "u"}),
        ("AbortMultipartUpload", {"UploadId": "u"}),
        ("ListParts", {"UploadId": "u", "MaxParts": 2}),
        ("GetObjectTagging", {}),
        ("ListObjectsV2", {"Prefix": "a b", "Delimiter": "/", "MaxKeys": 3}),
    ],
)
def test_a_presigned_url_is_routed_to_its_operation(
    name: str, arguments: dict[str, Any], signature: str
) -> None:
    """What a presigned URL adds to the query, in either signature version, decides nothing."""
    client = make_client(signature)
    is_listing = name.startswith("ListObjects")
    url = client.generate_presigned_url(
        xform_name(name),
        Params={"Bucket": "b", **({} if is_listing else {"Key": "k"}), **arguments},
    )
    method = MODEL.operation_model(name).http["method"]
    level = Level.BUCKET if is_listing else Level.OBJECT
    sent = [(b"x-amz-copy-source", b"other/k")] if "CopySource" in arguments else []
    query = Query(urlsplit(url).query.encode())
    assert route(method, level, query, Headers(sent)).name == name
