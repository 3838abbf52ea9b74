"""What a request says of itself in the words of policies: the values of their condition keys.

Condition keys: docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html. Only the keys that
the policies name are looked up; one that S4 does not have is a key the request lacks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from iam.hearing import Hearing, find_tag
from s3api.errors import S3Error
from s3api.http.dates import parse_iso_basic
from s3api.operations.tags import HEADER, read_tagging_header
from s3api.protocol.timestamps import exact_iso_date, parse_iso_timestamp
from storage_engine import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buckets.registry import BucketState
    from s3api.context import Call

REQUEST_TAG: Final = "s3:requestobjecttag/"
REQUEST_TAG_KEYS: Final = "s3:requestobjecttagkeys"
VERSION_ID: Final = "s3:versionid"
# What AWS takes for all headers (UsingMetadata.html): a pattern that almost fits costs its length
# times the value's, and no policy is skipped for that.
VALUE_CHARACTERS_MAX: Final = 8 * 1024
SECOND_MS: Final = 1000
# Keys that say what a header says, by the same name.
HEADERS: Final = (
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
    "if-match",
    "if-none-match",
)
# Operations that make an object, and those that only prepare one.
CREATING: Final = frozenset(
    {"PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload", "RenameObject"}
)
COPYING: Final = frozenset({"CopyObject", "UploadPartCopy"})
PREPARING: Final = frozenset({"CreateMultipartUpload", "UploadPart", "UploadPartCopy"})


def _moment(call: Call) -> str:
    return datetime.fromtimestamp(call.now_ms / SECOND_MS, UTC).isoformat(timespec="seconds")


def _parameter(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.request.query.get(name)


def _header(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.request.header(name)


def _directive(name: str) -> Callable[[Call], str | None]:
    """Read a header that is one word: of several lines the first is obeyed."""

    def make(call: Call) -> str | None:
        text = call.request.header(name)
        return None if text is None else text.partition(",")[0].strip()

    return make


def _in_document(document: str, member: str, header: str) -> Callable[[Call], Any]:
    """Read what is asked of a lock: in the document of a call that has one, else in a header."""

    def make(call: Call) -> Any:
        given = call.arguments.get(document)
        return given.get(member) if isinstance(given, dict) else call.request.header(header)

    return make


_asked_until: Final = _in_document(
    "Retention", "RetainUntilDate", "x-amz-object-lock-retain-until-date"
)


def _until_ms(call: Call) -> int | None:
    """Read until when a version shall be retained; what is no time is refused elsewhere."""
    asked = _asked_until(call)
    return parse_iso_timestamp(asked) if isinstance(asked, str) else asked


def _retain_until(call: Call) -> str | None:
    until_ms = _until_ms(call)
    return None if until_ms is None else exact_iso_date(until_ms)


def _remaining_days(call: Call) -> str | None:
    """Count the days of a retention that is asked for; one that has begun is a whole one.

    So who asks for ten days on the dot keeps both a bound of at least and one of at most ten.
    """
    until_ms = _until_ms(call)
    return None if until_ms is None else str(-((call.now_ms - until_ms) // DAY_MS))


def _copied(make: Callable[[Call], str | None]) -> Callable[[Call], str | None]:
    """Let a header that means something to copies alone have no value elsewhere."""
    return lambda call: make(call) if call.operation.name in COPYING else None


_tagging_directive = _directive("x-amz-tagging-directive")


def _auth_type(call: Call) -> str | None:
    """Say where the signature stands; nobody signs nowhere."""
    if call.principal is None:
        return None
    if call.operation.name == "PostObject":
        return "POST"
    return "REST-HEADER" if call.request.header("authorization") else "REST-QUERY-STRING"


def _signature_version(call: Call) -> str | None:
    if call.principal is None:
        return None
    is_v2 = (
        "AWSAccessKeyId" in call.request.query
        or (call.request.header("authorization") or "").startswith("AWS ")
        or (call.form is not None and "awsaccesskeyid" in call.form.fields)
    )
    return "AWS" if is_v2 else "AWS4-HMAC-SHA256"


def _signature_age(call: Call) -> str | None:
    """Say how old a presigned URL is, in milliseconds."""
    signed = call.request.query.get("X-Amz-Date")
    moment = None if signed is None else parse_iso_basic(signed)
    return None if moment is None else str(call.now_ms - moment * SECOND_MS)


def _creates_object(call: Call) -> str | None:
    """Say whether what asks for s3:PutObject makes an object: conditional-writes-enforce.html."""
    name = call.operation.name
    if name in CREATING:
        return "true"
    return "false" if name in PREPARING else None


# Beside what `iam.hearing` knows of who asks and of whose the object is.
MAKERS: Final[dict[str, Callable[[Call], str | None]]] = {
    "aws:currenttime": _moment,
    "aws:epochtime": lambda call: str(call.now_ms // SECOND_MS),
    "aws:referer": _header("referer"),
    "aws:securetransport": lambda call: str(call.request.scheme == "https").lower(),
    "aws:sourceip": lambda call: call.request.client,
    "aws:useragent": _header("user-agent"),
    "s3:authtype": _auth_type,
    "s3:delimiter": _parameter("delimiter"),
    "s3:max-keys": _parameter("max-keys"),
    "s3:objectcreationoperation": _creates_object,
    "s3:object-lock-legal-hold": _in_document(
        "LegalHold", "Status", "x-amz-object-lock-legal-hold"
    ),
    "s3:object-lock-mode": _in_document("Retention", "Mode", "x-amz-object-lock-mode"),
    "s3:object-lock-remaining-retention-days": _remaining_days,
    "s3:object-lock-retain-until-date": _retain_until,
    "s3:prefix": _parameter("prefix"),
    "s3:signatureage": _signature_age,
    "s3:signatureversion": _signature_version,
    VERSION_ID: _parameter("versionId"),
    **{f"s3:{name}": _header(name) for name in HEADERS},
    "s3:x-amz-copy-source": _copied(_header("x-amz-copy-source")),
    "s3:x-amz-metadata-directive": _copied(_directive("x-amz-metadata-directive")),
    "s3:x-amz-object-ownership": _directive("x-amz-object-ownership"),
}


def hear(
    call: Call,
    bucket: BucketState | None,
    key: str | None = None,
    version_id: str | None = None,
    *,
    is_prefix: bool = False,
) -> Hearing:
    """Gather who has a say in what the caller may do in a bucket, to a key or below a prefix.

    `version_id` is for a version that the request names elsewhere than in its query.
    """
    credential = call.identity.credential
    principal, narrowing = None, None
    if credential is not None:
        principal, narrowing = credential.principal, credential.policy
    return Hearing(
        principal,
        narrowing,
        bucket,
        call.target.bucket if bucket is None else bucket.name,
        key,
        call.store.snapshots.keyring,
        partial(look_up, call) if version_id is None else partial(_look_up, call, version_id),
        is_prefix,
    )


def _look_up(call: Call, version_id: str, key: str) -> Sequence[str] | None:
    return (version_id,) if key == VERSION_ID else look_up(call, key)


def look_up(call: Call, key: str) -> Sequence[str] | None:
    """Find what the request says of a condition key; None: nothing."""
    make = MAKERS.get(key)
    if make is not None:
        value = make(call)
    elif key == REQUEST_TAG_KEYS:
        return tuple(_tags_sent(call))
    elif key.startswith(REQUEST_TAG):
        value = find_tag(_tags_sent(call), key.removeprefix(REQUEST_TAG))
    else:
        return None
    if value is not None and len(value) > VALUE_CHARACTERS_MAX:
        raise S3Error("RequestHeaderSectionTooLarge")
    return None if value is None else (value,)


def _tags_sent(call: Call) -> dict[str, str]:
    """Read the tags that come with the request, in its header or, once bound, in its document.

    A copy that keeps its source's lets those in its header be.
    """
    header = call.request.header(HEADER)
    if call.operation.name == "CopyObject" and _tagging_directive(call) != "REPLACE":
        return {}
    if header is not None:
        return read_tagging_header(header)
    document = call.arguments.get("Tagging")
    if isinstance(document, dict):
        return {tag.get("Key", ""): tag.get("Value", "") for tag in document.get("TagSet", ())}
    return {}
