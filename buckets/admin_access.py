"""Who is let into a bucket, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext

from buckets.configuration import PublicAccessBlock
from iam.documents import load_policy

if TYPE_CHECKING:
    from buckets.models import Bucket


def public_access(bucket: Bucket) -> str:
    """Say which kinds of public access are blocked."""
    block = bucket.public_access_block or {}
    blocked = [name.replace("_", " ") for name, is_on in block.items() if is_on]
    if len(blocked) == len(PublicAccessBlock.__struct_fields__):
        return gettext("blocked")
    return ", ".join(blocked) or gettext("not blocked")


def policy_words(bucket: Bucket) -> str:
    """Say whether there is a policy, and whether it lets everybody in."""
    if bucket.policy is None:
        return gettext("none")
    return gettext("public") if load_policy(bucket.policy).is_public else gettext("not public")
