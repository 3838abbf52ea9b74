"""What clients look for and S4 does not have: the answers of an AWS bucket without it.

SDKs, Terraform and `aws s3api` read these settings of every bucket and fail at a 501. Whatever
would set one of them is answered 501 NotImplemented and changes nothing, so these answers stay
true.

Codes, bodies and statuses as S3 was recorded to answer: github.com/localstack/localstack,
tests/aws/services/s3/test_s3.snapshot.json and test_s3_api.snapshot.json. An AWS bucket of today is
always encrypted; one of S4's is not, and says so as AWS's did.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from s3api.context import Answer
from s3api.errors import S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s3api.context import Call

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Unconfigured(NamedTuple):
    """The action an operation needs, and its answer: members of its output, or a refusal."""

    action: str
    output: Mapping[str, Any] = NOTHING
    code: str = ""
    message: str | None = None
    names_bucket: bool = True  # in the refusal


def _missing(action: str, code: str) -> Unconfigured:
    return Unconfigured(action, code=code)


def _named(subject: str) -> dict[str, Unconfigured]:
    """Answer for a kind of configurations of which a bucket may have many, each by its name."""
    reading, writing = f"s3:Get{subject}Configuration", f"s3:Put{subject}Configuration"
    no_such = Unconfigured(reading, code="NoSuchConfiguration", names_bucket=False)
    return {
        f"ListBucket{subject}Configurations": Unconfigured(reading, {"IsTruncated": False}),
        f"GetBucket{subject}Configuration": no_such,
        f"DeleteBucket{subject}Configuration": no_such._replace(action=writing),
    }


# Actions: service-authorization, list_amazons3.
UNCONFIGURED: Final[dict[str, Unconfigured]] = {
    "GetBucketAccelerateConfiguration": Unconfigured("s3:GetAccelerateConfiguration"),
    "GetBucketLogging": Unconfigured("s3:GetBucketLogging"),
    "GetBucketNotificationConfiguration": Unconfigured("s3:GetBucketNotification"),
    "GetBucketRequestPayment": Unconfigured("s3:GetBucketRequestPayment", {"Payer": "BucketOwner"}),
    "GetBucketEncryption": _missing(
        "s3:GetEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError"
    ),
    "GetBucketReplication": _missing(
        "s3:GetReplicationConfiguration", "ReplicationConfigurationNotFoundError"
    ),
    "GetBucketWebsite": _missing("s3:GetBucketWebsite", "NoSuchWebsiteConfiguration"),
    "DeleteBucketEncryption": Unconfigured("s3:PutEncryptionConfiguration"),
    "DeleteBucketReplication": Unconfigured("s3:PutReplicationConfiguration"),
    "DeleteBucketWebsite": Unconfigured("s3:DeleteBucketWebsite"),
    **_named("Analytics"),
    **_named("IntelligentTiering"),
    **_named("Inventory"),
    **_named("Metrics"),
}


async def answer_unconfigured(call: Call) -> Answer:
    """Answer what AWS answers where nothing of the kind was configured."""
    row = UNCONFIGURED[call.operation.name]
    if not row.code:
        return Answer(dict(row.output))
    refusal = S3Error(row.code, row.message)
    if row.names_bucket:
        refusal.detail["BucketName"] = call.bucket.name
    raise refusal


async def put_bucket_request_payment(call: Call) -> Answer:
    """Accept that the owner of the bucket pays, which is so; nobody else can be made to."""
    if call.arguments["RequestPaymentConfiguration"]["Payer"] != "BucketOwner":
        raise S3Error("NotImplemented", "Requester Pays is not implemented.")
    return Answer()
