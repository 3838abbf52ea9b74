"""Every operation as it is tried: the request, the actions that AWS wants for it, the answer.

The needs are those of "Required permissions for Amazon S3 API operations" (AWS,
using-with-s3-policy-actions.html) and of the "Permissions" of each operation's own page; where a
request brings more with it, or names a version, a row of its own says so. `{key}` and the like
stand for what the bucket of the moment has.
"""

from __future__ import annotations

from typing import Any, Final

from tests.e2e.matrix.lock_rows import LOCKS
from tests.e2e.matrix.row import (
    COPY,
    LIST,
    MISSING,
    NO_CONTENT,
    PUT,
    Row,
    change,
    keyed,
    new_key,
    row,
)

CORS: Final = {
    "CORSRules": [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://other.example"]}]
}
LIFECYCLE: Final = {
    "Rules": [{"ID": "new", "Status": "Disabled", "Filter": {}, "Expiration": {"Days": 90}}]
}
TAGS: Final = {"TagSet": [{"Key": "changed", "Value": "yes"}]}
OPEN: Final = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False
)
GRANT: Final = 'id="{owner}"'


def _in(flavour: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Let rows play in buckets of a flavour, where they name none."""
    return tuple(
        each._replace(flavour=flavour) if each.flavour == "plain" else each for each in rows
    )


NULL: Final = {"VersionId": "null"}
SERVICE: Final = (
    row("ListBuckets", "service:ListAllMyBuckets"),
    change("CreateBucket", "new:CreateBucket", {"Bucket": "{fresh}"}),
    change(
        "CreateBucket",
        "new:CreateBucket new:PutBucketOwnershipControls",
        {"Bucket": "{fresh}", "ObjectOwnership": "ObjectWriter"},
        "with object ownership",
    ),
    change(
        "CreateBucket",
        "new:CreateBucket new:PutBucketOwnershipControls new:PutBucketAcl",
        {"Bucket": "{fresh}", "ObjectOwnership": "ObjectWriter", "GrantRead": GRANT},
        "with an ACL",
    ),
    change(
        "CreateBucket",
        "new:CreateBucket new:TagResource",
        {
            "Bucket": "{fresh}",
            "CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]},
        },
        "with tags",
    ),
)

BUCKET: Final = (
    row("HeadBucket", "bucket:ListBucket"),
    change("DeleteBucket", "bucket:DeleteBucket", answer=NO_CONTENT, flavour="empty"),
    row("GetBucketLocation", "bucket:GetBucketLocation"),
    row("GetBucketVersioning", "bucket:GetBucketVersioning"),
    change(
        "PutBucketVersioning",
        "bucket:PutBucketVersioning",
        {"VersioningConfiguration": {"Status": "Enabled"}},
    ),
    row("GetBucketPolicy", "bucket:GetBucketPolicy"),
    row("GetBucketPolicyStatus", "bucket:GetBucketPolicyStatus"),
    change(
        "PutBucketPolicy",
        "bucket:PutBucketPolicy",
        {"Policy": "{policy}"},
        answer=NO_CONTENT,
    ),
    change("DeleteBucketPolicy", "bucket:DeleteBucketPolicy", answer=NO_CONTENT),
    row("GetBucketAcl", "bucket:GetBucketAcl"),
    change("PutBucketAcl", "bucket:PutBucketAcl", {"GrantRead": GRANT}, flavour="acls"),
    row("GetBucketOwnershipControls", "bucket:GetBucketOwnershipControls"),
    change(
        "PutBucketOwnershipControls",
        "bucket:PutBucketOwnershipControls",
        {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
    ),
    change(
        "DeleteBucketOwnershipControls",
        "bucket:PutBucketOwnershipControls",
        answer=NO_CONTENT,
    ),
    row("GetPublicAccessBlock", "bucket:GetBucketPublicAccessBlock"),
    change(
        "PutPublicAccessBlock",
        "bucket:PutBucketPublicAccessBlock",
        {"PublicAccessBlockConfiguration": OPEN},
    ),
    change("DeletePublicAccessBlock", "bucket:PutBucketPublicAccessBlock", answer=NO_CONTENT),
    row("GetBucketTagging", "bucket:GetBucketTagging"),
    change("PutBucketTagging", "bucket:PutBucketTagging", {"Tagging": TAGS}, answer=NO_CONTENT),
    change("DeleteBucketTagging", "bucket:PutBucketTagging", answer=NO_CONTENT),
    row("GetBucketCors", "bucket:GetBucketCORS"),
    change("PutBucketCors", "bucket:PutBucketCORS", {"CORSConfiguration": CORS}),
    change("DeleteBucketCors", "bucket:PutBucketCORS", answer=NO_CONTENT),
    row("GetBucketLifecycleConfiguration", "bucket:GetLifecycleConfiguration"),
    change(
        "PutBucketLifecycleConfiguration",
        "bucket:PutLifecycleConfiguration",
        {"LifecycleConfiguration": LIFECYCLE},
    ),
    change("DeleteBucketLifecycle", "bucket:PutLifecycleConfiguration", answer=NO_CONTENT),
    row(
        "PutBucketRequestPayment",
        "bucket:PutBucketRequestPayment",
        {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}},
    ),
)

LISTS: Final = (
    *(
        made
        for operation, action in (
            ("ListObjects", "ListBucket"),
            ("ListObjectsV2", "ListBucket"),
            ("ListObjectVersions", "ListBucketVersions"),
        )
        for made in (
            row(operation, f"bucket:{action}"),
            row(operation, f"listing:{action}", {"Prefix": "{prefix}"}, "below a prefix"),
        )
    ),
    row("ListMultipartUploads", "bucket:ListBucketMultipartUploads"),
)

VERSION: Final = "a version"
READS: Final = (
    *(
        made
        for operation in ("GetObject", "HeadObject")
        for made in (
            row(operation, "object:GetObject", keyed()),
            row(operation, "object:GetObjectVersion", keyed(**NULL), VERSION),
            row(
                operation,
                f"object:GetObject {LIST}",
                keyed("{missing}"),
                MISSING,
                answer=404,
                code="NoSuchKey",
            ),
        )
    ),
    row("GetObject", "object:GetObject", keyed(), "where ACLs are on", flavour="acls"),
    row(
        "GetObjectAttributes",
        "object:GetObjectAttributes object:GetObject",
        keyed(ObjectAttributes=["ETag"]),
    ),
    row(
        "GetObjectAttributes",
        "object:GetObjectVersionAttributes object:GetObjectVersion",
        keyed(ObjectAttributes=["ETag"], **NULL),
        VERSION,
    ),
    row(
        "GetObjectAttributes",
        f"object:GetObjectAttributes object:GetObject {LIST}",
        keyed("{missing}", ObjectAttributes=["ETag"]),
        MISSING,
        answer=404,
        code="NoSuchKey",
    ),
    row("OptionsObject", "", keyed(), flavour="configured"),
)


def _of_object(
    what: str, verb: str, params: dict[str, Any], key: str = "{tagged}", **options: Any
) -> tuple[Row, ...]:
    """Make the rows of what is done to an object that is there, or a version, or a missing one."""
    operation, plain = f"{verb}{what}", f"object:{verb}{what}"
    version = plain.replace("Object", "ObjectVersion")
    make = row if verb == "Get" else change
    flavour = options.get("flavour", "plain")
    # Where ACLs are on, the object's own may allow it, so without one only the list says no.
    missing = LIST if flavour == "acls" else f"{plain} {LIST}"
    return (
        make(operation, plain, keyed(key, **params), **options),
        make(operation, version, keyed(key, **params, **NULL), VERSION, **options),
        row(
            operation,
            missing,
            keyed("{missing}", **params),
            MISSING,
            answer=404,
            code="NoSuchKey",
            flavour=flavour,
        ),
    )


ABOUT: Final = (
    *_of_object("ObjectTagging", "Get", {}),
    *_of_object("ObjectTagging", "Put", {"Tagging": TAGS}),
    *_of_object("ObjectTagging", "Delete", {}, answer=NO_CONTENT),
    *_of_object("ObjectAcl", "Get", {}),
    *_of_object("ObjectAcl", "Put", {"GrantRead": GRANT}, "{key}", flavour="acls"),
)

TAGGED: Final = {"Tagging": "brought=along"}
ACL: Final = {"ACL": "bucket-owner-read"}
MATCH: Final = {"IfMatch": "{etag}"}
WITH_TAGS, WITH_ACL, IF_MATCH = "with tags", "with an ACL", "If-Match"
COPY_NULL: Final = {"CopySource": "{bucket}/{key}?versionId=null"}
TAGS_OF_SOURCE: Final = {"CopySource": "{bucket}/{tagged}"}
TAGS_OF_VERSION: Final = {"CopySource": "{bucket}/{tagged}?versionId=null"}
RENAME: Final = {"RenameSource": "{bucket}/{key}"}
MOVE: Final = f"{PUT} source:GetObject source:DeleteObject"
WRITES: Final = (
    change("PutObject", PUT, new_key(Body=b"new")),
    change("PutObject", PUT, keyed(Body=b"new"), "over another"),
    change(
        "PutObject", f"{PUT} object:PutObjectTagging", new_key(Body=b"new", **TAGGED), WITH_TAGS
    ),
    change(
        "PutObject",
        f"{PUT} object:PutObjectAcl",
        new_key(Body=b"new", **ACL),
        WITH_ACL,
        flavour="acls",
    ),
    change("PutObject", f"{PUT} object:GetObject", keyed(Body=b"new", **MATCH), IF_MATCH),
    change("PostObject", PUT, new_key(Body=b"new"), answer=NO_CONTENT),
    change(
        "PostObject",
        f"{PUT} object:PutObjectTagging",
        new_key(Body=b"new", Tagging="{tagging}"),
        WITH_TAGS,
        answer=NO_CONTENT,
    ),
    change(
        "PostObject",
        f"{PUT} object:PutObjectAcl",
        new_key(Body=b"new", **ACL),
        WITH_ACL,
        answer=NO_CONTENT,
        flavour="acls",
    ),
    change(
        "PostObject",
        f"{PUT} object:GetObject",
        keyed(Body=b"new", **MATCH),
        IF_MATCH,
        answer=NO_CONTENT,
    ),
    change("CopyObject", f"{PUT} source:GetObject", new_key(**COPY)),
    change("CopyObject", f"{PUT} source:GetObjectVersion", new_key(**COPY_NULL), VERSION),
    change(
        "CopyObject",
        f"{PUT} source:GetObject source:GetObjectTagging object:PutObjectTagging",
        new_key(**TAGS_OF_SOURCE),
        "the source's tags",
    ),
    change(
        "CopyObject",
        f"{PUT} source:GetObjectVersion source:GetObjectVersionTagging object:PutObjectTagging",
        new_key(**TAGS_OF_VERSION),
        "the tags of a version",
    ),
    change(
        "CopyObject",
        f"{PUT} source:GetObject object:PutObjectTagging",
        new_key(TaggingDirective="REPLACE", **COPY, **TAGGED),
        "with other tags",
    ),
    change(
        "CopyObject",
        f"{PUT} source:GetObject object:PutObjectAcl",
        new_key(**COPY, **ACL),
        WITH_ACL,
        flavour="acls",
    ),
    change(
        "CopyObject",
        f"{PUT} source:GetObject object:GetObject",
        keyed("{tagged}", **COPY, IfMatch="{tagged_etag}"),
        IF_MATCH,
    ),
    change("RenameObject", MOVE, new_key(**RENAME)),
    change(
        "RenameObject",
        MOVE,
        keyed("{prefix}moved/", RenameSource="{bucket}/{prefix}folder/"),
        "a prefix",
    ),
    change(
        "RenameObject",
        f"{MOVE} object:DeleteObject",
        keyed("{prefix}taken/", RenameSource="{bucket}/{prefix}folder/", DestinationIfMatch="*"),
        "a prefix, If-Match",
    ),
    change(
        "RenameObject",
        f"{MOVE} source:DeleteObjectVersion",
        new_key(**RENAME),
        "with versions",
        flavour="versions",
    ),
    change(
        "RenameObject",
        f"{MOVE} object:GetObject source:DeleteObjectVersion object:DeleteObjectVersion",
        keyed("{tagged}", **RENAME, DestinationIfMatch="{tagged_etag}"),
        "with versions, If-Match",
        flavour="versions",
    ),
)

ETAG: Final = {"Key": "{key}", "ETag": "{etag}"}
DELETES: Final = (
    change("DeleteObject", "object:DeleteObject", keyed(), answer=NO_CONTENT),
    change("DeleteObject", "object:DeleteObjectVersion", keyed(**NULL), VERSION, answer=NO_CONTENT),
    row("DeleteObject", "object:DeleteObject", keyed("{missing}"), MISSING, answer=NO_CONTENT),
    change(
        "DeleteObject",
        "object:DeleteObject object:GetObject",
        keyed(**MATCH),
        IF_MATCH,
        answer=NO_CONTENT,
    ),
    *(
        change("DeleteObjects", f"object:{needs}", {"Delete": {"Objects": [entry]}}, note)
        for needs, entry, note in (
            ("DeleteObject", keyed(), ""),
            ("DeleteObjectVersion", keyed(**NULL), VERSION),
            ("DeleteObject object:GetObject", ETAG, "an ETag"),
        )
    ),
)

UPLOAD: Final = {"UploadId": "{upload}"}
PART: Final = keyed(**UPLOAD, PartNumber=1)
COMPLETE: Final = keyed(
    **UPLOAD, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "{part_etag}"}]}
)
UPLOADS: Final = (
    change("CreateMultipartUpload", PUT, new_key()),
    change("CreateMultipartUpload", f"{PUT} object:PutObjectTagging", new_key(**TAGGED), WITH_TAGS),
    change(
        "CreateMultipartUpload",
        f"{PUT} object:PutObjectAcl",
        new_key(**ACL),
        WITH_ACL,
        flavour="acls",
    ),
    change("UploadPart", PUT, PART | {"Body": b"another part"}),
    change("UploadPartCopy", f"{PUT} source:GetObject", PART | COPY),
    change("UploadPartCopy", f"{PUT} source:GetObjectVersion", PART | COPY_NULL, VERSION),
    row("ListParts", "object:ListMultipartUploadParts", keyed(**UPLOAD)),
    change("CompleteMultipartUpload", PUT, COMPLETE),
    change("CompleteMultipartUpload", f"{PUT} object:GetObject", COMPLETE | MATCH, IF_MATCH),
    change(
        "AbortMultipartUpload", "object:AbortMultipartUpload", keyed(**UPLOAD), answer=NO_CONTENT
    ),
)

NONE: Final = 404
UNCONFIGURED: Final = (
    row("GetBucketAccelerateConfiguration", "bucket:GetAccelerateConfiguration"),
    row("GetBucketLogging", "bucket:GetBucketLogging"),
    row("GetBucketNotificationConfiguration", "bucket:GetBucketNotification"),
    row("GetBucketRequestPayment", "bucket:GetBucketRequestPayment"),
    *(
        row(f"Get{operation}", f"bucket:{action}", answer=NONE, code=code)
        for operation, action, code in (
            (
                "BucketEncryption",
                "GetEncryptionConfiguration",
                "ServerSideEncryptionConfigurationNotFoundError",
            ),
            (
                "BucketReplication",
                "GetReplicationConfiguration",
                "ReplicationConfigurationNotFoundError",
            ),
            ("BucketWebsite", "GetBucketWebsite", "NoSuchWebsiteConfiguration"),
        )
    ),
    *(
        row(f"DeleteBucket{what}", f"bucket:{action}", answer=NO_CONTENT)
        for what, action in (
            ("Encryption", "PutEncryptionConfiguration"),
            ("Replication", "PutReplicationConfiguration"),
            ("Website", "DeleteBucketWebsite"),
        )
    ),
    *(
        made
        for what in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
        for read, written in [(f"bucket:Get{what}Configuration", f"bucket:Put{what}Configuration")]
        for made in (
            row(f"ListBucket{what}Configurations", read),
            row(
                f"GetBucket{what}Configuration",
                read,
                {"Id": "any"},
                answer=NONE,
                code="NoSuchConfiguration",
            ),
            row(
                f"DeleteBucket{what}Configuration",
                written,
                {"Id": "any"},
                answer=NONE,
                code="NoSuchConfiguration",
            ),
        )
    ),
)

SECTIONS: Final = {
    "Buckets": _in("empty", SERVICE),
    "Configuration of a bucket": _in("configured", BUCKET),
    "Lists": LISTS,
    "Reading objects": READS,
    "Tags and ACLs of objects": ABOUT,
    "Writing objects": WRITES,
    "Deleting objects": DELETES,
    "Uploads in parts": _in("uploading", UPLOADS),
    "Object Lock": _in("locked", LOCKS),
    "What is not configured": _in("empty", UNCONFIGURED),
}
ROWS: Final = tuple(made for rows in SECTIONS.values() for made in rows)
