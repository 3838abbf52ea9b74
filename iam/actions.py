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


OF_SERVICE: Final = _named(_SERVICE)
OF_BUCKET: Final = _named(_BUCKET)
OF_OBJECT: Final = _named(_OBJECT)
ACTIONS: Final = OF_SERVICE | OF_BUCKET | OF_OBJECT
