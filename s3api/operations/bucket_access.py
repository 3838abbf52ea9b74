"""Ownership controls and public access block: Get, Put and Delete of each.

Answers as recorded from S3 in LocalStack's tests/aws/services/s3/test_s3_api.snapshot.json
(TestS3BucketOwnershipControls, TestS3PublicAccessBlock).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from buckets.configuration import Ownership, PublicAccessBlock
from s3api.context import Answer
from s3api.errors import S3Error

if TYPE_CHECKING:
    from s3api.context import Call

BLOCK_MEMBERS: Final = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


async def get_bucket_ownership_controls(call: Call) -> Answer:
    """Answer who owns what others write, where it is said."""
    ownership = call.bucket.configuration.ownership
    if ownership is None:
        raise S3Error("OwnershipControlsNotFoundError", BucketName=call.bucket.name)
    return Answer({"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership.value}]}})


async def put_bucket_ownership_controls(call: Call) -> Answer:
    """Say who owns what others write; ACLs are given up only when the bucket's grants nothing."""
    rules = call.arguments["OwnershipControls"]["Rules"]
    if len(rules) != 1:
        raise S3Error("MalformedXML")
    ownership = Ownership(rules[0]["ObjectOwnership"])
    if ownership is Ownership.BUCKET_OWNER_ENFORCED and call.bucket.grants is not None:
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    await call.store.configure(call.bucket, ownership=ownership)
    return Answer()


async def delete_bucket_ownership_controls(call: Call) -> Answer:
    """Take the controls off: who writes owns, as before there were any."""
    await call.store.configure(call.bucket, ownership=None)
    return Answer()


async def get_public_access_block(call: Call) -> Answer:
    """Answer what of ACLs and policies that speak of everybody has no effect."""
    block = call.bucket.configuration.public_access_block
    if block is None:
        raise S3Error("NoSuchPublicAccessBlockConfiguration", BucketName=call.bucket.name)
    members = {member: getattr(block, field) for member, field in BLOCK_MEMBERS.items()}
    return Answer({"PublicAccessBlockConfiguration": members})


async def put_public_access_block(call: Call) -> Answer:
    """Set all four at once; what is not named is off."""
    given = call.arguments["PublicAccessBlockConfiguration"]
    block = PublicAccessBlock(
        **{field: given.get(member, False) for member, field in BLOCK_MEMBERS.items()}
    )
    await call.store.configure(call.bucket, public_access_block=block)
    return Answer()


async def delete_public_access_block(call: Call) -> Answer:
    """Block nothing any more."""
    await call.store.configure(call.bucket, public_access_block=None)
    return Answer()
