"""The audit log's table: written with a change or not at all, never changed, searched, pruned."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from iam.audit import bell
from iam.audit.acting import Actor, Via, acting
from iam.audit.notes import Note, Outcome
from iam.models.audit import AppendOnlyError, AuditEntry
from iam.services import audit
from iam.services.audit import Wanted, search_entries
from s4project import jobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(Via.S3, "ada", "c" * 64, "AKADA", "192.0.2.1", "R1")
BOB = Actor(Via.CONSOLE, "bob", "d" * 64, "session:1", "192.0.2.2", "R2")
NOBODY = Actor(Via.S3, address="192.0.2.9")


def write(actor: Actor, action: str, resource: str, **detail: Any) -> None:
    """Write one entry as a service does."""
    with transaction.atomic(), acting(lambda: actor):
        audit.record_change(action, resource, **detail)


def found(**wanted: Any) -> list[str]:
    """Search, and answer the resources."""
    return [entry.resource for entry in search_entries(Wanted(**wanted)).entries]


def test_an_entry_says_who_did_what_to_what() -> None:
    """An entry names the actor with his credential and address, and the change from old to new."""
    write(ADA, "s3:PutBucketTagging", "arn:aws:s3:::b", tags={"old": {}, "new": {"a": "é"}})
    (entry,) = search_entries().entries
    shown = entry.as_dict()
    assert abs(timezone.now() - entry.time) < timedelta(seconds=20)
    assert datetime.fromisoformat(shown.pop("time")) == entry.time.replace(
        microsecond=entry.time.microsecond // 1000 * 1000
    )
    assert shown == {
        "id": entry.pk,
        "actor": "ada",
        "actor_id": "c" * 64,
        "credential": "AKADA",
        "address": "192.0.2.1",
        "via": "s3",
        "action": "s3:PutBucketTagging",
        "resource": "arn:aws:s3:::b",
        "outcome": "allowed",
        "request_id": "R1",
        "detail": {"tags": {"old": {}, "new": {"a": "é"}}},
    }
    json.dumps(shown)


def test_a_change_that_is_rolled_back_leaves_no_entry() -> None:
    """Neither the entry nor a sign of it is left when the transaction is taken back."""
    with transaction.atomic():
        audit.record_change("iam:CreateUser", "x")
        transaction.set_rollback(True)
    assert not search_entries().entries


def test_a_change_is_noted_in_its_transaction() -> None:
    """Outside a transaction there is no change to go with, and that is a programmer's error."""
    with pytest.raises(AssertionError):
        audit.record_change("iam:CreateUser", "x")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda entry: entry.save(),
        lambda entry: entry.delete(),
        lambda _: AuditEntry.objects.update(actor="eve"),
        lambda _: AuditEntry.objects.all().delete(),
        lambda entry: AuditEntry.objects.filter(pk=entry.pk).delete(),
        lambda entry: AuditEntry.objects.bulk_update([entry], ["actor"]),
    ],
)
def test_what_is_written_stays(attempt: Callable[[AuditEntry], object]) -> None:
    """Nothing changes or deletes an entry, one or many."""
    write(ADA, "iam:CreateUser", "x")
    (entry,) = search_entries().entries
    entry.actor = "eve"
    with pytest.raises(AppendOnlyError):
        attempt(entry)
    assert [row.actor for row in search_entries().entries] == ["ada"]


def test_whatever_a_request_brings_can_be_written() -> None:
    """NUL, halves of characters, endless names and strange values go in as readable text."""
    key = "k\0\udcff" + "é" * 3000
    write(ADA, "s3:PutObject" * 50, key, **{"k\0": [key, {"n": float(1), "when": timezone.now()}]})
    (entry,) = search_entries().entries
    assert entry.resource.startswith("k\\0\\udcffé")
    assert len(entry.resource.encode()) <= 1200
    assert len(entry.action) <= 128
    assert entry.detail["k\\0"][0].startswith("k\\0\\udcffé")
    json.dumps(entry.as_dict())


