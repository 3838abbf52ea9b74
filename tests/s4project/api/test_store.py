"""The store over HTTP: figures that are counted, work that ends by itself."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from buckets.services import create_bucket
from iam import errors
from iam.errors import IdentityError
from s4project.api.refusals import STATUSES
from s4project.job_board import Board
from s4project.jobs_door import Door, ask_state
from tests.calling import Program
from tests.s4project.api.filling import put
from tests.s4project.probing import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from iam.models import User


def test_figures_are_those_of_the_store(boss: User, ada: User) -> None:
    """S4 Core's figures, counted: objects, bytes, blobs and how often each is used."""
    program = Program(boss)
    empty = program.get("/stats").body
    assert (empty["objects_count"], empty["dedup_ratio"]) == (0, 1.0)
    create_bucket("photos", ada.canonical_id)
    put("photos", "one", "two", "three", data=b"a" * 10_000)
    put("photos", "other", data=b"b" * 10_000)
    stats = program.get("/stats").body
    assert stats["buckets_count"] == 1
    assert stats["objects_count"] == 4
    assert stats["storage_used_bytes"] == 40_000
    assert stats["dedup_unique_blobs"] == 2
    assert stats["dedup_total_references"] == 4
    assert stats["dedup_ratio"] == 2.0
    assert stats["physical_bytes"] > 20_000
    assert stats["free_bytes"] > 0
    assert stats["uptime_seconds"] >= 0


def test_others_see_figures_of_what_is_theirs(ada: User, rita: User) -> None:
    """A user without administration is told of his buckets, and nothing of the whole store."""
    create_bucket("photos", ada.canonical_id)
    create_bucket("ritas", rita.canonical_id)
    put("photos", "one", data=b"a" * 10_000)
    stats = Program(rita).get("/stats").body
    assert (stats["buckets_count"], stats["objects_count"], stats["storage_used_bytes"]) == (
        1,
        0,
        0,
    )
    assert stats["dedup_unique_blobs"] is None
    assert stats["physical_bytes"] is None
    assert Program().get("/stats").status == 401


def test_compaction_reports_what_it_did(boss: User, ada: User) -> None:
    """S4 Core's report; a dry run only plans."""
    create_bucket("photos", ada.canonical_id)
    put("photos", "one", data=b"a" * 10_000)
    program = Program(boss)
    planned = program.post("/admin/compaction/run?dry_run=true&threshold=0.1&max_volumes=1")
    assert planned.status == 200
    assert planned.body["dry_run"] is True
    assert planned.body["volumes_scanned"] == 1
    done = program.post("/admin/compaction/run?seconds=5").body
    assert (done["is_complete"], done["errors"], done["dead_blobs"]) == (True, 0, None)


def test_the_scrub_reports_what_it_read(boss: User, ada: User) -> None:
    """S4 Core's report, and how far the pass is."""
    create_bucket("photos", ada.canonical_id)
    put("photos", "one", data=b"a" * 10_000)
    program = Program(boss)
    before = program.get("/admin/scrubber/status").body
    assert (before["finished_at"], before["bytes_total"] > 10_000) == (None, True)
    told = program.post("/admin/scrubber/run?restart=true").body
    assert (told["blobs_checked"], told["blobs_ok"], told["blobs_corrupted"]) == (1, 1, 0)
    assert (told["errors"], told["is_complete"]) == ([], True)
    after = program.get("/admin/scrubber/status").body
    assert after["finished_at"] > 10**18
    assert after["is_under_way"] is False


def test_what_runs_already_is_409(boss: User, tmp_path: Path) -> None:
    """While a job compacts or scrubs, the call is refused and says so."""
    for name, path in (("volumes", "compaction"), ("FORMAT", "scrubber")):
        descriptor = os.open(tmp_path / name, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            told = Program(boss).post(f"/admin/{path}/run")
        finally:
            os.close(descriptor)
        assert (told.status, "running already" in told.error) == (409, True)


def test_jobs_are_those_that_are_configured(boss: User, tmp_path: Path) -> None:
    """What runs by itself is listed, and whether its process is there."""
    program = Program(boss)
    jobs = program.get("/admin/jobs").body
    assert jobs["is_running"] is False
    names = {job["name"] for job in jobs["jobs"]}
    assert {"reclaim", "snapshot", "compact", "scrub"} <= names
    assert {(job["looked_at"], job["failure"]) for job in jobs["jobs"]} == {(None, "")}
    board = Board()
    board.expect([("reclaim", 3600.0)])
    board.begins("reclaim")
    board.fails("reclaim", 60, "no room")
    door = Door(tmp_path, board.as_dict, lambda: None)
    door.start()
    wait_for(lambda: ask_state(tmp_path))
    told = {job["name"]: job for job in program.get("/admin/jobs").body["jobs"]}
    door.stop()
    assert told["reclaim"]["looked_at"] > 10**18
    assert told["reclaim"]["failure"] == "no room"
    with (tmp_path / "jobs.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert program.get("/admin/jobs").body["is_running"] is True


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/compaction/run"),
        ("POST", "/admin/scrubber/run"),
        ("GET", "/admin/scrubber/status"),
        ("GET", "/admin/jobs"),
    ],
)
def test_the_stores_care_is_for_superusers(ada: User, method: str, path: str) -> None:
    """Others are refused in a sentence."""
    told = Program(ada).send(method, path)
    assert (told.status, told.error) == (403, "Only a SuperUser may do this.")


@pytest.mark.parametrize("query", ["threshold=nan", "threshold=2", "seconds=0", "dry_run=1", "x=1"])
def test_a_run_that_cannot_be_is_400(boss: User, query: str) -> None:
    """Wrong parameters are refused before anything runs."""
    assert Program(boss).post(f"/admin/compaction/run?{query}").status == 400


def test_every_refusal_of_identity_has_its_status() -> None:
    """No service refuses in a way that has no status of its own."""
    refusals = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, IdentityError) and kind is not IdentityError
    }
    assert refusals - STATUSES.keys() == set()
