"""The section of a bucket's page on who is let in: ownership, public access, policy, ACL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html

from buckets.configuration import PublicAccessBlock
from buckets.console import Section
from iam.documents import load_policy

if TYPE_CHECKING:
    from django.http import HttpRequest

    from buckets.models import Bucket


class AccessSection(Section):
    """Shows what S3 clients have set."""

    slug = "permissions"
    template = "admin/buckets/access.html"

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show all of it in words."""
        del request
        return {
            "facts": [
                ("Object ownership", bucket.ownership or "no controls (as ObjectWriter)"),
                ("Public access", public_access(bucket)),
                ("ACL", _acl(bucket)),
                ("Policy", _policy(bucket)),
            ]
        }


def public_access(bucket: Bucket) -> str:
    """Say which kinds of public access are blocked."""
    block = bucket.public_access_block or {}
    blocked = [name.replace("_", " ") for name, is_on in block.items() if is_on]
    if len(blocked) == len(PublicAccessBlock.__struct_fields__):
        return "blocked"
    return ", ".join(blocked) or "not blocked"


def _acl(bucket: Bucket) -> str:
    """Say what is granted to others than the owner, or beside his full control."""
    if bucket.grants is None:
        return "private"
    return ", ".join(f"{permission} to {grantee}" for grantee, permission in bucket.grants)


def _policy(bucket: Bucket) -> str:
    """Show the policy, after whether it lets everybody in."""
    if bucket.policy is None:
        return "none"
    kind = "Public." if load_policy(bucket.policy).is_public else "Not public."
    text = json.dumps(json.loads(bucket.policy), indent=2, ensure_ascii=False)
    return format_html("{}<pre class='policy-text'>{}</pre>", kind, text)
