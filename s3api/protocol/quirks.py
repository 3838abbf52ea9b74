"""What AWS S3 does that its service model does not say: tables only, each with its source.

REF is docs.aws.amazon.com/AmazonS3/latest/API/, GUIDE is .../latest/userguide/. MEASURED and
RECORDED mark answers of S3 itself, kept with dates: the first in github.com/brekkylab/backlot,
backlot/routers/s3.py, the others in github.com/localstack/localstack,
tests/aws/services/s3/*.snapshot.json. What stands here without a source is S4's own choice, and
says so.
"""

from __future__ import annotations

from typing import Any, Final

# --- answers ---------------------------------------------------------------------------------

# REF API_PutBucketPolicy, sample response. RECORDED for the tags of a bucket.
STATUS: Final = {"PutBucketPolicy": 204, "PutBucketTagging": 204}

# Root tags of outputs that are not a payload member: the "Response Syntax" of each REF API_* page.
ROOTS: Final = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotification": "NotificationConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationsResult",  # MEASURED
    "ListBucketIntelligentTieringConfigurations": "ListIntelligentTieringConfigurationsResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectAnnotations": "ListObjectAnnotationsOutput",  # MEASURED
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
    "PutObjectAnnotation": "PutObjectAnnotationOutput",
}

# The one output whose member is the text of the root itself: REF API_GetBucketLocation.
ROOT_TEXT: Final = {"GetBucketLocation"}

# Documents without S3's namespace: REF RESTObjectPOST, sample response.
BARE_ROOTS: Final = {"PostResponse"}

# Order of elements on the wire, by shape; what is not named follows in the model's order.
# Listings: MEASURED. The rest: "Response Syntax" and samples of the REF API_* pages.
_ROW: Final = ("LastModified", "ETag", "ChecksumAlgorithm", "ChecksumType", "Size", "Owner")
_PAGE: Final = ("MaxKeys", "Delimiter", "EncodingType", "IsTruncated")
ELEMENT_ORDER: Final[dict[str, tuple[str, ...]]] = {
    "ListBucketsOutput": ("Owner", "Buckets", "Prefix"),
    "ListObjectsOutput": ("Name", "Prefix", "Marker", "NextMarker", *_PAGE),
    "ListObjectsV2Output": (
        *("Name", "Prefix", "StartAfter", "ContinuationToken", "NextContinuationToken"),
        *("KeyCount", *_PAGE),
    ),
    "ListObjectVersionsOutput": (
        *("Name", "Prefix", "KeyMarker", "VersionIdMarker"),
        *("NextKeyMarker", "NextVersionIdMarker", *_PAGE),
    ),
    "ListMultipartUploadsOutput": (
        *("Bucket", "KeyMarker", "UploadIdMarker", "NextKeyMarker", "NextUploadIdMarker"),
        *("Delimiter", "Prefix", "MaxUploads", "EncodingType", "IsTruncated"),
    ),
    "ListPartsOutput": (
        *("Bucket", "Key", "UploadId", "Initiator", "Owner", "StorageClass"),
        *("PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated"),
        *("ChecksumAlgorithm", "ChecksumType"),
    ),
    "Object": ("Key", *_ROW, "StorageClass"),
    "ObjectVersion": ("Key", "VersionId", "IsLatest", *_ROW, "StorageClass"),
    "DeleteMarkerEntry": ("Key", "VersionId", "IsLatest", "LastModified", "Owner"),
    "MultipartUpload": ("Key", "UploadId", "Initiator", "Owner", "StorageClass", "Initiated"),
    "Owner": ("ID", "DisplayName"),
    "Initiator": ("ID", "DisplayName"),
    "Grantee": ("ID", "DisplayName"),
    "CopyObjectResult": ("LastModified", "ETag"),
    "CopyPartResult": ("LastModified", "ETag"),
    "LifecycleRule": ("ID", "Filter", "Prefix", "Status"),
    "Part": ("PartNumber", "LastModified", "ETag", "Size"),
}

# Rows of listings that are written as tables, and the members every such row has.
ROWS: Final[dict[str, frozenset[str]]] = {
    "CommonPrefix": frozenset({"Prefix"}),
    "DeleteMarkerEntry": frozenset({"Key", "VersionId", "IsLatest", "LastModified"}),
    "MultipartUpload": frozenset({"Key", "UploadId", "StorageClass", "Initiated"}),
    "Part": frozenset({"PartNumber", "LastModified", "ETag", "Size"}),
    "Object": frozenset({"Key", "LastModified", "ETag", "Size", "StorageClass"}),
    "ObjectVersion": frozenset(
        {"Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size", "StorageClass"}
    ),
}

