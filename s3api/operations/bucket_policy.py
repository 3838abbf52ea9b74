"""A bucket's policy: put, answered, taken off, and whether it is open to the public."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from iam.documents import DOCUMENT_BYTES_MAX, read_bucket_policy
from iam.grammar import MalformedPolicy
from s3api.context import Answer
from s3api.decision import blocked
from s3api.errors import S3Error
from s3api.operations.policy_question import hear

if TYPE_CHECKING:
    from iam.keyring import Keyring
    from s3api.context import Call

# Services of AWS, which never call here: their names are taken as they stand, but not for all.
SERVICE: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


def knows_principal(keyring: Keyring, kind: str, name: str) -> bool:
    """Whether there is such a principal as a policy names."""
    if kind == "Service":
        return SERVICE.fullmatch(name) is not None
    if kind == "CanonicalUser":
        return keyring.principal(name) is not None
    return kind == "AWS" and keyring.knows(name)


async def put_bucket_policy(call: Call) -> Answer:
    """Set the bucket's policy; what is not understood whole is refused.

    MalformedPolicy, PolicyTooLarge; AccessDenied for a public one where the bucket's public access
    block forbids that.
    """
    _refuse_others(call)
    text = call.arguments["Policy"]
    if len(text.encode()) > DOCUMENT_BYTES_MAX:
        raise S3Error("PolicyTooLarge")
    try:
        policy = read_bucket_policy(
            text, call.bucket.name, partial(knows_principal, call.store.snapshots.keyring)
        )
    except MalformedPolicy as error:
        # JSON can spell halves of characters, which no document can carry.
        reason = str(error).encode(errors="replace").decode()
        raise S3Error("MalformedPolicy", reason) from error
    block = call.bucket.configuration.public_access_block
    if block is not None and block.block_public_policy and policy.is_public:
        raise blocked(
            hear(call, call.bucket), "s3:PutBucketPolicy", "policies", "BlockPublicPolicy"
        )
    await call.store.configure(call.bucket, policy=text)
    return Answer()


async def get_bucket_policy(call: Call) -> Answer:
    """Answer the policy as it was put."""
    _refuse_others(call)
    return Answer({"Policy": _policy(call)})


async def get_bucket_policy_status(call: Call) -> Answer:
    """Say whether the policy is open to the public."""
    _policy(call)
    policy = call.bucket.policy
    assert policy is not None, "there is one"
    return Answer({"PolicyStatus": {"IsPublic": policy.is_public}})


def _refuse_others(call: Call) -> None:
    """Keep the policy from those who have the right by the policy itself: API_PutBucketPolicy.

    "If you have the correct permissions, but you're not using an identity that belongs to the
    bucket owner's account, Amazon S3 returns a 405 Method Not Allowed error."
    """
    if not hear(call, call.bucket).is_own(f"s3:{call.operation.name}"):
        raise S3Error("MethodNotAllowed", Method=call.request.method, ResourceType="BUCKETPOLICY")


def _policy(call: Call) -> str:
    text = call.bucket.configuration.policy
    if text is None:
        raise S3Error("NoSuchBucketPolicy", BucketName=call.bucket.name)
    return text


async def delete_bucket_policy(call: Call) -> Answer:
    """Take the policy off; there may be none."""
    _refuse_others(call)
    await call.store.configure(call.bucket, policy=None)
    return Answer()
