"""The actions of S3 that policies may name, and what each is done to.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, without what
concerns access points, batch jobs and Storage Lens, which S4 does not have.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "s3:"

_SERVICE: Final = "ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock"

_BUCKET: Final = """
CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketWebsite
GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAcl GetBucketCORS GetBucketLocation
GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls
GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment
GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration
GetMetricsConfiguration GetReplicationConfiguration
ListBucket ListBucketMultipartUploads ListBucketVersions
PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAcl PutBucketCORS PutBucketLogging
PutBucketNotification PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy
PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning
PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration
PutReplicationConfiguration
"""

_OBJECT: Final = """
AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold
GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl
GetObjectVersionAttributes GetObjectVersionForReplication GetObjectVersionTagging
GetObjectVersionTorrent ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner PutObject
PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl
PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags RestoreObject
"""


def _named(words: str) -> frozenset[str]:
    return frozenset(PREFIX + word for word in words.split())


# The condition keys of the same page, in lower case; after a slash follows the key of a tag.
_KEYS: Final = """
accessgrantscope accessgrantsinstancearn accessgrantslocationscope accesspointnetworkorigin
annotation-prefix authtype dataaccesspointaccount dataaccesspointarn delimiter deliverysourcearn
destinationregion existingjoboperation existingjobpriority if-match if-none-match
inventoryaccessibleoptionalfields isreplicationpauserequest jobsuspendedcause locationconstraint
logtype max-annotation-results max-keys object-lock-event-hold object-lock-event-hold-duration-days
object-lock-legal-hold object-lock-mode object-lock-remaining-retention-days
object-lock-retain-until-date objectcreationoperation prefix requestjoboperation requestjobpriority
requestobjecttagkeys resourceaccount resourcearnbeingauthorized signatureage signatureversion
tlsversion versionid x-amz-acl x-amz-bucket-namespace x-amz-content-sha256 x-amz-copy-source
x-amz-grant-full-control x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write
x-amz-grant-write-acp x-amz-metadata-directive x-amz-object-annotation-directive
x-amz-object-if-match x-amz-object-ownership x-amz-server-side-encryption
x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm
x-amz-storage-class x-amz-website-redirect-location
"""
CONDITION_KEYS: Final = _named(_KEYS)
_TAGS: Final = (
    "s3:accesspointtag/",
    "s3:buckettag/",
    "s3:existingobjecttag/",
    "s3:requestobjecttag/",
)


def is_condition_key(key: str) -> bool:
    """Whether a policy may ask for a key, given in lower case: one of S3, or of another service."""
    if key.startswith(PREFIX):
        return key in CONDITION_KEYS or key.startswith(_TAGS)
    return ":" in key


OF_SERVICE: Final = _named(_SERVICE)
OF_BUCKET: Final = _named(_BUCKET)
OF_OBJECT: Final = _named(_OBJECT)
ACTIONS: Final = OF_SERVICE | OF_BUCKET | OF_OBJECT