def test_a_difference_is_what_changed() -> None:
    """Only what is not as it was stands in the detail, with both values."""
    before = {"role": "Reader", "email": "a@b.c", "name": ""}
    after = {"role": "Writer", "email": "a@b.c", "name": ""}
    assert audit.difference(before, after) == {"role": {"old": "Reader", "new": "Writer"}}
    assert audit.difference(before, before) == {}


# --- searching ----------------------------------------------------------------------------------


@pytest.fixture
def several(store: StorageEngine) -> None:
    """Write entries of two users and of nobody."""
    write(ADA, "s3:CreateBucket", "arn:aws:s3:::photos")
    write(ADA, "s3:PutBucketPolicy", "arn:aws:s3:::photos", policy={"new": "Secret_Plan 100%"})
    write(BOB, "iam:CreateUser", "arn:aws:iam::1:user/cy")
    write(BOB, "iam:DeleteUser", "arn:aws:iam::1:user/cy")
    audit.record_event("s3:CreateBucket", "arn:aws:s3:::mine", Outcome.DENIED, actor=NOBODY)


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("wanted", "resources"),
    [
        ({"actor": "ada"}, ["photos", "photos"]),
        ({"actor": "AKADA"}, ["photos", "photos"]),
        ({"actor": "d" * 64}, ["cy", "cy"]),
        ({"actor": "ad"}, []),
        ({"action": "iam:"}, ["cy", "cy"]),
        ({"action": "iam:Create"}, ["cy"]),
        ({"action": "s3:CreateBucket", "resource": "arn:aws:s3:::p"}, ["photos"]),
        ({"resource": "arn:aws:s3:::"}, ["mine", "photos", "photos"]),
        ({"resource": "%"}, []),
        ({"outcome": "denied"}, ["mine"]),
        ({"via": "console"}, ["cy", "cy"]),
        ({"text": "secret_plan"}, ["photos"]),
        ({"text": "secretXplan"}, []),
        ({"text": "100%"}, ["photos"]),
        ({"text": "192.0.2.9"}, ["mine"]),
        ({"text": "R2", "action": "iam:D"}, ["cy"]),
        ({}, ["mine", "cy", "cy", "photos", "photos"]),
    ],
)
def test_entries_are_found(wanted: dict[str, str], resources: list[str]) -> None:
    """Each filter finds what it names and no more, newest first, and several narrow each other."""
    names = [resource.replace("/", ":").rpartition(":")[2] for resource in found(**wanted)]
    assert names == resources


@pytest.mark.parametrize("text", ["Jürgen", "日本", '"Ju"', "a\\b", "two\nlines", "name"])
def test_what_changed_is_found_however_it_is_spelled(text: str) -> None:
    """A text of the detail is found though JSON, or the database, writes it with other signs."""
    write(ADA, "iam:UpdateUser", "other", display_name="John")
    write(ADA, "iam:UpdateUser", "ju", display_name=["Jürgen 日本", '"Ju" a\\b two\nlines'])
    assert "ju" in found(text=text)
    assert ("other" in found(text=text)) == (text == "name")


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("common", [1, 2, 3])
def test_what_half_the_log_begins_with_is_found_as_well(
    monkeypatch: pytest.MonkeyPatch, common: int
) -> None:
    """However a search goes about it, by index or newest first, it finds the same."""
    wanted: list[dict[str, Any]] = [
        *(
            {"action": text}
            for text in ("i", "iam:", "iam:Create", "s3:%", "S3:", "s3:CreateBucket_")
        ),
        *({"resource": text} for text in ("arn:aws:s3:::", "arn:aws:s3:::photos", "\0", "é")),
        {"action": "s3:", "actor": "ada", "resource": "arn:aws:s3:::p"},
    ]
    by_index = [found(**filters) for filters in wanted]
    assert by_index[0]
    monkeypatch.setattr(audit, "COMMON_ENTRIES", common)
    assert [found(**filters) for filters in wanted] == by_index