# Members whose values are always in quotation marks: REF API_Object, sample responses.
QUOTED: Final = frozenset({"ETag"})

# Rows of two members that stand in one order: REF API_ListObjectVersions, sample responses. The
# rows of both are given as the first member, those of the second as {its name: row}.
INTERLEAVED: Final = {"Versions": "DeleteMarkers"}

# --- operations that AWS serves and does not model ----------------------------------------------

_HEADER: Final = "header"


def _header(name: str, shape: str = "Message") -> dict[str, Any]:
    return {"shape": shape, "location": _HEADER, "locationName": name}


_URI: Final = {
    "Bucket": {"shape": "BucketName", "location": "uri", "locationName": "Bucket"},
    "Key": {"shape": "ObjectKey", "location": "uri", "locationName": "Key"},
}

# REF RESTObjectPOST (browser forms) and RESTOPTIONSobject (CORS preflight).
EXTRA_OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "OptionsObject": {
        "method": "OPTIONS",
        "uri": "/{Bucket}/{Key+}",
        "input": "OptionsObjectRequest",
    },
    "PostObject": {
        "method": "POST",
        "uri": "/{Bucket}",
        "status": 204,
        "input": "PostObjectRequest",
        "output": "PostObjectOutput",
    },
}
EXTRA_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "OptionsObjectRequest": {"type": "structure", "members": _URI},
    "PostObjectRequest": {
        "type": "structure",
        "members": {
            "Bucket": _URI["Bucket"],
            "ContentType": _header("Content-Type"),
            "Body": {"shape": "Body", "streaming": True},
        },
        "payload": "Body",
    },
    "PostObjectOutput": {
        "type": "structure",
        "like": "PutObjectOutput",  # it has all of its members, too
        "members": {
            "Location": _header("Location"),
            "PostResponse": {"shape": "PostResponse"},
        },
        "payload": "PostResponse",
    },
    "PostResponse": {  # the body of a form answered with 201
        "type": "structure",
        "members": {
            "Location": {"shape": "Message"},
            "Bucket": {"shape": "BucketName"},
            "Key": {"shape": "ObjectKey"},
            "ETag": {"shape": "ETag"},
        },
    },
}

# --- routing ------------------------------------------------------------------------------------

# What no request can tell from another operation (and so is never routed to).
INDISTINGUISHABLE: Final = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",  # it differs by its host, s3express-control
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}

# A parameter with a value that selects an operation as a sub-resource does: MEASURED.
SELECTING_PARAMETER: Final = "uploadId"

# <ResourceType> of a 405, where it is not the flag in capitals: MEASURED.
RESOURCE_TYPES: Final = {
    ("BUCKET", "abac"): "BUCKET_ABAC",
    ("BUCKET", "delete"): "MULTI_OBJECT_DELETE",
    ("BUCKET", "logging"): "LOGGING_STATUS",
    ("BUCKET", "metadataAnnotationTable"): "BUCKET_METADATA_ANNOTATION_TABLE_CONFIGURATION",
    ("BUCKET", "metadataConfiguration"): "BUCKET_METADATA_CONFIGURATION",
    ("BUCKET", "metadataInventoryTable"): "BUCKET_METADATA_INVENTORY_TABLE_CONFIGURATION",
    ("BUCKET", "metadataJournalTable"): "BUCKET_METADATA_JOURNAL_TABLE_CONFIGURATION",
    ("BUCKET", "metadataTable"): "BUCKET_METADATA_TABLE_CONFIGURATION",
    ("BUCKET", "object-lock"): "OBJECT_LOCK_CONFIGURATION",
    ("BUCKET", "policy"): "BUCKETPOLICY",
    ("BUCKET", "versions"): "BUCKETVERSIONS",
    ("OBJECT", "annotation"): "OBJECT_ANNOTATIONS",
    ("OBJECT", "attributes"): "OBJECT_ATTRIBUTES",
    ("OBJECT", "encryption"): "OBJECT_ENCRYPTION",
    ("OBJECT", "legal-hold"): "OBJECT_LOCK_LEGALHOLD",
    ("OBJECT", "retention"): "OBJECT_LOCK_RETENTION",
    ("OBJECT", "tagging"): "OBJECT_TAGGING",
    ("OBJECT", "uploadId"): "UPLOAD",
}

