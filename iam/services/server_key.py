"""The server key of this database: which one it is, and how another takes its place.

SQL says by a mark which key its secrets are sealed under; the data directory holds one key, and two
while one replaces the other. In order: the next key is durable under a passing name; one
transaction seals every secret anew and moves the mark; the next key takes the server key's name.
Whatever stops this in between, the mark tells which of the two files is the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, transaction

from iam import sealing
from iam.models import AccessKey, SealingMark
from iam.models.changes import Kind
from iam.services.audit import record_change
from iam.services.changes import announce

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iam.sealing import ServerKey

RESEALED_AT_ONCE: Final = 500
ONLY: Final = 1  # the primary key of the one row


def hold_server_key() -> ServerKey:
    """Hold the server key to the end of the transaction, to seal with it; SealingError."""
    assert connection.in_atomic_block, "it is another's afterwards"
    keys = sealing.ServerKeys(settings.S4.data_dir)
    return keys.marked(_hold_mark().mark)


def settle_server_key() -> None:
    """Finish or take back a replacement that was stopped.

    The caller lets nobody replace it meanwhile. WrongServerKey when neither file is the key.
    """
    data_dir = settings.S4.data_dir
    with transaction.atomic():
        mark = _hold_mark().mark
    if sealing.load_server_key(data_dir).mark == mark:
        sealing.drop_next_key(data_dir)
    else:
        sealing.ServerKeys(data_dir).marked(mark)
        sealing.adopt_next_key(data_dir)


def replace_server_key(report: Callable[[int, int], None]) -> int:
    """Seal every secret under a new server key; return how many there are. SealingError.

    The caller lets nobody else replace it meanwhile, and has settled it. `report` is told how many
    of how many are sealed. When this fails or is killed, `settle_server_key` knows how far it came.
    """
    data_dir: Path = settings.S4.data_dir
    old, new = sealing.load_server_key(data_dir), sealing.make_next_key(data_dir)
    with transaction.atomic():
        row = _hold_mark()
        count = _reseal(old, new, report)
        row.mark = new.mark
        row.save()
        record_change("s4:ReplaceServerKey", sealing.SERVER_KEY_FILE, secrets=count)
        announce(Kind.EVERYTHING)
    sealing.adopt_next_key(data_dir)
    return count


def _hold_mark() -> SealingMark:
    """Hold the row of the mark; where there is none yet, make it, if the key is the right one."""
    held = SealingMark.objects.select_for_update()
    row = held.filter(pk=ONLY).first()
    if row is None:
        key = sealing.load_server_key(settings.S4.data_dir)
        if any_row := AccessKey.objects.order_by("pk").first():
            key.unseal(bytes(any_row.sealed_secret), any_row.access_key.encode())
        SealingMark.objects.bulk_create([SealingMark(ONLY, key.mark)], ignore_conflicts=True)
        row = held.get(pk=ONLY)
    return row


def _reseal(old: ServerKey, new: ServerKey, report: Callable[[int, int], None]) -> int:
    """Seal every secret anew, in the surrounding transaction."""
    total, done, last = AccessKey.objects.count(), 0, 0
    report(0, total)
    while True:
        later = AccessKey.objects.select_for_update().filter(pk__gt=last).order_by("pk")
        rows = list(later[:RESEALED_AT_ONCE])
        if not rows:
            return done
        for row in rows:
            aad = row.access_key.encode()
            row.sealed_secret = new.seal(old.unseal(bytes(row.sealed_secret), aad), aad)
        AccessKey.objects.bulk_update(rows, ["sealed_secret"])
        done, last = done + len(rows), rows[-1].pk
        report(done, total)
