"""The audit log's only writers, and the readers that search it and pass it on.

An entry of a change is written in the transaction of the change: neither is there without the
other. File and pipe are told when it is durable, and hold nobody up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Substr
from django.db.models.lookups import Exact
from django.utils import timezone

from iam.audit import bell
from iam.audit.acting import Actor, current_actor
from iam.audit.files import AuditFile
from iam.audit.notes import Note, Outcome
from iam.models.audit import RESOURCE_BYTES_MAX, AuditCursor, AuditEntry
from iam.services.changes import share_lock, takes_lock
from iam.throttle import client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PAGE_ENTRIES_MAX: Final = 1_000
PRUNED_AT_ONCE: Final = 1_000
LAST_CHARACTER: Final = "\U0010ffff"
BARRIER_SECONDS: Final = 5
WRITERS_LOCK: Final = 0x5334_0002  # another number than that of `changes`
ALSO_MAX: Final = 20
COMMON_ENTRIES: Final = 5_000
LOST: Final = "s4:LoseAuditEntries"
CANONICAL_ID: Final = re.compile(r"[0-9a-f]{64}")
SIGN_IN: Final = "s4:SignIn"


# --- writing ----------------------------------------------------------------------------------


def record_change(action: str, resource: str, /, **detail: Any) -> None:
    """Note a change in the transaction that makes it; `detail` says what changed, no secret.

    `action` is AWS's name where AWS has one ("iam:CreateUser"), `resource` an ARN or a name.
    """
    assert connection.in_atomic_block, "the entry comes and goes with the change"
    _write([make_entry(current_actor(), action, resource, detail=detail)])


def record_difference(
    action: str, resource: str, before: Mapping[str, Any], after: Mapping[str, Any], /, **more: Any
) -> None:
    """Note a change by what is not as it was; nothing when all is."""
    if changed := difference(before, after):
        record_change(action, resource, **more, **changed)


def record_event(
    action: str,
    resource: str = "",
    outcome: Outcome = Outcome.ALLOWED,
    *,
    actor: Actor | None = None,
    **detail: Any,
) -> None:
    """Note what changes nothing in SQL, such as a sign-in or a refusal; durable on return."""
    record_events([make_entry(actor or current_actor(), action, resource, outcome, detail=detail)])


def record_events(entries: Sequence[AuditEntry]) -> None:
    """Note several at once; durable on return."""
    with transaction.atomic():
        _write(entries)


def make_entry(
    actor: Actor,
    action: str,
    resource: str,
    outcome: Outcome = Outcome.ALLOWED,
    *,
    time: datetime | None = None,
    detail: Mapping[str, Any],
) -> AuditEntry:
    """Make an entry that every database takes, whatever a request brought."""
    entry = AuditEntry(
        time=time or timezone.now(),
        actor=actor.name,
        actor_id=actor.user_id,
        credential=actor.credential,
        address=actor.address,
        via=actor.via.value,
        action=action,
        resource=resource,
        outcome=outcome.value,
        request_id=actor.request_id,
        detail=_plain(detail),
    )
    for name, bytes_max in TEXTS.items():
        setattr(entry, name, _plain_text(getattr(entry, name), bytes_max))
    return entry


TEXTS: Final[dict[str, int]] = {
    column.attname: column.max_length
    for column in AuditEntry._meta.concrete_fields  # noqa: SLF001  # public in all but its name
    if column.max_length is not None
}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Show what is not as it was, for an entry's detail; empty when nothing changed."""
    old, new = _plain(before), _plain(after)
    return {
        name: {"old": old.get(name), "new": value}
        for name, value in new.items()
        if old.get(name) != value
    }


def _plain_text(text: str, bytes_max: int | None = None) -> str:
    """Spell out what UTF-8 or a column of PostgreSQL cannot hold: halves of characters and NUL."""
    encoded = text.replace("\0", "\\0").encode(errors="backslashreplace")
    return encoded[:bytes_max].decode(errors="ignore")


