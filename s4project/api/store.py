"""The store over HTTP: what it holds, compaction, scrub, jobs. Every figure is counted, none made.

Compaction and scrub work in the call, for some seconds at most: so nothing is left running that
nobody asks for. A call tells whether it came to the end; the next goes on where it stopped, and so
do the jobs.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from rest_framework import serializers

from iam.api.fields import Given, QueryFlag, Share
from iam.api.permissions import SignedIn, asker
from iam.api.view import CONFLICT, View, endpoint
from iam.services.audit import record_event
from s4project.api.buckets import seen_buckets
from s4project.jobs import configured_jobs
from s4project.jobs_door import ask_state
from s4project.processes import is_locked
from s4project.uptime import uptime_seconds
from storage_engine import CompactionOptions, ScrubOptions
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

SECONDS_MAX: Final = 25  # below what a worker that ends waits for its requests
DAY_MS: Final = 24 * 3600 * 1000
HOUR_MS: Final = 3600 * 1000


class StoreStats(serializers.Serializer[Any]):
    """What is stored. Figures of the whole store are null to one who does not administer it."""

    uptime_seconds = serializers.IntegerField()
    buckets_count = serializers.IntegerField()
    objects_count = serializers.IntegerField()
    storage_used_bytes = serializers.IntegerField(help_text="What clients stored, all versions.")
    dedup_unique_blobs = serializers.IntegerField(
        allow_null=True, help_text="Payloads in volumes; small ones in the index are not shared."
    )
    dedup_total_references = serializers.IntegerField(allow_null=True)
    dedup_ratio = serializers.FloatField(
        allow_null=True, help_text="References for each unique blob; 1 where nothing is shared."
    )
    physical_bytes = serializers.IntegerField(allow_null=True, help_text="Volumes and index.")
    dead_bytes = serializers.IntegerField(allow_null=True, help_text="For compaction to reclaim.")
    free_bytes = serializers.IntegerField(allow_null=True, help_text="On the store's disk.")


class CompactionQuery(Given):
    """How to compact."""

    dry_run = QueryFlag(required=False, default=False, help_text="Only tell what would be done.")
    threshold = Share(required=False, help_text="Share of dead bytes; else the setting's.")
    max_volumes = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000)
    seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=SECONDS_MAX, default=SECONDS_MAX
    )


class CompactionResult(serializers.Serializer[Any]):
    """What compaction did, or in a dry run would do."""

    volumes_scanned = serializers.IntegerField()
    volumes_compacted = serializers.IntegerField()
    volumes_skipped = serializers.IntegerField(help_text="Their live bytes did not fit.")
    live_blobs = serializers.IntegerField(help_text="Blobs that were moved.")
    dead_blobs = serializers.IntegerField(
        allow_null=True, help_text="Always null: dead bytes are counted, dead blobs are not."
    )
    bytes_reclaimed = serializers.IntegerField()
    errors = serializers.IntegerField(  # type: ignore[assignment]  # S4 Core's name for them
        help_text="Blobs that were found damaged."
    )
    dry_run = serializers.BooleanField()
    is_complete = serializers.BooleanField(help_text="False: call again to go on.")


class ScrubQuery(Given):
    """How to scrub."""

    restart = QueryFlag(required=False, default=False, help_text="Begin a pass anew.")
    seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=SECONDS_MAX, default=SECONDS_MAX
    )


class Damage(serializers.Serializer[Any]):
    """A blob whose bytes are wrong. Putting the same content again heals it."""

    volume_id = serializers.IntegerField()
    offset = serializers.IntegerField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField()
    references = serializers.IntegerField(help_text="Objects and parts that share it.")
    found_at = serializers.IntegerField(help_text="Nanoseconds since 1970.")
    reason = serializers.CharField()


class ScrubResult(serializers.Serializer[Any]):
    """What this call read, and all damage that is known."""

    blobs_checked = serializers.IntegerField()
    blobs_ok = serializers.IntegerField()
    blobs_corrupted = serializers.IntegerField()
    volumes_scanned = serializers.IntegerField(help_text="Volumes there are.")
    bytes_checked = serializers.IntegerField()
    errors = Damage(many=True)  # type: ignore[assignment]  # as above
    is_complete = serializers.BooleanField(help_text="False: call again to go on.")


class ScrubStatus(serializers.Serializer[Any]):
    """How far the scrub is."""

    mode = serializers.CharField(help_text="Always `standalone`: there is one store.")
    background_scrubber = serializers.BooleanField(help_text="Whether a job scrubs by itself.")
    message = serializers.CharField()
    is_under_way = serializers.BooleanField(help_text="Whether a pass was begun and not ended.")
    started_at = serializers.IntegerField(allow_null=True, help_text="Nanoseconds since 1970.")
    finished_at = serializers.IntegerField(
        allow_null=True, help_text="When the last whole pass ended; nanoseconds since 1970."
    )
    bytes_checked = serializers.IntegerField(help_text="In the pass under way.")
    bytes_total = serializers.IntegerField(help_text="Of all blobs in use.")
    blobs_corrupted = serializers.IntegerField(help_text="Known now.")


class JobRow(serializers.Serializer[Any]):
    """Something that S4 does by itself."""

    name = serializers.CharField()
    every_seconds = serializers.IntegerField(help_text="How often it looks whether there is work.")
    last_at = serializers.IntegerField(
        allow_null=True,
        help_text="When it last came to an end, where that is recorded; nanoseconds since 1970.",
    )
    due_at = serializers.IntegerField(
        allow_null=True, help_text="When there is work again, where that is known; as `last_at`."
    )
    looked_at = serializers.IntegerField(
        allow_null=True, help_text="When it last looked, while its process is there; as `last_at`."
    )
    failure = serializers.CharField(
        allow_blank=True, help_text="Why the last look failed; empty: it did not."
    )


class Jobs(serializers.Serializer[Any]):
    """What S4 does by itself."""

    is_running = serializers.BooleanField(help_text="Whether the process of the jobs is there.")
    jobs = JobRow(many=True)


class Stats(View):
    """The store's figures."""

    tag = "Store"

    @endpoint("get_stats", who=SignedIn, answer=StoreStats)
    def get(self, request: Request) -> dict[str, Any]:
        """Tell what is stored: in all buckets to a SuperUser, else in those one may see."""
        engine, buckets = get_engine(), seen_buckets(request)
        if not asker(request).is_superuser:
            counts = [engine.namespace_counts(bucket.id) for bucket in buckets]
            found = dict.fromkeys(StoreStats().fields)
            return found | {
                "uptime_seconds": uptime_seconds(),
                "buckets_count": len(buckets),
                "objects_count": sum(count.objects for count in counts),
                "storage_used_bytes": sum(count.bytes for count in counts),
            }
        stats = engine.stats()
        references = stats.blob_references
        return {
            "uptime_seconds": uptime_seconds(),
            "buckets_count": len(buckets),
            "objects_count": stats.objects,
            "storage_used_bytes": stats.object_bytes,
            "dedup_unique_blobs": stats.blobs,
            "dedup_total_references": references,
            "dedup_ratio": None if references is None else _ratio(references, stats.blobs),
            "physical_bytes": stats.volume_bytes + stats.index_bytes,
            "dead_bytes": stats.dead_bytes,
            "free_bytes": shutil.disk_usage(settings.S4.data_dir).free,
        }


