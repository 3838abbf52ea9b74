"""Who is let into a bucket, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buckets.configuration import PublicAccessBlock
from iam.documents import load_policy

if TYPE_CHECKING:
    from buckets.models import Bucket


def public_access(bucket: Bucket) -> str:
    """Say which kinds of public access are blocked."""
    block = bucket.public_access_block or {}
    blocked = [name.replace("_", " ") for name, is_on in block.items() if is_on]
    if len(blocked) == len(PublicAccessBlock.__struct_fields__):
        return "blocked"
    return ", ".join(blocked) or "not blocked"


def policy_words(bucket: Bucket) -> str:
    """Say whether there is a policy, and whether it lets everybody in."""
    if bucket.policy is None:
        return "none"
    return "public" if load_policy(bucket.policy).is_public else "not public"
