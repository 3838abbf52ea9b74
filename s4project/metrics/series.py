"""Every series there is: its name, kind, labels and meaning.

docs/monitoring.md has this table too, and a test compares them. Knows nothing of where the numbers
come from. No label is called `job` or `instance`: Prometheus has its own of that name.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from s4project.meters.columns import BOUNDS as FIRST_BYTE_BOUNDS
from s4project.metrics.tally import BOUNDS as DURATION_BOUNDS
from storage_engine.counts import GROUP_BOUNDS, SECONDS_BOUNDS


class Series(NamedTuple):
    """One series; a histogram has bounds, and the names of Prometheus for its parts."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


def _counter(name: str, text: str, *labels: str) -> Series:
    return Series(name, "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Series:
    return Series(name, "gauge", text, labels)


def _histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Series:
    return Series(name, "histogram", text, labels, bounds)


REQUESTS: Final = (
    _counter(
        "s4_s3_requests_total",
        "Requests to S3 that ended. Status 0: the client went before it was answered.",
        *("operation", "status"),
    ),
    _histogram(
        "s4_s3_request_duration_seconds",
        "From the head of a request to the end of its reply.",
        DURATION_BOUNDS,
        "operation",
    ),
    _histogram(
        "s4_s3_first_byte_seconds",
        "From the head of a request to the first byte of its reply.",
        FIRST_BYTE_BOUNDS,
        "operation",
    ),
    _counter("s4_s3_sent_bytes_total", "Bytes of bodies that S3 sent.", "operation"),
    _counter("s4_s3_received_bytes_total", "Bytes of bodies that S3 received.", "operation"),
    _counter("s4_s3_errors_total", "Replies of S3 with an error, by its code.", "code"),
    _counter(
        "s4_s3_auth_failures_total",
        "Requests whose signature, key or time was not accepted, by the code of the error.",
        "code",
    ),
    _counter(
        "s4_refused_requests_total",
        "What was answered on both ports before it was read whole: heads that are none (by code), "
        "and connections beyond the limit (SlowDown). Not among the requests above.",
        "code",
    ),
    _gauge("s4_s3_requests_in_flight", "Requests to S3 that are being served."),
    _counter(
        "s4_bucket_requests_total",
        "Requests about a bucket that is there, of those who were known.",
        *("bucket", "operation", "status"),
    ),
    _counter("s4_bucket_sent_bytes_total", "Bytes of bodies sent from a bucket.", "bucket"),
    _counter("s4_bucket_received_bytes_total", "Bytes of bodies received for a bucket.", "bucket"),
    _gauge("s4_connections", "Open connections of clients, to both ports."),
)
COMMITS: Final = (
    _histogram(
        "s4_commit_group_operations", "Changes that shared one commit and its sync.", GROUP_BOUNDS
    ),
    _histogram(
        "s4_commit_duration_seconds",
        "From the first change of a group to all being durable.",
        SECONDS_BOUNDS,
    ),
    _histogram(
        "s4_commit_lock_wait_seconds",
        "How long a group waited for the write lock of the index.",
        SECONDS_BOUNDS,
    ),
    _histogram(
        "s4_journal_sync_seconds", "How long writing and syncing the journal took.", SECONDS_BOUNDS
    ),
    _counter("s4_journal_written_bytes_total", "Bytes that were written to the journal."),
    _gauge("s4_journal_bytes", "What the journal takes on the disk."),
    _gauge(
        "s4_journal_replay_bytes",
        "Of the journal, what is newer than the checkpoint: a recovery goes through it.",
    ),
    _gauge(
        "s4_checkpoint_age_seconds",
        "How old the checkpoint is while it is behind; 0: nothing was committed since.",
    ),
    _histogram("s4_checkpoint_duration_seconds", "How long a checkpoint took.", SECONDS_BOUNDS),
    _gauge("s4_snapshot_timestamp_seconds", "When the newest snapshot of the index was made."),
    _gauge("s4_snapshot_bytes", "Size of the newest snapshot of the index."),
    _counter(
        "s4_object_reads_total",
        "Steps of reading objects: served from memory (cache), or not (disk).",
        "source",
    ),
)
STORE: Final = (
    _gauge("s4_buckets", "Buckets."),
    _gauge("s4_objects", "Objects: keys whose current version is one."),
    _gauge("s4_versions", "Versions of objects, delete markers included."),
    _gauge("s4_logical_bytes", "What clients stored, in all versions."),
    _gauge("s4_physical_bytes", "What volumes and index take on the disk."),
    _gauge("s4_uploads", "Multipart uploads that are open."),
    _gauge("s4_upload_bytes", "Bytes of parts of open uploads."),
    _gauge("s4_blobs", "Payloads in volumes, each content once."),
    _gauge("s4_blob_references", "Objects and parts that use a payload in a volume."),
    _gauge("s4_dedup_ratio", "References for each payload in a volume; 1: nothing is shared."),
    _gauge("s4_inline_payloads", "Small payloads that are kept in the index."),
    _gauge("s4_quarantined_blobs", "Payloads in use whose stored bytes are wrong."),
    _gauge("s4_volumes", "Volume files."),
    _gauge("s4_volume_live_bytes", "Bytes in volumes that are in use."),
    _gauge("s4_volume_dead_bytes", "Bytes in volumes that wait for compaction."),
    _gauge("s4_index_bytes", "Size of the index."),
    _gauge("s4_index_map_bytes", "Size up to which the index grows before its map is doubled."),
    _gauge("s4_disk_bytes", "Size of the file system that the data directory is on."),
    _gauge("s4_disk_free_bytes", "What of it is free to S4."),
    _gauge("s4_disk_inodes", "Inodes of that file system; 0: it has no such number."),
    _gauge("s4_disk_free_inodes", "What of them is free."),
    _gauge("s4_writable", "1 while the store takes writes; 0 after the disk failed."),
    _gauge("s4_bucket_objects", "Objects of a bucket.", "bucket"),
    _gauge("s4_bucket_versions", "Versions of a bucket, delete markers included.", "bucket"),
    _gauge(
        "s4_bucket_bytes", "Bytes of a bucket: all versions, and parts of open uploads.", "bucket"
    ),
    _gauge("s4_bucket_quota_bytes", "Bytes that a bucket may have, where bounded.", "bucket"),
    _gauge("s4_bucket_quota_objects", "Versions that a bucket may have, where bounded.", "bucket"),
    _gauge(
        "s4_quotas_near",
        "Buckets and users near a quota (warning), or at it (full).",
        *("kind", "state"),
    ),
)
JOBS: Final = (
    _gauge("s4_jobs_running", "1 while the jobs process is there."),
    _counter(
        "s4_job_runs_total",
        "Looks of a job, by outcome: idle (nothing to do), done, unfinished or failed.",
        *("job_name", "outcome"),
    ),
    _gauge("s4_job_last_look_timestamp_seconds", "When a job last ended a look.", "job_name"),
    _gauge("s4_job_last_look_seconds", "How long that look took.", "job_name"),
    _gauge("s4_job_failing", "1 while the last look of a job failed.", "job_name"),
    _counter("s4_compaction_moved_blobs_total", "Payloads that compaction moved."),
    _counter("s4_compaction_moved_bytes_total", "Bytes that compaction moved."),
    _counter("s4_compaction_freed_bytes_total", "Bytes that volumes gave back to the disk."),
    _counter("s4_compaction_volumes_total", "Volumes that compaction dropped."),
    _counter("s4_scrub_blobs_total", "Payloads in volumes that the scrub read."),
    _counter("s4_scrub_bytes_total", "Bytes that the scrub read."),
    _counter("s4_scrub_damaged_total", "Payloads that the scrub found damaged, each time."),
    _counter("s4_scrub_healed_total", "Damaged payloads that the scrub healed."),
    _gauge("s4_scrub_pass_bytes", "Bytes read in the pass of the scrub that is under way."),
    _gauge("s4_scrub_finished_timestamp_seconds", "When the last whole pass of the scrub ended."),
    _counter("s4_lifecycle_actions_total", "What lifecycle rules did, by action.", "action"),
    _counter("s4_lifecycle_bytes_total", "Bytes that lifecycle rules removed."),
    _counter("s4_lifecycle_kept_total", "Versions that a lock kept from lifecycle rules."),
)
PROCESSES: Final = (
    _gauge(
        "s4_build_info",
        "1; the labels have the version, and whether its compiled part is there (yes or no).",
        "version",
        "compiled",
    ),
    _gauge("s4_start_timestamp_seconds", "When the server started."),
    _gauge("s4_workers", "Worker processes that are there."),
    _gauge("s4_workers_wanted", "Worker processes that the settings ask for."),
    _counter("s4_process_starts_total", "Processes that started, by what they are.", "role"),
    _counter("s4_process_cpu_seconds_total", "Processor time of a process.", "process"),
    _gauge("s4_process_resident_bytes", "Resident memory, with pages of mapped files.", "process"),
    _gauge("s4_process_private_bytes", "Resident memory without pages of files.", "process"),
    _gauge("s4_process_open_fds", "Open file descriptors.", "process"),
    _gauge("s4_process_max_fds", "How many there may be.", "process"),
    _gauge("s4_process_threads", "Threads.", "process"),
    _gauge(
        "s4_certificate_expiry_timestamp_seconds",
        "When the certificate of S4_TLS_CERT ends; without TLS there is no sample.",
    ),
    _gauge("s4_sql_up", "1 if the SQL database answered during the scrape."),
)
SERIES: Final = (*REQUESTS, *COMMITS, *STORE, *JOBS, *PROCESSES)