class RunCompaction(View):
    """Compaction."""

    tag = "Store"

    @endpoint("run_compaction", query=CompactionQuery, answer=CompactionResult, refuses=CONFLICT)
    def post(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """Give room back from volumes that are mostly dead, for some seconds; 409 while a job does.

        What is not finished then is gone on with by the next call, or by the job.
        """
        del request
        engine, is_dry_run = get_engine(), query["dry_run"]
        report = engine.compact(
            CompactionOptions(
                threshold=query.get("threshold", settings.S4.compaction_threshold),
                volumes_max=query.get("max_volumes", 0),
                is_dry_run=is_dry_run,
                is_slice_over=_slice(query["seconds"]),
            )
        )
        record_event("s4:RunCompaction", is_dry_run=is_dry_run, freed_bytes=report.freed_bytes)
        gained = sum(plan.gained_bytes for plan in report.plans)
        return {
            "volumes_scanned": len(engine.volumes()),
            "volumes_compacted": len(report.plans) if is_dry_run else report.dropped_volumes,
            "volumes_skipped": len(report.skipped),
            "live_blobs": report.moved_blobs,
            "dead_blobs": None,
            "bytes_reclaimed": gained
            if is_dry_run
            else max(0, report.freed_bytes - report.moved_bytes),
            "errors": len(report.problems),
            "dry_run": is_dry_run,
            "is_complete": report.is_complete,
        }


class RunScrub(View):
    """The scrub."""

    tag = "Store"

    @endpoint("run_scrub", query=ScrubQuery, answer=ScrubResult, refuses=CONFLICT)
    def post(self, request: Request, query: dict[str, Any]) -> dict[str, Any]:
        """Read what is stored against its checksums, for some seconds; 409 while a job does.

        Goes on with the pass under way, and so does the job afterwards.
        """
        del request
        engine = get_engine()
        report = engine.scrub(
            ScrubOptions(is_restarted=query["restart"], is_slice_over=_slice(query["seconds"]))
        )
        damaged = len(report.problems)
        record_event("s4:RunScrub", is_restarted=query["restart"], damaged=damaged)
        return {
            "blobs_checked": report.blobs,
            "blobs_ok": max(0, report.blobs - damaged),
            "blobs_corrupted": damaged,
            "volumes_scanned": len(engine.volumes()),
            "bytes_checked": report.bytes,
            "errors": [_damage(blob) for blob in engine.quarantined()],
            "is_complete": report.is_complete,
        }


class ScrubProgress(View):
    """How far the scrub is."""

    tag = "Store"

    @endpoint("get_scrub_status", answer=ScrubStatus)
    def get(self, request: Request) -> dict[str, Any]:
        """Tell how far the scrub is and what it found."""
        del request
        engine, days = get_engine(), settings.S4.scrub_interval_days
        state = engine.scrub_state()
        by_itself = f"A job does so every {days} days." if days else "No job does so by itself."
        return {
            "mode": "standalone",
            "background_scrubber": bool(days),
            "message": f"POST /api/admin/scrubber/run reads everything now. {by_itself}",
            "is_under_way": bool(state.started_ms),
            "started_at": _ns(state.started_ms),
            "finished_at": _ns(state.finished_ms),
            "bytes_checked": state.bytes,
            "bytes_total": engine.live_bytes(),
            "blobs_corrupted": len(engine.quarantined()),
        }


class JobList(View):
    """What S4 does by itself."""

    tag = "Store"

    @endpoint("list_jobs", answer=Jobs)
    def get(self, request: Request) -> dict[str, Any]:
        """List what S4 does by itself, when it was done and is due, as far as that is on record."""
        del request
        engine, chosen = get_engine(), settings.S4
        state = ask_state(chosen.data_dir) or {}
        live = {job["name"]: job for job in state.get("jobs", ())}
        finished, snapshot = engine.scrub_state().finished_ms, engine.newest_snapshot()
        snapshot_ms = snapshot.made_ms if snapshot is not None else 0
        known = {
            "scrub": (finished, chosen.scrub_interval_days * DAY_MS),
            "snapshot": (snapshot_ms, chosen.snapshot_interval_hours * HOUR_MS),
        }
        return {
            "is_running": is_locked(chosen.data_dir / "jobs.lock"),
            "jobs": [
                {
                    "name": job.name,
                    "every_seconds": int(job.every_seconds),
                    "last_at": _ns(known.get(job.name, (0, 0))[0]),
                    "due_at": _due(*known.get(job.name, (0, 0))),
                    "looked_at": _ns(int(1000 * live.get(job.name, {}).get("looked", 0))),
                    "failure": live.get(job.name, {}).get("failure", ""),
                }
                for job in configured_jobs()
            ],
        }


def _ratio(references: int, blobs: int) -> float:
    """Say how often a blob is used; without any, nothing is shared."""
    return references / blobs if blobs else 1.0


def _slice(seconds: int) -> Callable[[], bool]:
    """Begin to work for some seconds; what is returned tells when they are over."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def _ns(moment_ms: int) -> int | None:
    return moment_ms * 1_000_000 or None


def _due(last_ms: int, interval_ms: int) -> int | None:
    return _ns(last_ms + interval_ms) if last_ms else None


def _damage(blob: Any) -> dict[str, Any]:
    return {
        "volume_id": blob.volume_id,
        "offset": blob.offset,
        "sha256": blob.sha256.hex(),
        "size": blob.size,
        "references": blob.references,
        "found_at": blob.found_ms * 1_000_000,
        "reason": blob.reason,
    }
