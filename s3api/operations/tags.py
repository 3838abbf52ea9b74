"""What a tag may be: the rules for objects and for buckets, and the header that carries tags.

Pure. Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html and
API_control_Tag of the API reference (the pattern of keys and values). The refusals are those of S3
itself, as recorded in localstack, tests/aws/services/s3/test_s3_api.snapshot.json
(TestS3BucketObjectTagging); that a tag is refused before too many of them are, scality/cloudserver
found (pull request 4451).
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from s3api.errors import S3Error
from s3api.http import percent

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY_UNITS_MAX: Final = 128  # of UTF-16, in which S3 counts tags
VALUE_UNITS_MAX: Final = 256
RESERVED: Final = "aws:"
HEADER: Final = "x-amz-tagging"
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _.:/=+\-@]*")
_MARKS: Final = frozenset("_.:/=+-@")
_KINDS: Final = frozenset("LZN")  # letters, separators, numbers: the classes of AWS's pattern


class TagRules(NamedTuple):
    """What differs between the tags of objects and those of buckets."""

    count_max: int
    too_many: str
    reserved: str
    names_reserved_key: bool = True


OBJECT_TAGS: Final = TagRules(
    10, "Object tags cannot be greater than 10", "Your TagKey cannot be prefixed with aws:"
)
BUCKET_TAGS: Final = TagRules(
    50,
    "Bucket tag count cannot be greater than 50",
    "System tags cannot be added/updated by requester",
)
NEW_BUCKET_TAGS: Final = BUCKET_TAGS._replace(
    reserved=(
        'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. '
        'Remove "aws:" from your tag keys and try again.'
    ),
    names_reserved_key=False,
)


def read_tag_set(tag_set: Iterable[dict[str, Any]], rules: TagRules) -> dict[str, str]:
    """Check the tags of a document; InvalidTag for a wrong one, BadRequest for too many."""
    tags: dict[str, str] = {}
    for tag in tag_set:
        key, value = tag["Key"], tag["Value"]
        if key in tags:
            raise S3Error(
                "InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key
            )
        _check_tag(key, value, rules)
        tags[key] = value
    if len(tags) > rules.count_max:
        raise S3Error("BadRequest", rules.too_many)
    return tags


def read_tagging_header(text: str) -> dict[str, str]:
    """Read the tags of an object from x-amz-tagging, which is written like a query.

    `text` is the header in Latin-1, so its bytes are those sent. In order of the keys: S3 keeps
    none here. InvalidArgument for what cannot be read or repeats a key; else as `read_tag_set`.
    """
    tags: dict[str, str] = {}
    for piece in text.encode("latin-1").replace(b"+", b" ").split(b"&"):
        if not piece:
            continue
        name, *values = piece.split(b"=")
        if not name or len(values) > 1:
            raise _unreadable(text)
        try:
            key, value = percent.decode(name), percent.decode(values[0] if values else b"")
        except S3Error as error:
            raise _unreadable(text) from error
        if key in tags:
            raise _unreadable(text)
        _check_tag(key, value, OBJECT_TAGS)
        tags[key] = value
    if len(tags) > OBJECT_TAGS.count_max:
        raise S3Error("BadRequest", OBJECT_TAGS.too_many)
    return dict(sorted(tags.items()))


def write_tag_set(tags: dict[str, str]) -> list[dict[str, str]]:
    """List tags as the members of an output."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _unreadable(text: str) -> S3Error:
    return S3Error(
        "InvalidArgument",
        f"The header '{HEADER}' shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.",
        ArgumentName=HEADER,
        ArgumentValue=text,
    )


def _check_tag(key: str, value: str, rules: TagRules) -> None:
    if key.startswith(RESERVED):
        refusal = S3Error("InvalidTag", rules.reserved)
        if rules.names_reserved_key:
            refusal.detail["TagKey"] = key
        raise refusal
    if not key or not _is_legal(key, KEY_UNITS_MAX):
        raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
    if not _is_legal(value, VALUE_UNITS_MAX):
        raise S3Error(
            "InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value
        )


def _is_legal(text: str, units_max: int) -> bool:
    """Whether text is short enough and made of the characters a tag may have."""
    if _PLAIN.fullmatch(text):
        return len(text) <= units_max
    if len(text.encode("utf-16-le", "surrogatepass")) > units_max * 2:
        return False
    return all(char in _MARKS or unicodedata.category(char)[0] in _KINDS for char in text)
