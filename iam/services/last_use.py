"""When access keys were last used: written behind the requests, and no change of identity.

The "iam" generation does not move: no worker has anything to read anew.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db import transaction

from iam.models import AccessKey

if TYPE_CHECKING:
    from collections.abc import Mapping


def record_uses(uses: Mapping[str, int]) -> dict[str, int]:
    """Write when keys were used, in epoch milliseconds; no time is moved back.

    Returns the uses of keys that somebody else was writing at this moment. Waiting for them could
    end in a deadlock with a user's deletion, which holds several keys as well.
    """
    with transaction.atomic():
        free = AccessKey.objects.select_for_update(skip_locked=True).order_by("pk")
        rows = list(free.filter(access_key__in=uses).only("pk", "access_key", "last_used_at"))
        later = []
        for row in rows:
            used_at = datetime.fromtimestamp(uses[row.access_key] / 1000, UTC)
            if row.last_used_at is None or row.last_used_at < used_at:
                row.last_used_at = used_at
                later.append(row)
        if later:
            AccessKey.objects.bulk_update(later, ["last_used_at"])
    missing = uses.keys() - {row.access_key for row in rows}
    if not missing:
        return {}
    held = AccessKey.objects.filter(access_key__in=missing).values_list("access_key", flat=True)
    return {access_key: uses[access_key] for access_key in held}