# A sub-resource of a bucket named at a key, or the reverse. S3 answers some of these with the
# other's operation and ignores the rest; S4 refuses them all, for a client that confuses the two
# must not overwrite or delete. Codes and texts where S3 refuses: MEASURED.
MISPLACED: Final = {
    ("BUCKET", "restore"): ("UserKeyMustBeSpecified", "User key must be specified."),
    ("BUCKET", "uploadId"): ("InvalidRequest", "A key must be specified"),
    ("OBJECT", "logging"): (
        "NoLoggingStatusForKey",
        "There is no such thing as the ?logging sub-resource for a key",
    ),
}
LEVEL_NOUNS: Final = {"SERVICE": "the service", "BUCKET": "a bucket", "OBJECT": "a key"}

# Parameters that mean something somewhere and must not be ignored elsewhere, by level or by
# operation: MEASURED, but for a partNumber without an upload.
REFUSED_PARAMETERS: Final = {
    ("ListObjects", "continuation-token"): (
        "InvalidArgument",
        "continuation-token only supported in REST.GET.BUCKET with list-type=2",
    ),
    ("ListObjects", "start-after"): (
        "InvalidArgument",
        "startAfter only supported in REST.GET.BUCKET with list-type=2",
    ),
    ("ListObjectsV2", "marker"): (
        "InvalidArgument",
        "Marker unsupported with REST.GET.BUCKET in list-type=2",
    ),
    ("BUCKET", "partNumber"): ("InvalidRequest", "Object must have a valid key name."),
    ("BUCKET", "versionId"): ("InvalidArgument", "This operation does not accept a version-id."),
    ("OBJECT", "versionId"): ("InvalidArgument", "This operation does not accept a version-id."),
    ("OBJECT", "partNumber"): ("InvalidArgument", "This operation does not accept a partNumber."),
    ("OBJECT", "annotationName"): ("InvalidArgument", "Unexpected query string parameter"),
}

# The SDKs name the operation in it, and S3 does not look: MEASURED.
SDK_PARAMETER: Final = "x-id"

# Parameters that belong to the signature or to the SDK, in lower case: GUIDE RESTAuthentication,
# REF sigv4-query-string-auth. S3 also ignores every parameter that begins with "x-" (GUIDE
# LogFormat, "Custom access log information"), but for "x-amz-".
#
# All other parameters that an operation does not take S3 ignores. S4 ignores only what is harmless:
# a known parameter of another operation, or `name=value`, on GET and HEAD (cache busters are made
# of these). A name without a value that S4 does not know looks like a sub-resource and is refused,
# because a client that asks for a sub-resource of tomorrow must not read or write the object
# instead; and on PUT, POST and DELETE whatever is not understood is refused.
SIGNATURE_PARAMETERS: Final = frozenset(
    {
        "awsaccesskeyid",
        "content-md5",  # SigV2 presigned URLs repeat these two headers
        "content-type",
        "expires",
        "signature",
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-expires",
        "x-amz-region-set",
        "x-amz-s3session-token",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
        "x-amz-trailer",
        "x-amz-user-agent",
    }
)

# --- reading input ------------------------------------------------------------------------------

# Dates that S3 keeps as they were written, valid or not: REF API_PutObject, "Expires"; the SDKs
# read it back as ExpiresString for the same reason. The last is read by the operations, in S3's
# words, and written by them to the millisecond, as S3 does (repost.aws/knowledge-center,
# s3-object-lock-delete).
VERBATIM_SHAPES: Final = frozenset({"Expires", "ObjectLockRetainUntilDate", "ResponseExpires"})

# Elements whose times have milliseconds, which S3 writes as zeros elsewhere: as the last above.
EXACT_TIMES: Final = frozenset({"RetainUntilDate"})

# Enumerations whose unknown values are refused by the operation, in its own words, or tolerated.
OPEN_ENUMS: Final = frozenset(
    {
        "BucketCannedACL",
        "BucketLocationConstraint",
        "Event",
        "ObjectCannedACL",
        "ObjectLockMode",
        "RequestPayer",
        "StorageClass",
    }
)

# Compared without case: MEASURED.
CASELESS: Final = frozenset(
    {
        "encoding-type",
        "x-amz-checksum-algorithm",
        "x-amz-checksum-mode",
        "x-amz-sdk-checksum-algorithm",
    }
)

# Empty is as good as absent: MEASURED.
EMPTY_IS_ABSENT: Final = frozenset({"x-amz-sdk-checksum-algorithm"})

