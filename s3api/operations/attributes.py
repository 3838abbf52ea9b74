"""What a request says about the object it writes: headers to keep, and promises S4 cannot keep.

A header that asks for something S4 does not do is refused, never ignored: an object that its
writer believes to be encrypted or locked must not be stored plain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from s3api.errors import S3Error
from s3api.operations import tags
from s3api.operations.access import authorise_new
from s3api.operations.grants import new_owner, new_owner_and_grants
from storage_engine import ObjectAttributes

if TYPE_CHECKING:
    from buckets.registry import BucketState
    from s3api.context import Call
    from s3api.http.request import Request

METADATA_PREFIX: Final = b"x-amz-meta-"
METADATA_BYTES_MAX: Final = 2048  # docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
CONTENT_HEADERS: Final = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
)
REDIRECT_BYTES_MAX: Final = 2048
DEFAULT_TYPE: Final = "binary/octet-stream"

# Header prefix -> the refusal it earns while S4 does not do what it asks for.
REFUSALS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"x-amz-server-side-encryption", "NotImplemented", "Encryption is not implemented."),
    (
        b"x-amz-copy-source-server-side-encryption",
        "NotImplemented",
        "Encryption is not implemented.",
    ),
    (b"x-amz-object-lock-event-hold", "NotImplemented", "Event holds are not implemented."),
    (
        b"x-amz-rename-source",
        "InvalidRequest",
        "A rename is a request with ?renameObject; this one would write an object.",
    ),
    (b"x-amz-write-offset-bytes", "NotImplemented", "Appending to objects is not implemented."),
)
_REFUSED: Final = tuple(prefix for prefix, _, _ in REFUSALS)
# What nearly every request has, and says nothing of the object that it writes.
_SILENT: Final = frozenset(
    {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"content-md5",
        b"content-type",
        b"expect",
        b"authorization",
        b"amz-sdk-invocation-id",
        b"amz-sdk-request",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
        b"x-amz-sdk-checksum-algorithm",
        b"x-amz-checksum-crc32",
        b"x-amz-checksum-crc32c",
        b"x-amz-checksum-crc64nvme",
        b"x-amz-checksum-sha256",
    }
)
ACCOUNT: Final = re.compile(r"[0-9]{12}|[0-9a-f]{64}")


def refuse_unkept(request: Request) -> None:
    """Refuse the headers that ask for what S4 would not do."""
    _refuse_two_encryptions(request)
    _check_redirect(request)
    for name, _ in request.header_items:
        if name.startswith(_REFUSED):
            code, message = next(words for prefix, *words in REFUSALS if name.startswith(prefix))
            raise S3Error(code, message)
    storage_class = request.header("x-amz-storage-class")
    if storage_class not in {None, "STANDARD"}:
        raise S3Error("InvalidStorageClass", StorageClassRequested=str(storage_class))


def _refuse_two_encryptions(request: Request) -> None:
    """Refuse S3's encryption and the client's own at once (localstack, recorded from S3)."""
    kind = request.header("x-amz-server-side-encryption")
    if kind is not None and request.header("x-amz-server-side-encryption-customer-algorithm"):
        raise S3Error(
            "InvalidArgument",
            "Server Side Encryption with Customer provided key is incompatible with the "
            "encryption method specified",
            ArgumentName="x-amz-server-side-encryption",
            ArgumentValue=kind,
        )


def _check_redirect(request: Request) -> None:
    """Check where a website would send who asks for the object: REF API_PutObject."""
    location = request.header("x-amz-website-redirect-location")
    if location is None:
        return
    if not location.startswith(("/", "http://", "https://")):
        raise S3Error("InvalidRedirectLocation")
    if len(location) > REDIRECT_BYTES_MAX:
        raise S3Error(
            "InvalidRedirectLocation",
            "The length of website redirect location cannot exceed 2,048 characters.",
        )


def new_attributes(call: Call, **fields: Any) -> ObjectAttributes:
    """Collect what the request says of the object it writes, with `fields` that only it knows.

    Refuses (S3Error) what the request asks for and S4 would not keep.
    """
    request = call.request
    if _SILENT.issuperset(request.header_map):  # but for its type, which is looked up
        headers = {"content-type": request.header("content-type") or DEFAULT_TYPE}
        return ObjectAttributes(etag="", headers=headers, owner=new_owner(call), **fields)
    refuse_unkept(request)
    headers = stored_headers(request)
    tagging = request.header(tags.HEADER)
    if tagging is not None:
        fields["tags"] = tags.read_tagging_header(tagging)
        authorise_new(call, "s3:PutObjectTagging")
    owner, grants = new_owner_and_grants(call)
    return ObjectAttributes(etag="", headers=headers, owner=owner, grants=grants, **fields)


def stored_headers(request: Request) -> dict[str, str]:
    """Collect the content headers and the user metadata, byte for byte (as Latin-1).

    Raises S3Error MetadataTooLarge over 2 KB of user metadata.
    """
    headers = {"content-type": request.header("content-type") or DEFAULT_TYPE}
    for name in CONTENT_HEADERS[1:]:
        value = request.header(name)
        if value is not None:
            headers[name] = value
    if "content-encoding" in headers:
        _drop_transfer_coding(headers)
    size = 0
    for raw_name, raw_value in request.header_items:
        if raw_name.startswith(METADATA_PREFIX):
            name, text = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            # Repeated lines are one value, RFC 9110 5.3.
            headers[name] = f"{headers[name]},{text}" if name in headers else text
            size += len(raw_name) - len(METADATA_PREFIX) + len(raw_value)
    if size > METADATA_BYTES_MAX:
        raise S3Error("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(METADATA_BYTES_MAX))
    return headers


def _drop_transfer_coding(headers: dict[str, str]) -> None:
    """Take `aws-chunked` out of content-encoding: it ends with the transfer.

    The rest stays as it was sent.
    """
    codings = headers["content-encoding"].split(",")
    kept = [coding for coding in codings if coding.strip().lower() not in {"aws-chunked", ""}]
    if kept:
        headers["content-encoding"] = ",".join(kept).strip()
    else:
        del headers["content-encoding"]


def marker_attributes(call: Call) -> ObjectAttributes:
    """Collect what is kept with a delete marker: whose it is."""
    return ObjectAttributes(etag="", headers={}, owner=new_owner(call))


def check_expected_owner(call: Call) -> None:
    """Refuse the call when the client names another owner of the bucket than it has."""
    expected = call.arguments.get("ExpectedBucketOwner")
    if expected is not None and call.bucket_or_none is not None:
        check_owner(call, expected, call.bucket_or_none)


def check_owner(call: Call, expected: str, bucket: BucketState) -> None:
    """Refuse unless the bucket is that account's, which its account id or canonical id names.

    What can be no account is refused as S3 does (localstack, recorded).
    """
    if ACCOUNT.fullmatch(expected) is None:
        raise S3Error(
            "InvalidBucketOwnerAWSAccountID",
            "The value of the expected bucket owner parameter must be an AWS Account ID... "
            f"[{expected}]",
        )
    owner = call.store.snapshots.keyring.principal(bucket.owner_canonical_id)
    account_id = owner.account_id if owner is not None else ""
    if expected not in {bucket.owner_canonical_id, account_id}:
        raise S3Error("AccessDenied")
