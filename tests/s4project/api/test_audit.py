"""The audit log over HTTP, and what calls of the API leave in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buckets.services import create_bucket
from iam.services import create_key
from tests.calling import Program

if TYPE_CHECKING:
    from iam.models import User


def test_what_the_api_changes_is_found_with_who_did_it(boss: User, ada: User) -> None:
    """Entries name the user and the API, whether a service was asked or an operation of S3."""
    Program(boss).post("/admin/users", {"username": "eve", "role": "Reader"})
    Program(ada).put("/admin/buckets/photos")
    Program(ada).put("/admin/buckets/photos/versioning", {"status": "Enabled"})
    found = Program(boss).get("/admin/audit?via=rest").body["entries"]
    told = [(entry["actor"], entry["action"], entry["outcome"]) for entry in found]
    assert ("boss", "iam:CreateUser", "allowed") in told
    assert ("ada", "s3:CreateBucket", "allowed") in told
    assert ("ada", "s3:PutBucketVersioning", "allowed") in told
    assert all(entry["credential"].startswith("token:") for entry in found)
    assert all(entry["address"] for entry in found)


def test_entries_come_in_pages_and_are_filtered(boss: User, ada: User) -> None:
    """Newest first; pages follow each other without gap or repetition."""
    for number in range(5):
        create_bucket(f"bucket-{number}", ada.canonical_id)
    program, names, token = Program(boss), [], ""
    while True:
        page = program.get(f"/admin/audit?action=s3:CreateBucket&limit=2{token}").body
        names += [entry["resource"] for entry in page["entries"]]
        if page["next_token"] is None:
            break
        token = f"&token={page['next_token']}"
    assert names == [f"arn:aws:s3:::bucket-{number}" for number in reversed(range(5))]
    assert program.get("/admin/audit?until=2020-01-01T00:00:00Z").body["entries"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "token=x", "outcome=maybe", "since=now", "user=root"]
)
def test_a_search_that_means_nothing_is_400(boss: User, query: str) -> None:
    """What is wrong is said in a sentence."""
    told = Program(boss).get(f"/admin/audit?{query}")
    assert (told.status, bool(told.error)) == (400, True)


def test_the_log_is_for_superusers(ada: User) -> None:
    """Others do not read what others did."""
    assert Program(ada).get("/admin/audit").status == 403


def test_what_changes_no_row_is_told_as_well(boss: User, ada: User) -> None:
    """Runs of the store's care and links to share leave entries, and no signature."""
    key = create_key(ada.pk)
    program = Program(boss)
    program.post("/admin/compaction/run?seconds=1&dry_run=true")
    program.post("/admin/scrubber/run?seconds=1")
    link = Program(ada).post("/admin/buckets/photos/presign", {"key": "a/b", "expires_in": 60}).body
    made, scrubbed, compacted = program.get("/admin/audit?action=s4:&limit=3").body["entries"]
    assert (compacted["action"], compacted["actor"]) == ("s4:RunCompaction", "boss")
    assert (scrubbed["action"], scrubbed["actor"]) == ("s4:RunScrub", "boss")
    assert (made["action"], made["actor"]) == ("s4:CreateLink", "ada")
    assert made["resource"] == "arn:aws:s3:::photos/a/b"
    detail = {"method": "GET", "access_key": key.access_key, "expires_in": 60}
    assert made["detail"] == detail
    assert link["url"].rpartition("=")[2] not in str(made)
