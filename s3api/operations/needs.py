"""What each operation needs: the actions that its caller must be allowed, each on what, and when.

The one table of it, for people and for tools; the operations ask. A test holds it against what is
served, against the actions and resources of list_amazons3 and against what AWS's own model says of
each operation. "Required permissions for Amazon S3 API operations":
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from iam.actions import OF_OBJECT
from s3api.operations.unconfigured import UNCONFIGURED


class On(StrEnum):
    """What an action is done to: the resource that a policy must name."""

    EVERYTHING = "everything"  # no bucket that is there: `*`
    BUCKET = "bucket"
    OBJECT = "object"
    SOURCE = "source"  # the object that is copied or renamed


class Need(NamedTuple):
    """One action; `when` says in words when it is needed, nothing: always."""

    action: str
    on: On
    when: str = ""


def _bucket(action: str, when: str = "") -> Need:
    return Need(f"s3:{action}", On.BUCKET, when)


def _object(action: str, when: str = "") -> Need:
    return Need(f"s3:{action}", On.OBJECT, when)


def _source(action: str, when: str = "") -> Need:
    return Need(f"s3:{action}", On.SOURCE, when)


def _of(action: str) -> Need:
    return Need(action, On.OBJECT if action in OF_OBJECT else On.BUCKET)


def _versioned(verb: str, what: str = "") -> tuple[Need, ...]:
    """Make the needs of what may name a version: one action or the other."""
    return (
        _object(f"{verb}Object{what}", WITHOUT_VERSION),
        _object(f"{verb}ObjectVersion{what}", WITH_VERSION),
    )


WITHOUT_VERSION: Final = "no version is named"
WITH_VERSION: Final = "a version is named"
MISSING: Final = "there is no such key: else 403 instead of 404"
# What comes with an object that is made.
_ACL: Final = _object("PutObjectAcl", "an ACL comes along, and ACLs are on")
_TAGS: Final = _object("PutObjectTagging", "tags come along")
_MATCH: Final = _object("GetObject", "a condition names an ETag, a size or a time")
_LOCKED: Final = (
    _object("PutObjectRetention", "a retention comes along"),
    _object("PutObjectLegalHold", "a legal hold comes along"),
)
_MADE: Final = (_object("PutObject"), _ACL, _TAGS, *_LOCKED)
_BYPASS: Final = _object("BypassGovernanceRetention", "x-amz-bypass-governance-retention is true")
_READ: Final = (
    _source("GetObject", "no version of the source is named"),
    _source("GetObjectVersion", "a version of the source is named"),
)
_MISSING: Final = _bucket("ListBucket", MISSING)
_COUNTED: Final = (
    _object("GetObjectTagging", "to be told how many tags it has"),
    _object("GetObjectVersionTagging", "the same, of a version that is named"),
)
_TOLD: Final = (
    *_COUNTED,
    _object("GetObjectRetention", "to be told until when it is retained"),
    _object("GetObjectLegalHold", "to be told of its legal hold"),
)

NEEDS: Final[dict[str, tuple[Need, ...]]] = {
    "ListBuckets": (Need("s3:ListAllMyBuckets", On.EVERYTHING),),
    "CreateBucket": (
        _bucket("CreateBucket"),
        _bucket("PutBucketAcl", "an ACL comes along that is not private"),
        _bucket("PutBucketOwnershipControls", "x-amz-object-ownership comes along"),
        _bucket("PutBucketObjectLockConfiguration", "Object Lock is to be on"),
        _bucket("PutBucketVersioning", "Object Lock is to be on"),
        _bucket("TagResource", "tags come along"),
    ),
    "HeadBucket": (_bucket("ListBucket"),),
    "DeleteBucket": (_bucket("DeleteBucket"),),
    "GetBucketVersioning": (_bucket("GetBucketVersioning"),),
    "PutBucketVersioning": (_bucket("PutBucketVersioning"),),
    "GetBucketPolicy": (_bucket("GetBucketPolicy"),),
    "GetBucketPolicyStatus": (_bucket("GetBucketPolicyStatus"),),
    "PutBucketPolicy": (_bucket("PutBucketPolicy"),),
    "DeleteBucketPolicy": (_bucket("DeleteBucketPolicy"),),
    "GetBucketLocation": (_bucket("GetBucketLocation"),),
    "ListObjects": (_bucket("ListBucket"),),
    "ListObjectsV2": (_bucket("ListBucket"),),
    "ListObjectVersions": (_bucket("ListBucketVersions"),),
    "GetObject": (*_versioned("Get"), _MISSING, *_TOLD),
    "HeadObject": (*_versioned("Get"), _MISSING, *_TOLD),
    "GetObjectAttributes": (
        *_versioned("Get", "Attributes"),
        *_versioned("Get"),
        _MISSING,
    ),
    "PutObject": (*_MADE, _MATCH),
    "PostObject": (*_MADE, _MATCH),
    "CopyObject": (
        *_MADE,
        _MATCH,
        *_READ,
        _source("GetObjectTagging", "the source has tags, which are copied"),
        _source("GetObjectVersionTagging", "the same, of a version that is named"),
    ),
    "RenameObject": (
        _object("PutObject"),
        _source("GetObject"),
        _source("DeleteObject"),
        _source("DeleteObjectVersion", "the bucket keeps versions, or once did"),
        _object("DeleteObject", "all below a prefix is replaced (If-Match)"),
        _object("DeleteObjectVersion", "versions are kept, or were, and a target is replaced"),
        _MATCH,
    ),
    "DeleteObject": (*_versioned("Delete"), _MATCH, _BYPASS),
    "DeleteObjects": (*_versioned("Delete"), _MATCH, _BYPASS),
    "CreateMultipartUpload": _MADE,
    "UploadPart": (_object("PutObject"),),
    "UploadPartCopy": (_object("PutObject"), *_READ),
    "CompleteMultipartUpload": (_object("PutObject"), _MATCH),
    "AbortMultipartUpload": (_object("AbortMultipartUpload"),),
    "ListParts": (_object("ListMultipartUploadParts"),),
    "ListMultipartUploads": (_bucket("ListBucketMultipartUploads"),),
    "GetObjectTagging": (*_versioned("Get", "Tagging"), _MISSING),
    "PutObjectTagging": (*_versioned("Put", "Tagging"), _MISSING),
    "DeleteObjectTagging": (*_versioned("Delete", "Tagging"), _MISSING),
    "GetBucketTagging": (_bucket("GetBucketTagging"),),
    "PutBucketTagging": (_bucket("PutBucketTagging"),),
    "DeleteBucketTagging": (_bucket("PutBucketTagging"),),
    "GetBucketCors": (_bucket("GetBucketCORS"),),
    "PutBucketCors": (_bucket("PutBucketCORS"),),
    "DeleteBucketCors": (_bucket("PutBucketCORS"),),
    "GetBucketLifecycleConfiguration": (_bucket("GetLifecycleConfiguration"),),
    "PutBucketLifecycleConfiguration": (_bucket("PutLifecycleConfiguration"),),
    "DeleteBucketLifecycle": (_bucket("PutLifecycleConfiguration"),),
    "OptionsObject": (),  # a browser's question before a request: it is not signed
    "GetBucketAcl": (_bucket("GetBucketAcl"),),
    "PutBucketAcl": (_bucket("PutBucketAcl"),),
    "GetObjectAcl": (*_versioned("Get", "Acl"), _MISSING),
    "PutObjectAcl": (*_versioned("Put", "Acl"), _MISSING),
    "GetBucketOwnershipControls": (_bucket("GetBucketOwnershipControls"),),
    "PutBucketOwnershipControls": (_bucket("PutBucketOwnershipControls"),),
    "DeleteBucketOwnershipControls": (_bucket("PutBucketOwnershipControls"),),
    "GetPublicAccessBlock": (_bucket("GetBucketPublicAccessBlock"),),
    "PutPublicAccessBlock": (_bucket("PutBucketPublicAccessBlock"),),
    "DeletePublicAccessBlock": (_bucket("PutBucketPublicAccessBlock"),),
    "GetObjectLockConfiguration": (_bucket("GetBucketObjectLockConfiguration"),),
    "PutObjectLockConfiguration": (_bucket("PutBucketObjectLockConfiguration"),),
    "GetObjectRetention": (_object("GetObjectRetention"), _MISSING),
    "PutObjectRetention": (_object("PutObjectRetention"), _MISSING, _BYPASS),
    "GetObjectLegalHold": (_object("GetObjectLegalHold"), _MISSING),
    "PutObjectLegalHold": (_object("PutObjectLegalHold"), _MISSING),
    "PutBucketRequestPayment": (_bucket("PutBucketRequestPayment"),),
    **{name: (_of(row.action),) for name, row in UNCONFIGURED.items()},
}
