"""A store of a newer S4 is refused, in one line, before anything in it is touched.

What an older S4 wrote is brought up to date instead: the SQL schema by migrations, the engine's
rows as they are met (FORMAT.md, "Changing the format"). There is no way back but a backup.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from s4project.meters.ring import NAME, is_of_newer
from storage_engine import NewerStore
from storage_engine.layout import existing

if TYPE_CHECKING:
    from collections.abc import Iterable

BACK: Final = "start the S4 that it was used with last, or put back a backup from before"


def refuse_newer() -> None:
    """Raise NewerStore unless this S4 knows all that is at the configured places; FormatError."""
    data_dir = settings.S4.data_dir
    if not data_dir.is_dir():
        return
    existing(data_dir)
    if is_of_newer(data_dir / NAME):
        raise NewerStore(
            f"{data_dir / NAME} is of a newer S4: {BACK}, or move the file away, which loses the "
            "figures over time and nothing else"
        )
    unknown = sorted(_unknown_migrations())
    if unknown:
        raise NewerStore(
            f"the SQL database is of a newer S4 (it has had the migration {unknown[0]}): {BACK}"
        )


def _unknown_migrations() -> Iterable[str]:
    """Name the migrations that the database has had and this S4 does not have."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and "/" in name and not Path(name).is_file():
        return ()  # opening would make it
    loader = MigrationLoader(connection, ignore_no_migrations=True)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    known = loader.disk_migrations.keys() | replaced
    return (f"{app}.{name}" for app, name in loader.applied_migrations if (app, name) not in known)