@pytest.mark.usefixtures("several")
def test_times_bound_a_search() -> None:
    """`since` is the first moment that counts, `until` the first that counts no more."""
    entries = search_entries().entries
    third = entries[2].time
    assert found(since=third) == [entry.resource for entry in entries[:3]]
    assert found(until=third) == [entry.resource for entry in entries[3:]]


@pytest.mark.usefixtures("several")
def test_pages_hold_each_entry_once() -> None:
    """Pages follow each other without gap or repetition, also when entries come meanwhile."""
    page = search_entries(limit=2)
    seen = [entry.pk for entry in page.entries]
    write(BOB, "iam:CreateUser", "arn:aws:iam::1:user/late")
    while page.before is not None:
        page = search_entries(before=page.before, limit=2)
        seen += [entry.pk for entry in page.entries]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 5


# --- notes --------------------------------------------------------------------------------------


def note(actor: Actor, resource: str, **detail: Any) -> Note:
    """Make a note of a refusal."""
    moment = int(datetime(2026, 1, 2, tzinfo=UTC).timestamp() * 1000)
    return Note(moment, actor, "s3:CreateBucket", resource, Outcome.DENIED, detail)


def test_refusals_alike_are_counted_in_one_entry(store: StorageEngine) -> None:
    """A flood of nobody's refusals is one entry with a count; those of users are told apart."""
    flood = [note(NOBODY, f"arn:aws:s3:::b{number}", code="AccessDenied") for number in range(500)]
    named = [note(ADA, f"arn:aws:s3:::b{number % 2}", code="AccessDenied") for number in range(4)]
    audit.write_notes(flood + named)
    entries = search_entries().entries
    assert [(entry.actor, entry.resource, entry.detail["times"]) for entry in entries] == [
        ("ada", "arn:aws:s3:::b1", 2),
        ("ada", "arn:aws:s3:::b0", 2),
        ("", "arn:aws:s3:::b0", 500),
    ]
    assert entries[-1].detail["also"] == [f"arn:aws:s3:::b{number}" for number in range(1, 21)]
    assert entries[0].time == datetime(2026, 1, 2, tzinfo=UTC)


def test_claims_of_nobody_fill_no_log(store: StorageEngine) -> None:
    """Who is not believed gets no entry for each access key or address that he thinks of."""
    claims = [replace(NOBODY, credential=f"AK{n}", address=f"2001:db8::{n:x}") for n in range(400)]
    audit.write_notes(
        [note(claim, "arn:aws:s3:::b", code="InvalidAccessKeyId") for claim in claims]
    )
    (entry,) = search_entries().entries
    assert (entry.credential, entry.detail["times"]) == ("AK0", 400)
    assert entry.detail["also_claimed"] == [f"AK{number}" for number in range(1, 21)]


def test_lost_notes_are_counted_in_an_entry(store: StorageEngine) -> None:
    """That notes were lost is itself an entry, with how many."""
    audit.write_notes([], lost=7)
    (entry,) = search_entries().entries
    assert (entry.action, entry.outcome) == ("s4:LoseAuditEntries", "failed")
    assert entry.detail == {"lost": 7}


# --- growing old --------------------------------------------------------------------------------


def test_old_entries_go_in_bounded_steps(store: StorageEngine) -> None:
    """Pruning deletes the oldest, so many at once, and nothing that is not old enough."""
    long_ago = timezone.now() - timedelta(days=400)
    old = [
        audit.make_entry(ADA, "a", str(number), time=long_ago, detail={})
        for number in range(audit.PRUNED_AT_ONCE + 10)
    ]
    audit.record_events(old)
    write(ADA, "new", "new")
    limit = timezone.now() - timedelta(days=365)
    assert audit.prune_entries(limit) == audit.PRUNED_AT_ONCE
    assert audit.prune_entries(limit) == 10
    assert audit.prune_entries(limit) == 0
    assert found() == ["new"]


