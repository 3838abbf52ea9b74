"""The actions of S3 that policies may name, what each is done to, which condition keys it has.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, which
tests/iam/list_amazons3.json keeps; a test holds this room against it. Actions of what S4 does not
have (access points, batch jobs, Storage Lens ...) may be named: nobody asks for them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

PREFIX: Final = "s3:"

_SERVICE: Final = "ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock"

_BUCKET: Final = """
CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket
DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite
GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac GetBucketAcl GetBucketCORS
GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification
GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning
GetBucketWebsite GetEncryptionConfiguration GetIntelligentTieringConfiguration
GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration
GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions
ListTagsForResource PauseReplication PutAccelerateConfiguration PutAnalyticsConfiguration
PutBucketAbac PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification
PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy
PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning
PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration
PutReplicationConfiguration TagResource UntagResource
UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration
"""

_OBJECT: Final = """
AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectAnnotation
DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging GetObject GetObjectAcl
GetObjectAnnotation GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging
GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes
GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication
ListMultipartUploadParts ListObjectAnnotations ObjectOwnerOverrideToBucketOwner PutObject
PutObjectAcl PutObjectAnnotation PutObjectLegalHold PutObjectRetention PutObjectTagging
PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags
RestoreObject UpdateObjectEncryption
"""

# To neither: what S4 does not have.
_ELSEWHERE: Final = """
AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance
CreateAccessGrantsLocation CreateAccessPoint CreateAccessPointForObjectLambda CreateJob
CreateMultiRegionAccessPoint CreateStorageLensGroup DeleteAccessGrant DeleteAccessGrantsInstance
DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteAccessPoint
DeleteAccessPointForObjectLambda DeleteAccessPointPolicy DeleteAccessPointPolicyForObjectLambda
DeleteJobTagging DeleteMultiRegionAccessPoint DeleteStorageLensConfiguration
DeleteStorageLensConfigurationTagging DeleteStorageLensGroup DescribeJob
DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter GetAccessGrant
GetAccessGrantsInstance GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy
GetAccessGrantsLocation GetAccessPoint GetAccessPointConfigurationForObjectLambda
GetAccessPointForObjectLambda GetAccessPointPolicy GetAccessPointPolicyForObjectLambda
GetAccessPointPolicyStatus GetAccessPointPolicyStatusForObjectLambda GetDataAccess GetJobTagging
GetMultiRegionAccessPoint GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus
GetMultiRegionAccessPointRoutes GetStorageLensConfiguration GetStorageLensConfigurationTagging
GetStorageLensDashboard GetStorageLensGroup ListAccessGrants ListAccessGrantsInstances
ListAccessGrantsLocations ListAccessPoints ListAccessPointsForObjectLambda ListCallerAccessGrants
ListJobs ListMultiRegionAccessPoints ListStorageLensConfigurations ListStorageLensGroups
PutAccessGrantsInstanceResourcePolicy PutAccessPointConfigurationForObjectLambda
PutAccessPointPolicy PutAccessPointPolicyForObjectLambda PutAccessPointPublicAccessBlock
PutJobTagging PutMultiRegionAccessPointPolicy PutStorageLensConfiguration
PutStorageLensConfigurationTagging SubmitMultiRegionAccessPointRoutes UpdateAccessGrantsLocation
UpdateJobPriority UpdateJobStatus UpdateStorageLensGroup
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
# Those of all services: reference_policies_condition-keys.html, and SourceOwner, which S3's page on
# public access still names. Most of them no request to S4 has: docs/access.md.
_GLOBAL: Final = """
assumedroot calledvia calledviaawsmcp calledviafirst calledvialast chatbotsourcearn currenttime
ec2instancesourceprivateipv4 ec2instancesourcevpc epochtime federatedprovider ismcpserviceaction
multifactorauthage multifactorauthpresent principalaccount principalarn principalisawsservice
principalorgid principalorgpaths principalservicename principalservicenameslist principaltype
referer requestedregion resourceaccount resourceorgid resourceorgpaths securetransport
signinsessionarn sourceaccount sourcearn sourceidentity sourceip sourceorgid sourceorgpaths
sourceowner sourcevpc sourcevpcarn sourcevpce tagkeys tokenissuetime useragent userid username
viaawsmcpservice viaawsservice vpceaccount vpceorgid vpceorgpaths vpcsourceip
"""
GLOBAL: Final = "aws:"
GLOBAL_KEYS: Final = frozenset(GLOBAL + word for word in _GLOBAL.split())
_GLOBAL_TAGS: Final = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_TAGS: Final = (
    "s3:accesspointtag/",
    "s3:buckettag/",
    "s3:existingobjecttag/",
    "s3:requestobjecttag/",
)

