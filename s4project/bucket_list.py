"""Which buckets the SQL database knows, for commands that must not make one by asking.

Knows nothing of the engine.
"""

from __future__ import annotations

from pathlib import Path

from django.db import connection

from buckets.services import bucket_names


class BucketsUnknownError(Exception):
    """There is no database yet, or no table of buckets in it."""


def read_buckets() -> dict[int, str]:
    """Return the name of each bucket by its number; BucketsUnknownError, DatabaseError."""
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        is_file = not name.startswith("file:") and name != ":memory:"
        if is_file and (not Path(name).exists() or not Path(name).stat().st_size):
            raise BucketsUnknownError(f"there is no SQL database at {name}")
    names = bucket_names()
    if names is None:
        raise BucketsUnknownError("the SQL database holds no table of buckets")
    return names