def test_what_is_not_delivered_is_not_pruned(store: StorageEngine) -> None:
    """An old entry that a webhook has not taken stays until it has."""
    long_ago = timezone.now() - timedelta(days=400)
    audit.record_events(
        [audit.make_entry(ADA, "a", str(n), time=long_ago, detail={}) for n in range(4)]
    )
    assert audit.prune_entries(timezone.now(), ["webhook"]) == 0
    first, second = audit.entries_after(0, 2)
    audit.move_cursor("webhook", second.pk)
    assert audit.read_cursor("webhook") == second.pk
    assert [entry.resource for entry in audit.entries_after(second.pk, 10)] == ["2", "3"]
    assert audit.prune_entries(timezone.now(), ["webhook"]) == 2
    assert found() == ["3", "2"]
    assert first.pk < second.pk


def test_the_job_prunes_by_the_setting(store: StorageEngine, settings: SettingsWrapper) -> None:
    """The job deletes what is older than the setting says, all of it, and tells how many."""
    old = timezone.now() - timedelta(days=8)
    count = audit.PRUNED_AT_ONCE + 5
    audit.record_events(
        [audit.make_entry(ADA, "a", "old", time=old, detail={}) for _ in range(count)]
    )
    write(ADA, "new", "new")
    settings.S4 = replace(settings.S4, audit_retention_days=9)
    assert not jobs.prune_audit()
    settings.S4 = replace(settings.S4, audit_retention_days=7, audit_webhook_url="http://x/")
    assert not jobs.prune_audit()
    settings.S4 = replace(settings.S4, audit_webhook_url="")
    assert jobs.prune_audit() == {"entries": count}
    assert found() == ["new"]


def test_old_entries_are_found_by_their_age(store: StorageEngine) -> None:
    """Where few entries are old, as at most times, the job reads few and not the whole log."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite is asked for its plan; PostgreSQL chooses by how many rows there are")
    audit.record_events([audit.make_entry(ADA, "a", "new", detail={}) for _ in range(10)])
    with CaptureQueriesContext(connection) as queries:
        audit.prune_entries(timezone.now() - timedelta(days=1), ["webhook"])
    (asked,) = (query["sql"] for query in queries if '"time" <' in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked}")
        plan = str(cursor.fetchall())
    assert "USING INDEX iam_audit_time" in plan.replace("COVERING ", "")
    assert "TEMP B-TREE" not in plan


def test_a_file_that_cannot_be_made_keeps_no_entry_from_the_webhook(
    store: StorageEngine, settings: SettingsWrapper, tmp_path: Path
) -> None:
    """The bell rings for a change whose line finds no file, and the change stands."""
    in_the_way = tmp_path / "in-the-way"
    in_the_way.touch()
    settings.S4 = replace(
        settings.S4, audit_file=in_the_way / "audit.log", audit_webhook_url="http://127.0.0.1:1/"
    )
    with bell.hung_up(settings.S4.data_dir) as listening:
        write(ADA, "a", "r")
        began = time.monotonic()
        listening.wait(60)
        assert time.monotonic() - began < 50
    assert found() == ["r"]


def test_no_file_is_kept_open(
    store: StorageEngine, settings: SettingsWrapper, tmp_path: Path
) -> None:
    """Who writes into the file lets go of it: what is put aside and deleted gives its room back."""
    path = tmp_path / "logs" / "audit.jsonl"
    settings.S4 = replace(settings.S4, audit_file=path, audit_file_size=300, audit_file_count=1)
    for number in range(5):
        write(ADA, "a", str(number))
    assert json.loads(path.read_text(encoding="ascii").splitlines()[-1])["resource"] == "4"
    mine = Path("/proc/self/fd")
    opened = {str(each.readlink()) for each in mine.iterdir() if os.path.lexists(each)}
    assert not {place for place in opened if str(path.parent) in place}