# The keys that not every action has: whatever else a caller writes into his request, they have no
# value where another action is asked for. A family of tags stands here without its slash.
_LISTING: Final = _named("ListBucket ListBucketVersions")
_MAKING: Final = _named("BypassGovernanceRetention PutObject")
_TAGGING: Final = _MAKING | _named("PutObjectTagging PutObjectVersionTagging")
_GRANTING: Final = _MAKING | _named("CreateBucket PutBucketAcl PutObjectAcl PutObjectVersionAcl")
_REPLICATING: Final = _MAKING | _named("ReplicateObject")
_ENCRYPTING: Final = _REPLICATING | _named("UpdateObjectEncryption")
_RETAINING: Final = _named("PutObject PutObjectRetention")
_OF_VERSION: Final = """
DeleteObjectVersion DeleteObjectVersionTagging GetObjectVersion GetObjectVersionAcl
GetObjectVersionAttributes GetObjectVersionTagging GetObjectVersionTorrent PutObjectVersionAcl
PutObjectVersionTagging
"""
_TAGGED: Final = """
DeleteObjectTagging DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes
GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes
GetObjectVersionTagging PutObjectAcl PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging
UpdateObjectEncryption
"""
ACTIONS_OF_KEY: Final[dict[str, frozenset[str]]] = {
    "s3:delimiter": _LISTING,
    "s3:existingobjecttag": _named(_TAGGED),
    "s3:if-match": _named("DeleteObject PutObject"),
    "s3:if-none-match": _named("PutObject"),
    "s3:max-keys": _LISTING,
    "s3:object-lock-legal-hold": _named("PutObject PutObjectLegalHold"),
    "s3:object-lock-mode": _RETAINING,
    "s3:object-lock-remaining-retention-days": _RETAINING,
    "s3:object-lock-retain-until-date": _RETAINING,
    "s3:objectcreationoperation": _named("PutObject"),
    "s3:prefix": _LISTING,
    "s3:requestobjecttag": _TAGGING,
    "s3:requestobjecttagkeys": _TAGGING,
    "s3:versionid": _named(_OF_VERSION),
    "s3:x-amz-acl": _GRANTING,
    "s3:x-amz-copy-source": _MAKING,
    "s3:x-amz-grant-full-control": _GRANTING,
    "s3:x-amz-grant-read": _GRANTING,
    "s3:x-amz-grant-read-acp": _GRANTING,
    "s3:x-amz-grant-write": _GRANTING,
    "s3:x-amz-grant-write-acp": _GRANTING,
    "s3:x-amz-metadata-directive": _MAKING,
    "s3:x-amz-object-ownership": _named("CreateBucket"),
    "s3:x-amz-server-side-encryption": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-aws-kms-key-id": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-customer-algorithm": _REPLICATING,
    "s3:x-amz-storage-class": _MAKING | _named("PutObjectAcl PutObjectVersionAcl"),
    "s3:x-amz-website-redirect-location": _MAKING,
}


def is_condition_key(key: str) -> bool:
    """Whether a policy may ask for a key, given in lower case: one that AWS has.

    Of the keys of other services, which no request to S4 has, nothing is known but their form.
    """
    if key.startswith(PREFIX):
        return key in CONDITION_KEYS or key.startswith(_TAGS)
    if key.startswith(GLOBAL):
        return key in GLOBAL_KEYS or key.startswith(_GLOBAL_TAGS)
    return ":" in key


@lru_cache(maxsize=4096)
def may_have(action: str, key: str) -> bool:
    """Whether a request for an action can have a value for a key, given in lower case."""
    actions = ACTIONS_OF_KEY.get(key.partition("/")[0])
    return actions is None or action in actions


OF_SERVICE: Final = _named(_SERVICE)
OF_BUCKET: Final = _named(_BUCKET)
OF_OBJECT: Final = _named(_OBJECT)
ACTIONS: Final = OF_SERVICE | OF_BUCKET | OF_OBJECT | _named(_ELSEWHERE)
