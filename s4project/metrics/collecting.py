"""What the series are made of at a scrape: the sums of all processes, and looks at the store.

Needs no SQL but to see that it is there, for names of new buckets, and for quotas: without it the
rest is told. Costs what `StorageEngine.stats` costs, and reads /proc.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import Error, connection
from prometheus_client.core import Metric

from buckets.services import RegistryReader
from buckets.usage import alerts
from s3api import md5
from s4project.jobs_door import ask_state
from s4project.meters.columns import MICROSECONDS, TIMES
from s4project.metrics.console import console_metrics
from s4project.metrics.machine import look_at_disk, look_at_process
from s4project.metrics.publishing import JOBS, WORKER
from s4project.metrics.series import SERIES, Series
from s4project.metrics.slots import OTHER
from s4project.metrics.tally import NONE
from s4project.processes import is_locked
from s4project.settings_pages import s4_version
from s4project.tls.certificate import CertificateError, Pair, inspect
from s4project.uptime import uptime_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buckets.registry import BucketState, Registry
    from s4project.metrics.slots import Figures, Now, Row, Slots
    from storage_engine import StorageEngine

INFINITE: Final = float("inf")
MICRO: Final = 1e-6
MILLI: Final = 1e-3
# Of requests that were not let in for what they said of themselves.
AUTH_CODES: Final = (
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken"),
    *("InvalidToken", "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"),
)
BY_NAME: Final = {series.name: series for series in SERIES}


class Page:
    """The samples of one scrape; a sample that is given twice is added up."""

    def __init__(self, console: Iterable[Metric] = ()) -> None:
        self._console = console
        self._samples: dict[str, dict[tuple[str, ...], float]] = {}
        self._spreads: dict[str, dict[tuple[str, ...], Row]] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add to a counter or gauge."""
        assert len(labels) == len(BY_NAME[name].labels)
        samples = self._samples.setdefault(name, {})
        samples[labels] = samples.get(labels, 0) + value

    def spread(self, name: str, row: Row, *labels: str) -> None:
        """Give a histogram its bars and, last, their sum."""
        assert len(row) == len(BY_NAME[name].bounds) + 2
        self._spreads.setdefault(name, {})[labels] = row

    def collect(self) -> Iterator[Metric]:
        """Show it as prometheus_client has it, every series there is."""
        for series in SERIES:
            metric = Metric(series.name.removesuffix("_total"), series.help, series.kind)
            for labels, value in self._samples.get(series.name, {}).items():
                metric.add_sample(series.name, _named(series, labels), value)
            for labels, row in self._spreads.get(series.name, {}).items():
                _add_bars(metric, series, labels, row)
            yield metric
        yield from self._console


def _named(series: Series, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(series.labels, labels, strict=True))


def _add_bars(metric: Metric, series: Series, labels: tuple[str, ...], row: Row) -> None:
    named = _named(series, labels)
    bounds = (*map(float, series.bounds), INFINITE)
    sums = list(accumulate(row[:-1]))
    for bound, count in zip(bounds, sums, strict=True):
        le = "+Inf" if bound == INFINITE else str(bound)
        metric.add_sample(f"{series.name}_bucket", {**named, "le": le}, count)
    metric.add_sample(f"{series.name}_count", named, sums[-1])
    metric.add_sample(f"{series.name}_sum", named, row[-1])


class Collector:
    """Makes pages; one in each worker."""

    def __init__(self, slots: Slots, engine: StorageEngine) -> None:
        self._slots = slots
        self._engine = engine
        self._reader = RegistryReader()
        self._registry: Registry | None = None
        self._generation = -1

    def collect(self) -> Page:
        """Look at everything."""
        sums, living = self._slots.read()
        page = Page(console_metrics(sums))
        add_requests(page, sums)
        add_present(page, living.values())
        add_commits(page, sums, self._engine)
        add_store(page, self._engine)
        add_jobs(page, sums, self._engine)
        add_processes(page, sums, living)
        add_certificate(page)
        is_sql_up = self._look_at_sql(page)
        page.add("s4_sql_up", is_sql_up)
        if self._registry is not None:
            buckets = self._registry.all()
            page.add("s4_buckets", len(buckets))
            add_buckets(page, self._engine, buckets, self._names(buckets))
        return page

    def _names(self, buckets: list[BucketState]) -> dict[str, str]:
        """Tell under which name each bucket is counted."""
        try:
            return self._slots.grant(bucket.name for bucket in buckets)
        except OSError:
            return {}

    def _look_at_sql(self, page: Page) -> bool:
        """Take from SQL what only it knows; False when it does not answer."""
        try:
            generation = self._engine.generation()
            if generation != self._generation:
                self._registry = self._reader.read()
                self._generation = generation
            near = alerts()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error:
            return False
        for kind in ("bucket", "user"):
            for state in ("warning", "full"):
                page.add("s4_quotas_near", 0, kind, state)
        for holding in near:
            page.add("s4_quotas_near", 1, holding.kind.value, holding.state.value)
        return True


