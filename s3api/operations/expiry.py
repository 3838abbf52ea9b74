"""When a rule will expire an object or abort an upload, as answers about them say in headers.

In days of the calendar, whatever the setting of tests says. As recorded from S3 in
github.com/localstack/localstack, tests/aws/services/s3/test_s3.snapshot.json
(TestS3BucketLifecycle), and quoted in aws/aws-sdk-go-v2, issue 3165.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from s3api.protocol.timestamps import http_date

if TYPE_CHECKING:
    from s3api.context import Call
    from storage_engine import ObjectInfo, UploadInfo

LAST_MS: Final = 253_402_300_799_000  # no date can be written after the year 9999
# An id stands as it is, spaces too; but for what would end it, and what no header can hold.
PLAIN: Final = "".join(map(chr, range(0x20, 0x7F))).translate({ord('"'): None, ord("%"): None})


def expiration(call: Call, info: ObjectInfo) -> str | None:
    """Say when the current version of an object will expire, and by which rule; None: by none."""
    rules = call.bucket.lifecycle_rules
    if rules is None:
        return None
    fall = rules.expiry(info.key, info.size, info.attributes.tags, info.modified_ms)
    if fall is None or fall.due_ms > LAST_MS:
        return None
    rule_id = quote(fall.rule_id, safe=PLAIN)
    return f'expiry-date="{http_date(fall.due_ms)}", rule-id="{rule_id}"'


def abortion(call: Call, upload: UploadInfo) -> dict[str, Any]:
    """Say when an upload will be aborted, and by which rule: members of an output."""
    rules = call.bucket.lifecycle_rules
    fall = None if rules is None else rules.upload_expiry(upload.key, upload.initiated_ms)
    if fall is None or fall.due_ms > LAST_MS:
        return {}
    return {"AbortDate": fall.due_ms, "AbortRuleId": quote(fall.rule_id, safe=PLAIN)}
