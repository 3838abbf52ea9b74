"""What a bucket, or all the buckets of a user together, may hold."""

from __future__ import annotations

import msgspec


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds; 0 is none. From `warn_percent` of one of them on, S4 warns."""

    bytes: int = 0  # of all versions and of the parts of open uploads
    objects: int = 0  # older versions and delete markers count too
    warn_percent: int = 80