def add_requests(page: Page, sums: Figures) -> None:
    """Tell of what clients asked."""
    for key, row in sums.get("requests", {}).items():
        operation, status, bucket = key.split("\n")
        count, sent, received = row
        page.add("s4_s3_requests_total", count, operation, status)
        page.add("s4_s3_sent_bytes_total", sent, operation)
        page.add("s4_s3_received_bytes_total", received, operation)
        if bucket != NONE:
            page.add("s4_bucket_requests_total", count, bucket, operation, status)
            page.add("s4_bucket_sent_bytes_total", sent, bucket)
            page.add("s4_bucket_received_bytes_total", received, bucket)
    for operation, row in sums.get("durations", {}).items():
        page.spread("s4_s3_request_duration_seconds", row, operation)
    for operation, row in sums.get("first_bytes", {}).items():
        bars = [*row[TIMES:], row[MICROSECONDS] * MICRO]
        page.spread("s4_s3_first_byte_seconds", bars, operation)
    add_errors(page, sums)


def add_errors(page: Page, sums: Figures) -> None:
    """Tell which errors S3 answered; of those that alerts ask for, also that there was none."""
    page.add("s4_refused_requests_total", 0, "SlowDown")
    for code, row in sums.get("refusals", {}).items():
        page.add("s4_refused_requests_total", row[0], code)
    codes = sums.get("codes", {})
    page.add("s4_s3_errors_total", 0, "SlowDown")
    for code in AUTH_CODES:
        page.add("s4_s3_auth_failures_total", 0, code)
    for code, row in codes.items():
        page.add("s4_s3_errors_total", row[0], code)
        if code in AUTH_CODES:
            page.add("s4_s3_auth_failures_total", row[0], code)


def add_present(page: Page, living: Iterable[Now]) -> None:
    """Tell what is under way."""
    page.add("s4_s3_requests_in_flight", 0)
    page.add("s4_connections", 0)
    for now in living:
        page.add("s4_s3_requests_in_flight", now.in_flight)
        page.add("s4_connections", now.connections)


SPREADS: Final = {
    "group_operations": "s4_commit_group_operations",
    "commit_seconds": "s4_commit_duration_seconds",
    "lock_seconds": "s4_commit_lock_wait_seconds",
    "sync_seconds": "s4_journal_sync_seconds",
    "checkpoint_seconds": "s4_checkpoint_duration_seconds",
}


def add_commits(page: Page, sums: Figures, engine: StorageEngine) -> None:
    """Tell how changes became durable, and what a recovery would find."""
    for source, name in SPREADS.items():
        for row in sums.get(source, {}).values():
            page.spread(name, row)
    page.add("s4_journal_written_bytes_total", _sum(sums, "journal_bytes", ""))
    for source in ("cache", "disk"):
        page.add("s4_object_reads_total", _sum(sums, "reads", source), source)
    found = engine.durability()
    page.add("s4_journal_bytes", found.journal_bytes)
    page.add("s4_journal_replay_bytes", found.replay_bytes)
    age = max(0.0, time.time() - found.checkpoint_ms * MILLI) if found.replay_bytes else 0.0
    page.add("s4_checkpoint_age_seconds", age)
    page.add("s4_index_map_bytes", found.map_bytes)
    snapshot = engine.newest_snapshot()
    if snapshot is not None:
        page.add("s4_snapshot_timestamp_seconds", snapshot.made_ms * MILLI)
        page.add("s4_snapshot_bytes", snapshot.size)


def add_store(page: Page, engine: StorageEngine) -> None:
    """Tell what is stored, and what there is room for."""
    stats = engine.stats()
    references = stats.blob_references
    for name, value in {
        "s4_objects": stats.objects,
        "s4_versions": stats.versions,
        "s4_logical_bytes": stats.object_bytes,
        "s4_physical_bytes": stats.volume_bytes + stats.index_bytes,
        "s4_uploads": stats.uploads,
        "s4_upload_bytes": stats.upload_bytes,
        "s4_blobs": stats.blobs,
        "s4_inline_payloads": stats.inline_payloads,
        "s4_quarantined_blobs": stats.quarantined,
        "s4_volumes": stats.volumes,
        "s4_volume_live_bytes": stats.live_bytes,
        "s4_volume_dead_bytes": stats.dead_bytes,
        "s4_index_bytes": stats.index_bytes,
        "s4_writable": engine.failure is None,
        **look_at_disk(settings.S4.data_dir),
    }.items():
        page.add(name, value)
    if references is not None:
        page.add("s4_blob_references", references)
        page.add("s4_dedup_ratio", references / stats.blobs if stats.blobs else 1.0)


