"""What an administrator should know of at once, read anew whenever the first page is shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from iam.sizes import size_text
from storage_engine.apps import get_engine
from storage_engine.limits import DISK_RESERVE_BYTES

if TYPE_CHECKING:
    from storage_engine import StorageEngine

LOW_SHARE: Final = 0.1  # of the disk: less free than this is told


class Alert(NamedTuple):
    """What is wrong, or soon will be, and what to do."""

    text: str
    is_danger: bool
    page: str = ""  # the name of the page where more is told


def alerts() -> list[Alert]:
    """List what is wrong with the store or its disk, the worst first."""
    engine = get_engine()
    found = [*_of_the_engine(engine), *_of_the_disk()]
    return sorted(found, key=lambda alert: not alert.is_danger)


def _of_the_engine(engine: StorageEngine) -> list[Alert]:
    """Tell what the engine knows: a failed write, damage, volumes that are held."""
    found = []
    if engine.failure is not None:  # of this worker; the others meet the same disk
        text = _("Writes are refused since the disk failed: %(what)s. Mend it and restart S4.")
        found.append(Alert(text % {"what": engine.failure}, is_danger=True))
    if count := engine.stats().quarantined:
        text = ngettext(
            "%(count)s payload is damaged. Put the object again, or restore it from a backup.",
            "%(count)s payloads are damaged. Put the objects again, or restore them from a backup.",
            count,
        )
        found.append(Alert(text % {"count": count}, is_danger=True))
    if engine.hold() is not None:
        text = _(
            "Volumes are held after a repair: their room comes back after "
            "manage.py rebuild_index --release."
        )
        found.append(Alert(text, is_danger=False))
    return found


def _of_the_disk() -> list[Alert]:
    """Tell how much room is left: by statvfs, of the file system of the data directory."""
    disk = os.statvfs(settings.S4.data_dir)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < DISK_RESERVE_BYTES:
        text = _("The disk is full: %(free)s are free, and writes are refused. Delete or add room.")
    elif free < total * LOW_SHARE:
        text = _("The disk is nearly full: %(free)s of %(total)s are free.")
    else:
        return []
    words = {"free": size_text(free), "total": size_text(total)}
    return [Alert(text % words, is_danger=free < DISK_RESERVE_BYTES)]