def _plain(value: Any) -> Any:
    """Turn a value into plain JSON."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_plain_text(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return _plain_text(str(value))


def _write(entries: Sequence[AuditEntry]) -> None:
    """Write entries in the surrounding transaction, and pass them on once it is committed."""
    share_lock(WRITERS_LOCK)
    AuditEntry.objects.bulk_create(entries)
    # Robust: the change is durable by then, and must not seem to have failed. (No `partial`: Django
    # tells of what failed by its __qualname__, which that has not.)
    transaction.on_commit(lambda: _pass_on(entries), robust=True)


def _pass_on(entries: Sequence[AuditEntry]) -> None:
    """Write durable entries to the file, and wake who delivers them."""
    chosen = settings.S4
    if chosen.audit_webhook_url:
        bell.ring(chosen.data_dir)
    if chosen.audit_file:  # last: it may fail
        size, count = chosen.audit_file_size, chosen.audit_file_count
        with closing(AuditFile(chosen.audit_file, size, count)) as file:
            file.write(entry.as_dict() for entry in entries)


# --- notes, which are written down a moment later ----------------------------------------------


class NoteBox:
    """Where what is noted beside a request is put; a worker has a thread take it from there."""

    def __init__(self) -> None:
        self.take: Callable[[Note], None] = lambda note: write_notes([note])

    def put(self, note: Note) -> None:
        """Leave a note; where a thread takes it, without waiting."""
        self.take(note)


note_box = NoteBox()


def write_notes(notes: Sequence[Note], lost: int = 0) -> None:
    """Write notes down; `lost` says how many found no room since the last time.

    Refusals that are alike become one entry that counts them: nobody fills the log by asking again.
    """
    entries: list[AuditEntry] = []
    alike: dict[tuple[str, ...], AuditEntry] = {}
    for note in notes:
        likeness = _likeness(note)
        if likeness in alike:
            _count(alike[likeness], note)
            continue
        moment = datetime.fromtimestamp(note.time_ms / 1000, UTC)
        entry = make_entry(
            note.actor, note.action, note.resource, note.outcome, time=moment, detail=note.detail
        )
        entries.append(entry)
        if note.outcome is Outcome.DENIED:
            alike[likeness] = entry
    if lost:
        entries.append(make_entry(current_actor(), LOST, "", Outcome.FAILED, detail={"lost": lost}))
    if entries:
        record_events(entries)


def _likeness(note: Note) -> tuple[str, ...]:
    """Say what refusals have in common; nobody's may differ in what was asked for and claimed."""
    actor, client = note.actor, client_of(note.actor.address)
    known = (actor.name, actor.credential, note.resource) if actor.name else ()
    return (client, note.action, str(note.detail.get("code", "")), *known)


def _count(entry: AuditEntry, note: Note) -> None:
    """Count another refusal in the entry of the first; some of what differs is listed."""
    entry.detail["times"] = entry.detail.get("times", 1) + 1
    _list_also(entry, "also", note.resource, entry.resource)
    _list_also(entry, "also_claimed", note.actor.credential, entry.credential)


def _list_also(entry: AuditEntry, name: str, other: str, first: str) -> None:
    """List what is not as it was the first time, so that it fits."""
    if other != first:
        also = entry.detail.setdefault(name, [])
        if len(also) < ALSO_MAX and other not in also:
            also.append(_plain_text(other, RESOURCE_BYTES_MAX))


# --- searching --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched for; an empty text or None means any.

    `since` is the first moment and `until` the first no more. `actor` is a user's name, canonical
    id or access key; `action` and `resource` are how they begin; `text` stands anywhere.
    """

    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    resource: str = ""
    outcome: str = ""
    via: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries, newest first; `before` asks for the next page, None: there is none."""

    entries: list[AuditEntry] = field(default_factory=list)
    before: int | None = None


def search_entries(
    wanted: Wanted | None = None, *, before: int | None = None, limit: int = 100
) -> EntryPage:
    """Find entries, newest first; `before` is an id, the one that the page before ended with."""
    rows = matching_entries(wanted or Wanted())
    if before is not None:
        rows = rows.filter(pk__lt=before)
    limit = max(1, min(limit, PAGE_ENTRIES_MAX))
    found = list(rows.order_by("-pk")[: limit + 1])
    return EntryPage(found[:limit], found[limit - 1].pk if len(found) > limit else None)


