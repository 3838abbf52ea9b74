"""GetBucketAcl, PutBucketAcl, GetObjectAcl and PutObjectAcl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from iam.acl import BUCKET_CANNED, OBJECT_CANNED
from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.grants import AskedAcl, acl_output, asked_anyhow, check_grants
from s3api.operations.versioning import markers_refused

if TYPE_CHECKING:
    from iam.acl import Grant
    from s3api.context import Call
    from storage_engine import ObjectAttributes, ObjectInfo


def _wanted(call: Call, action: str, asked: AskedAcl, owner: str) -> tuple[Grant, ...] | None:
    """Spell out what was asked for something of `owner`; whose it is no ACL changes."""
    if asked.owner not in {"", owner}:
        raise S3Error("AccessDenied")
    grants = asked.grants_of(owner, call.bucket.owner_canonical_id)
    check_grants(call, action, asked, grants)
    return grants


async def get_bucket_acl(call: Call) -> Answer:
    """Answer what the bucket's ACL grants."""
    return Answer(acl_output(call, call.bucket.owner_canonical_id, call.bucket.grants))


async def put_bucket_acl(call: Call) -> Answer:
    """Set the bucket's ACL."""
    asked = asked_anyhow(call, BUCKET_CANNED)
    grants = _wanted(call, "s3:PutBucketAcl", asked, call.bucket.owner_canonical_id)
    await call.store.configure(call.bucket, grants=grants)
    return Answer()


async def get_object_acl(call: Call) -> Answer:
    """Answer what the ACL of a version grants."""
    info = call.engine.head_object(call.bucket.id, call.key, call.arguments.get("VersionId"))
    call.settle(info)
    return Answer(acl_output(call, info.owner, info.attributes.grants))


async def put_object_acl(call: Call) -> Answer:
    """Set the ACL of a version; nothing else of it changes, its time neither."""
    asked = asked_anyhow(call, OBJECT_CANNED)

    def change(info: ObjectInfo) -> ObjectAttributes:
        call.settle(info)
        owner = info.owner if call.bucket.has_acls else call.bucket.owner_canonical_id
        grants = _wanted(call, "s3:PutObjectAcl", asked, owner)
        return msgspec.structs.replace(info.attributes, grants=grants)

    version_id = call.arguments.get("VersionId")
    with markers_refused():
        await call.store.committed(
            call.engine.set_attributes(call.bucket.id, call.key, version_id, change)
        )
    return Answer()
