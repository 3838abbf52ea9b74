"""What policies are asked: the request in their words.

Condition keys: docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html. Only the keys that
the policies name are looked up; one that S4 does not have is a key the request lacks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from iam.actions import OF_OBJECT, may_have
from iam.documents import OBJECT_TAG, Question
from s3api.http.dates import parse_iso_basic
from s3api.operations.tags import HEADER, read_tagging_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from buckets.registry import BucketState
    from s3api.context import Call

LIST_BUCKET: Final = "s3:ListBucket"
ARN: Final = "arn:aws:s3:::"
ANYTHING: Final = f"{ARN}*"  # the resource of what concerns no bucket: ListAllMyBuckets
NO_NAMES: Final = frozenset[str]()
ACCOUNT_KEYS: Final = frozenset({"aws:resourceaccount", "s3:resourceaccount"})
REQUEST_TAG: Final = "s3:requestobjecttag/"
REQUEST_TAG_KEYS: Final = "s3:requestobjecttagkeys"
SECOND_MS: Final = 1000
# Keys that say what a header says, by the same name.
HEADERS: Final = (
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
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
PREPARING: Final = frozenset({"CreateMultipartUpload", "UploadPart", "UploadPartCopy"})


def _moment(call: Call) -> str:
    return datetime.fromtimestamp(call.now_ms / SECOND_MS, UTC).isoformat(timespec="seconds")


def _parameter(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.request.query.get(name)


def _header(name: str) -> Callable[[Call], str | None]:
    return lambda call: call.request.header(name)


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


def _of_principal(field: str) -> Callable[[Call], str | None]:
    return lambda call: getattr(call.principal, field, None)


MAKERS: Final[dict[str, Callable[[Call], str | None]]] = {
    "aws:currenttime": _moment,
    "aws:epochtime": lambda call: str(call.now_ms // SECOND_MS),
    "aws:principalaccount": _of_principal("account_id"),
    "aws:principalarn": _of_principal("arn"),
    "aws:principaltype": lambda call: "Anonymous" if call.principal is None else "User",
    "aws:referer": _header("referer"),
    "aws:securetransport": lambda call: str(call.request.scheme == "https").lower(),
    "aws:sourceip": lambda call: call.request.client,
    "aws:useragent": _header("user-agent"),
    "aws:userid": _of_principal("canonical_id"),
    "aws:username": _of_principal("username"),
    "s3:authtype": _auth_type,
    "s3:delimiter": _parameter("delimiter"),
    "s3:max-keys": _parameter("max-keys"),
    "s3:objectcreationoperation": _creates_object,
    "s3:prefix": _parameter("prefix"),
    "s3:signatureage": _signature_age,
    "s3:signatureversion": _signature_version,
    "s3:versionid": _parameter("versionId"),
    **{f"s3:{name}": _header(name) for name in HEADERS},
}


# Actions to an object that is there: its tags may decide, and whether it is there is not told to
# everybody.
_WITH_OBJECT: Final = frozenset(
    f"s3:{verb}Object{version}{what}"
    for version in ("", "Version")
    for verb, what in (
        *(("Get", ""), ("Get", "Acl"), ("Put", "Acl"), ("Get", "Attributes")),
        *(("Get", "Tagging"), ("Put", "Tagging"), ("Delete", "Tagging")),
    )
)


def waits_for_object(action: str) -> bool:
    """Whether a policy is asked about an action only with the object at hand."""
    return action in _WITH_OBJECT


class Place(NamedTuple):
    """What a question is about: a bucket, or a key of it, or all below a prefix of keys.

    `owner` is the canonical id of whose the object is, None: the bucket's owner's; `tags` are those
    of the object that is there, where that is known. Without a bucket: what the request would make.
    """

    bucket: BucketState | None
    key: str | None = None
    owner: str | None = None
    tags: dict[str, str] | None = None
    is_prefix: bool = False


def make_question(call: Call, keys: Iterable[str], action: str, place: Place) -> Question:
    """Ask whether the caller may do `action` in a place, by policies that depend on `keys`."""
    bucket, key = place.bucket, place.key
    name = bucket.name if bucket is not None else call.target.bucket
    resource = ANYTHING if name is None else ARN + name
    if key is not None and action in OF_OBJECT:
        resource = f"{resource}/{key}"
    principal = call.principal
    names = principal.names if principal is not None else NO_NAMES
    context = _context(call, (name for name in keys if may_have(action, name)), place)
    if action == LIST_BUCKET and key is not None:
        context["s3:prefix"] = (key,)  # whether a key is there is asked of a list of its name
    return Question(action, resource, names, context, place.is_prefix)


def _context(call: Call, keys: Iterable[str], place: Place) -> dict[str, Sequence[str]]:
    context: dict[str, Sequence[str]] = {}
    sent: dict[str, str] | None = None
    for key in keys:
        make = MAKERS.get(key)
        if make is not None:
            value = make(call)
        elif key in ACCOUNT_KEYS:
            value = _account(call, place)
        elif key.startswith(OBJECT_TAG):
            value = _tag(place.tags or {}, key.removeprefix(OBJECT_TAG))
        elif key.startswith((REQUEST_TAG, REQUEST_TAG_KEYS)):
            sent = _tags_sent(call) if sent is None else sent
            if key == REQUEST_TAG_KEYS:
                context[key] = tuple(sent)
                continue
            value = _tag(sent, key.removeprefix(REQUEST_TAG))
        else:
            continue
        if value is not None:
            context[key] = (value,)
    return context


def _account(call: Call, place: Place) -> str | None:
    """Name the account of whose the resource is; what is not there yet is the caller's."""
    owner = place.owner
    if owner is None:
        owner = call.caller_id if place.bucket is None else place.bucket.owner_canonical_id
    holder = call.store.snapshots.keyring.principal(owner)
    return holder.account_id if holder is not None else None


def _tag(tags: dict[str, str], folded: str) -> str | None:
    """Find a tag by a key that a policy names, whose keys have no case."""
    return next((value for name, value in tags.items() if name.lower() == folded), None)


def _tags_sent(call: Call) -> dict[str, str]:
    """Read the tags that come with the request, in its header or, once bound, in its document."""
    header = call.request.header(HEADER)
    if header is not None:
        return read_tagging_header(header)
    document = call.arguments.get("Tagging")
    if isinstance(document, dict):
        return {tag.get("Key", ""): tag.get("Value", "") for tag in document.get("TagSet", ())}
    return {}