def add_buckets(
    page: Page, engine: StorageEngine, buckets: list[BucketState], names: dict[str, str]
) -> None:
    """Tell what buckets hold and may hold; those without a row of their own together."""
    usages = engine.usages().namespaces
    for bucket in buckets:
        name = names.get(bucket.name, OTHER)
        usage = usages.get(bucket.id)
        page.add("s4_bucket_objects", usage.objects if usage else 0, name)
        page.add("s4_bucket_versions", usage.versions if usage else 0, name)
        page.add("s4_bucket_bytes", usage.bytes if usage else 0, name)
        quota = bucket.configuration.quota
        if quota is None or name == OTHER:
            continue
        if quota.bytes:
            page.add("s4_bucket_quota_bytes", quota.bytes, name)
        if quota.objects:
            page.add("s4_bucket_quota_objects", quota.objects, name)


SUMS: Final = {
    "s4_compaction_moved_blobs_total": ("compaction", "moved_blobs"),
    "s4_compaction_moved_bytes_total": ("compaction", "moved_bytes"),
    "s4_compaction_freed_bytes_total": ("compaction", "freed_bytes"),
    "s4_compaction_volumes_total": ("compaction", "dropped_volumes"),
    "s4_scrub_blobs_total": ("scrub", "blobs"),
    "s4_scrub_bytes_total": ("scrub", "bytes"),
    "s4_scrub_damaged_total": ("scrub", "damaged_blobs"),
    "s4_scrub_healed_total": ("scrub", "healed"),
    "s4_lifecycle_bytes_total": ("lifecycle", "bytes"),
    "s4_lifecycle_kept_total": ("lifecycle", "kept"),
}
NO_ACTION: Final = frozenset({"bytes", "kept"})


def add_jobs(page: Page, sums: Figures, engine: StorageEngine) -> None:
    """Tell what S4 did by itself, or a command did, and how the jobs stand."""
    for name, (source, figure) in SUMS.items():
        page.add(name, _sum(sums, source, figure))
    for action, row in sums.get("lifecycle", {}).items():
        if action not in NO_ACTION:
            page.add("s4_lifecycle_actions_total", row[0], action)
    for key, row in sums.get("job_runs", {}).items():
        page.add("s4_job_runs_total", row[0], *key.split("\n"))
    directory = settings.S4.data_dir
    page.add("s4_jobs_running", is_locked(directory / "jobs.lock"))
    for job in (ask_state(directory) or {}).get("jobs", ()):
        if job["looked"]:
            page.add("s4_job_last_look_timestamp_seconds", job["looked"], job["name"])
            page.add("s4_job_last_look_seconds", job["took_seconds"], job["name"])
        page.add("s4_job_failing", bool(job["failure"]), job["name"])
    scrub = engine.scrub_state()
    page.add("s4_scrub_pass_bytes", scrub.bytes if scrub.started_ms else 0)
    if scrub.finished_ms:
        page.add("s4_scrub_finished_timestamp_seconds", scrub.finished_ms * MILLI)


def add_certificate(page: Page) -> None:
    """Tell until when clients trust this server; nothing of files that cannot be served."""
    chosen = settings.S4
    if chosen.tls_cert is None or chosen.tls_key is None:
        return
    with suppress(CertificateError):
        facts = inspect(Pair(chosen.tls_cert, chosen.tls_key))
        page.add("s4_certificate_expiry_timestamp_seconds", facts.not_after.timestamp())


def add_processes(page: Page, sums: Figures, living: dict[int, Now]) -> None:
    """Tell of the processes."""
    page.add("s4_build_info", 1, s4_version(), "yes" if md5.IS_COMPILED else "no")
    page.add("s4_start_timestamp_seconds", time.time() - uptime_seconds())
    page.add("s4_workers_wanted", settings.S4.workers)
    page.add("s4_workers", sum(now.role == WORKER for now in living.values()))
    for role, row in sums.get("starts", {}).items():
        page.add("s4_process_starts_total", row[0], role)
    named = {"main": os.getppid()}
    for slot, now in sorted(living.items()):
        named[JOBS if now.role == JOBS else f"{now.role}-{slot}"] = now.pid
    for name, pid in named.items():
        for series, value in look_at_process(Path("/proc") / str(pid)).items():
            page.add(series, value, name)


def _sum(sums: Figures, source: str, name: str) -> float:
    """Take a sum that may be of nothing yet."""
    row = sums.get(source, {}).get(name)
    return row[0] if row else 0
