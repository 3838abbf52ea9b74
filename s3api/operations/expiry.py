"""When a rule will expire an object or abort an upload, as answers about them say in headers.

In real days, whatever the setting of tests says: https://docs.aws.amazon.com/AmazonS3/latest/
userguide/lifecycle-expire-general-considerations.html, and recorded from S3 in
github.com/localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json
(TestS3BucketLifecycle). Where several rules would, the earliest counts, of these the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from s3api.protocol.timestamps import http_date
from storage_engine import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from s3api.context import Call
    from storage_engine import LifecycleRule, ObjectInfo, UploadInfo

LAST_MS: Final = 253_402_300_799_000  # no date can be written after the year 9999
# An id stands as it is, spaces too; but for what would end it, and what no header can hold.
PLAIN: Final = "".join(map(chr, range(0x20, 0x7F))).translate({ord('"'): None, ord("%"): None})


def expiration(call: Call, info: ObjectInfo) -> str | None:
    """Say when the current version of an object will expire, and by which rule; None: by none."""
    lifecycle = call.bucket.configuration.lifecycle
    if lifecycle is None:
        return None
    found = _earliest(
        (rule.expire_at_ms or _midnight(info.modified_ms, rule.expire_days), rule)
        for rule in lifecycle.rules
        if (rule.expire_days or rule.expire_at_ms) and _covers(rule, info)
    )
    if found is None:
        return None
    due_ms, rule = found
    return f'expiry-date="{http_date(due_ms)}", rule-id="{quote(rule.id, safe=PLAIN)}"'


def abortion(call: Call, upload: UploadInfo) -> dict[str, Any]:
    """Say when an upload will be aborted, and by which rule: members of an output."""
    lifecycle = call.bucket.configuration.lifecycle
    if lifecycle is None:
        return {}
    found = _earliest(
        (_midnight(upload.initiated_ms, rule.abort_days), rule)
        for rule in lifecycle.rules
        if rule.abort_days and rule.is_enabled and upload.key.startswith(rule.prefix)
    )
    if found is None:
        return {}
    due_ms, rule = found
    return {"AbortDate": due_ms, "AbortRuleId": quote(rule.id, safe=PLAIN)}


def _covers(rule: LifecycleRule, info: ObjectInfo) -> bool:
    """Whether a rule is about an object."""
    return (
        rule.is_enabled
        and info.key.startswith(rule.prefix)
        and (rule.size_above is None or info.size > rule.size_above)
        and (rule.size_below is None or info.size < rule.size_below)
        and rule.tags.items() <= info.attributes.tags.items()
    )


def _midnight(since_ms: int, days: int) -> int:
    """Add days, and go on to the next midnight."""
    return -(-(since_ms + days * DAY_MS) // DAY_MS) * DAY_MS


def _earliest(dues: Iterable[tuple[int, LifecycleRule]]) -> tuple[int, LifecycleRule] | None:
    found = min(dues, key=lambda due: due[0], default=None)
    return None if found is None or found[0] > LAST_MS else found