def matching_entries(wanted: Wanted) -> QuerySet[AuditEntry]:
    """Make the query for what is wanted, in no order."""
    rows = AuditEntry.objects.order_by()
    if wanted.since is not None:
        rows = rows.filter(time__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(time__lt=wanted.until)
    if wanted.actor:
        rows = rows.filter(_of_actor(wanted.actor))
    for name in ("action", "resource"):
        if begin := getattr(wanted, name):
            rows = rows.filter(_beginning(name, begin))
    for name in ("outcome", "via"):
        if value := getattr(wanted, name):
            rows = rows.filter(**{name: value})
    return containing(rows, wanted.text) if wanted.text else rows


def _of_actor(name: str) -> Q:
    """Ask for what somebody did, by the one index that has him: two would be read whole."""
    if CANONICAL_ID.fullmatch(name):
        return Q(actor_id=name)
    places = [Q(actor=name), Q(credential=name)]
    found = [place for place in places if AuditEntry.objects.filter(place).exists()]
    return reduce(or_, found or places)


def _beginning(column: str, text: str) -> Q:
    """Ask how a column begins, in a way that finds it by its index, unless half the log does.

    SQLite compares bytes, so that the beginning is a range; it would fetch and sort all of that,
    and knows not how much it is. PostgreSQL does, and has an index of its own for beginnings.
    """
    text = _plain_text(text)
    if connection.vendor != "sqlite":
        return Q(**{f"{column}__startswith": text})
    inside = Q(**{f"{column}__gte": text, f"{column}__lt": text + LAST_CHARACTER})
    if AuditEntry.objects.order_by().filter(inside)[:COMMON_ENTRIES].count() < COMMON_ENTRIES:
        return inside
    return Q(Exact(Substr(column, 1, len(text)), text))  # newest first until the page is full


def containing(rows: QuerySet[AuditEntry], text: str) -> QuerySet[AuditEntry]:
    """Ask for a text anywhere, in the order of what costs least.

    The detail is searched as the database writes JSON: with signs before quotes, and in SQLite
    with numbers in the place of all that is not ASCII.
    """
    text = _plain_text(text)
    spelled = json.dumps(text, ensure_ascii=connection.vendor == "sqlite")[1:-1]
    rows = rows.alias(detail_text=Cast("detail", TextField()))
    anywhere = Q(detail_text__icontains=text)
    if spelled != text:
        anywhere |= Q(detail_text__icontains=spelled)
    for column in ("actor", "credential", "address", "action", "resource", "request_id"):
        anywhere |= Q(**{f"{column}__icontains": text})
    return rows.filter(anywhere)


# --- passing on, and growing old --------------------------------------------------------------


def read_cursor(sink: str) -> int:
    """Tell which entry was the last that a place outside has taken; 0 for none."""
    return AuditCursor.objects.filter(sink=sink).values_list("last_id", flat=True).first() or 0


def move_cursor(sink: str, last_id: int) -> None:
    """Keep, durably, that a place outside has taken everything up to an entry."""
    AuditCursor.objects.update_or_create(sink=sink, defaults={"last_id": last_id})


def entries_after(last_id: int, limit: int) -> list[AuditEntry]:
    """Read the next entries in order, none of which will be preceded by one that comes later.

    Ids are given before a transaction ends. SQLite lets one writer in at a time; in PostgreSQL a
    lock tells when none is at it. It holds up nobody: a lock of the table would have every writer
    wait behind the one that this waits for. OperationalError when one takes too long.
    """
    newest: int | None
    with transaction.atomic():
        if connection.vendor == "postgresql" and not takes_lock(WRITERS_LOCK, BARRIER_SECONDS):
            raise OperationalError("somebody has been writing an audit entry for too long")
        newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None or newest <= last_id:
        return []
    return list(AuditEntry.objects.filter(pk__gt=last_id, pk__lte=newest).order_by("pk")[:limit])


def prune_entries(older_than: datetime, kept_for: Iterable[str] = ()) -> int:
    """Delete some of the oldest entries; return how many: fewer than 1,000, there is no more.

    What one of the places of `kept_for` has not taken stays.
    """
    # By time, which has an index: by id all would be read each time that few are old.
    old = AuditEntry.objects.filter(time__lt=older_than).order_by("time")
    for sink in kept_for:
        old = old.filter(pk__lte=read_cursor(sink))
    ids = list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    QuerySet(AuditEntry).filter(pk__in=ids).delete()  # not through rows that refuse it
    return len(ids)