# Refusals of a value that is not of its enumeration; the default is InvalidArgument. The first
# four MEASURED; the others are texts of S3 as other servers and their tests against it quote them.
ENUM_REFUSALS: Final = {
    "encoding-type": ("InvalidArgument", "Invalid Encoding Method specified in Request"),
    "x-amz-checksum-mode": (
        "InvalidRequest",
        "Value for x-amz-checksum-mode header is invalid.",
    ),
    "x-amz-object-attributes": ("InvalidArgument", "Invalid attribute name specified."),
    "x-amz-sdk-checksum-algorithm": (
        "InvalidRequest",
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    "x-amz-checksum-algorithm": (
        "InvalidRequest",
        (
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            "types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, "
            "XXHASH64]"
        ),
    ),
    "x-amz-checksum-type": (
        "InvalidRequest",
        "Value for x-amz-checksum-type header is invalid.",
    ),
    "x-amz-metadata-directive": ("InvalidArgument", "Unknown metadata directive."),
    "x-amz-object-ownership": (
        "InvalidArgument",
        "Invalid x-amz-object-ownership header: {}",
    ),
    "x-amz-object-lock-legal-hold": (
        "InvalidArgument",
        "Legal Hold must be either of 'ON' or 'OFF'",
    ),
    "x-amz-server-side-encryption": (
        "InvalidArgument",
        "The encryption method specified is not supported",
    ),
    "x-amz-tagging-directive": ("InvalidArgument", "Unknown tagging directive."),
    "x-amz-transition-default-minimum-object-size": (  # RECORDED
        "InvalidRequest",
        "Invalid TransitionDefaultMinimumObjectSize found: {}",
    ),
}

# Integers in the query: the name the range's refusal uses, least and greatest. MEASURED but for
# max-parts and part-number-marker, which follow the others, and max-directory-buckets (the model).
INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
RANGES: Final = {
    "max-annotation-results": ("max-annotation-results", 1, 1000),
    "max-buckets": ("max-buckets", 1, 10_000),
    "max-directory-buckets": ("max-directory-buckets", 0, 1000),
    "max-keys": ("maxKeys", 0, INT32_MAX),
    "max-parts": ("max-parts", 0, INT32_MAX),
    "max-uploads": ("max-uploads", 0, INT32_MAX),
    "part-number-marker": ("part-number-marker", 0, INT32_MAX),
}
PART_NUMBER_MAX: Final = 10_000  # GUIDE qfacts

# Conditions whose malformed date is no condition: RFC 9110 13.1.3 and 13.1.4.
LENIENT_DATES: Final = frozenset(
    {
        "if-modified-since",
        "if-unmodified-since",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-unmodified-since",
    }
)

# Headers that name a key, and that clients send in UTF-8 where S3 asks for percent-encoding.
UTF8_HEADERS: Final = frozenset({"x-amz-copy-source", "x-amz-rename-source"})

# Operations that need their document although the model calls it optional: REF API_* pages.
DOCUMENT_REQUIRED: Final = frozenset({"PutBucketLifecycleConfiguration", "SelectObjectContent"})

# Elements that may be missing although the model requires them, by shape: RECORDED (an empty
# <Tagging/> takes all tags off).
OPTIONAL_ELEMENTS: Final = {"Tagging": frozenset({"TagSet"})}

# Operations that S3 refuses without Content-MD5 or a checksum of the document. The model says it of
# many more that S3 was seen to serve. Of these it is said in REF RESTBucketPUTtagging,
# RESTBucketPUTcors and RESTBucketPUTlifecycle (2019) and brendanhay/amazonka, issue 610; of locks
# in versity/versitygw, issues 1301 and 1311.
CHECKSUM_DEMANDED: Final = frozenset(
    {
        "PutBucketCors",
        "PutBucketLifecycleConfiguration",
        "PutBucketTagging",
        "PutObjectLegalHold",
        "PutObjectLockConfiguration",
        "PutObjectRetention",
        "PutObjectTagging",
    }
)

# Limits of documents in bytes where they are not those of all: REF API_PutBucketCors.
DOCUMENT_BYTES_MAX: Final = {"PutBucketCors": 64 * 1024}

# Documents whose refusal is not MalformedXML: REF ErrorResponses.
MALFORMED: Final = {"AccessControlPolicy": "MalformedACLError"}

# DeleteObjects' <Quiet> may say anything: MEASURED.
LENIENT_BOOLEANS: Final = frozenset({"Quiet"})
