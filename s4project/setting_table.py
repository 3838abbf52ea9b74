"""The table of S4's settings: each one's name, default, how it is read, and what it means.

Knows nothing of Django, nor of what is set. The table in docs/settings.md is compared with it by a
test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from s4project.setting_files import SUFFIX
from s4project.setting_values import (
    matching,
    one_of,
    parse_address,
    parse_database,
    parse_domains,
    parse_flag,
    parse_networks,
    parse_path,
    parse_share,
    parse_size,
    parse_url,
    parse_webhook,
    whole_number,
)
from s4project.shipped import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_SECONDS: Final = 24 * 3600


class Setting(NamedTuple):
    """One row of the settings table."""

    variable: str
    default: str
    parse: Callable[[str], Any]
    meaning: str
    is_secret: bool = False
    is_login: bool = False  # no secret, but what containers keep with one

    @property
    def file_variable(self) -> str:
        """Name the variable that names a file with the value; none: it cannot be given so."""
        return self.variable + SUFFIX if self.is_secret or self.is_login else ""


def default_data_dir() -> str:
    """Name where a store is kept unless told: one place for each user of an installed S4."""
    home = Path("~/.local/share/s4")
    if not is_installed():
        return "./data"
    try:
        return str(home.expanduser())
    except RuntimeError:  # of a user who has no home
        return "./data"


ACCESS_KEY_PATTERN: Final = r"[A-Za-z0-9._+=@-]{3,128}"
SETTINGS: Final[dict[str, Setting]] = {
    "data_dir": Setting(
        "S4_DATA_DIR",
        default_data_dir(),
        parse_path,
        "Directory that holds everything S4 keeps.",
    ),
    "bind": Setting("S4_BIND", "127.0.0.1:9000", parse_address, "Address and port of the S3 side."),
    "console_bind": Setting(
        "S4_CONSOLE_BIND", "127.0.0.1:9001", parse_address, "Address and port of the console."
    ),
    "workers": Setting(
        "S4_WORKERS",
        str(os.cpu_count() or 1),
        whole_number(1, 256),
        "Worker processes; the default is one for each core.",
    ),
    "requests_max": Setting(
        "S4_REQUESTS_MAX",
        "1024",
        whole_number(1, 100_000),
        "S3 requests that one worker serves at a time; more are refused with SlowDown.",
    ),
    "rate_limit_per_key": Setting(
        "S4_RATE_LIMIT_PER_KEY",
        "0",
        whole_number(0, 1_000_000),
        "Requests per second that each access key may sign, unless it has a limit of its own; 0: "
        "any number.",
    ),
    "rate_limit_per_bucket": Setting(
        "S4_RATE_LIMIT_PER_BUCKET",
        "0",
        whole_number(0, 1_000_000),
        "Requests per second that each bucket gets, unless it has a limit of its own; 0: any "
        "number.",
    ),
    "region": Setting(
        "S4_REGION",
        "us-east-1",
        matching(r"[a-z0-9-]{1,63}", "a region name such as us-east-1"),
        "Region that clients sign for and that buckets report.",
    ),
    "signature_v2": Setting(
        "S4_SIGNATURE_V2",
        "false",
        parse_flag,
        "Whether requests signed with Signature Version 2 are accepted: for old clients only, it "
        "protects less.",
    ),
    "domain": Setting(
        "S4_DOMAIN",
        "",
        parse_domains,
        "Domains under which buckets are virtual hosts (bucket.domain), separated by commas.",
    ),
    "public_url": Setting(
        "S4_PUBLIC_URL",
        "",
        lambda text: parse_url(text) if text else "",
        "URL under which clients reach the S3 side when a proxy stands in front.",
    ),
    "console_url": Setting(
        "S4_CONSOLE_URL",
        "",
        lambda text: parse_url(text) if text else "",
        "URL under which browsers reach the console when a proxy stands in front.",
    ),
    "trusted_proxies": Setting(
        "S4_TRUSTED_PROXIES",
        "",
        parse_networks,
        "Addresses and networks of proxies, separated by commas: what these say in "
        "X-Forwarded-For and X-Forwarded-Proto, or in Forwarded, is believed.",
    ),
    "tls_cert": Setting(
        "S4_TLS_CERT",
        "",
        lambda text: parse_path(text) if text else None,
        "File with the certificate of both ports, followed by its chain, in PEM; empty: no TLS.",
    ),
    "tls_key": Setting(
        "S4_TLS_KEY",
        "",
        lambda text: parse_path(text) if text else None,
        "File with the certificate's private key, in PEM and without a passphrase.",
    ),
    "http2": Setting(
        "S4_HTTP2",
        "true",
        parse_flag,
        "Whether HTTP/2 is offered beside HTTP/1.1 where TLS is on.",
    ),
    "database_url": Setting(
        "DATABASE_URL",
        "",
        parse_database,
        "SQL database for users, keys and buckets; empty: SQLite in the data directory.",
        is_secret=True,
    ),
    "database_password": Setting(
        "S4_DATABASE_PASSWORD",
        "",
        matching(r"|[^\0]{1,1024}", "a password"),
        "Password for PostgreSQL, where DATABASE_URL has none.",
        is_secret=True,
    ),
    "database_connections": Setting(
        "S4_DATABASE_CONNECTIONS",
        "8",
        whole_number(1, 1000),
        "How many pages and calls of the console a worker lets connect to PostgreSQL at once.",
    ),
    "database_wait_seconds": Setting(
        "S4_DATABASE_WAIT_SECONDS",
        "60",
        whole_number(0, 86_400),
        "How long the start waits for PostgreSQL; 0: not at all.",
    ),
    "root_username": Setting(
        "S4_ROOT_USERNAME",
        "root",
        matching(r"[A-Za-z0-9._@+-]{1,150}", "1 to 150 letters, digits or .@+-_"),
        "Name of the first administrator.",
        is_login=True,
    ),
    "root_password": Setting(
        "S4_ROOT_PASSWORD",
        "",
        matching(r"|.{8,1024}", "at least 8 characters"),
        "Password of the first administrator; empty: generated and shown once.",
        is_secret=True,
    ),
    "session_idle_minutes": Setting(
        "S4_SESSION_IDLE_MINUTES",
        "60",
        whole_number(1, 43_200),
        "How long after the last request a session of the console ends.",
    ),
    "session_hours": Setting(
        "S4_SESSION_HOURS",
        "12",
        whole_number(1, 720),
        "How long after signing in a session of the console ends in any case.",
    ),
    "jwt_secret": Setting(
        "S4_JWT_SECRET",
        "",
        matching(r"|.{32,1024}", "at least 32 characters"),
        "Key that tokens of the REST API are signed with; empty: derived from the server key.",
        is_secret=True,
    ),
    "jwt_lifetime_hours": Setting(
        "S4_JWT_LIFETIME_HOURS",
        "24",
        whole_number(1, 8760),
        "How long a token of the REST API is good for.",
    ),
    "access_key_id": Setting(
        "S4_ACCESS_KEY_ID",
        "",
        matching("|" + ACCESS_KEY_PATTERN, "3 to 128 letters, digits or ._+=@-"),
        "Access key of the first administrator; empty: generated.",
        is_login=True,
    ),
    "secret_access_key": Setting(
        "S4_SECRET_ACCESS_KEY",
        "",
        matching(r"|[!-~]{8,128}", "8 to 128 visible ASCII characters"),
        "Its secret; empty: generated and shown once.",
        is_secret=True,
    ),
    "default_object_ownership": Setting(
        "S4_DEFAULT_OBJECT_OWNERSHIP",
        "BucketOwnerEnforced",
        one_of("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter", "none"),
        "Object ownership of new buckets; none: without controls, as AWS's of before April 2023.",
    ),
    "default_public_access_block": Setting(
        "S4_DEFAULT_PUBLIC_ACCESS_BLOCK",
        "true",
        parse_flag,
        "Whether new buckets block public access, by all four settings of AWS.",
    ),
    "max_upload_size": Setting(
        "S4_MAX_UPLOAD_SIZE",
        "5G",
        parse_size,
        "Largest body of one PutObject or UploadPart (AWS: 5 GiB).",
    ),
    "multipart_upload_ttl_hours": Setting(
        "S4_MULTIPART_UPLOAD_TTL_HOURS",
        "0",
        whole_number(0, 87_600),
        "Age at which unfinished multipart uploads are aborted in every bucket; 0: never.",
    ),
    "lifecycle_day_seconds": Setting(
        "S4_LIFECYCLE_DAY_SECONDS",
        str(DAY_SECONDS),
        whole_number(1, DAY_SECONDS),
        "How long a day of a lifecycle rule is; only for tests is it shorter than a day.",
    ),
    "snapshot_interval_hours": Setting(
        "S4_SNAPSHOT_INTERVAL_HOURS",
        "24",
        whole_number(0, 8760),
        "Age at which a snapshot of the index is replaced if anything changed; sooner after much "
        "change; 0: never, and the journal is kept for ever.",
    ),
    "snapshot_count": Setting(
        "S4_SNAPSHOT_COUNT",
        "2",
        whole_number(1, 100),
        "How many snapshots of the index are kept, and the journal since the oldest of them.",
    ),
    "compaction_enabled": Setting(
        "S4_COMPACTION_ENABLED",
        "true",
        parse_flag,
        "Whether volumes that are mostly dead are rewritten by themselves.",
    ),
    "compaction_interval_hours": Setting(
        "S4_COMPACTION_INTERVAL_HOURS",
        "1",
        whole_number(1, 8760),
        "How often volumes are looked through for that.",
    ),
    "compaction_threshold": Setting(
        "S4_COMPACTION_THRESHOLD",
        "0.3",
        parse_share,
        "Share of dead bytes from which a volume is rewritten.",
    ),
    "compaction_dry_run": Setting(
        "S4_COMPACTION_DRY_RUN",
        "false",
        parse_flag,
        "Only log what compaction would do.",
    ),
    "compaction_bytes_per_second": Setting(
        "S4_COMPACTION_BYTES_PER_SECOND",
        "64M",
        parse_size,
        "How much compaction copies in a second at most; 0: as fast as it goes.",
    ),
    "scrub_interval_days": Setting(
        "S4_SCRUB_INTERVAL_DAYS",
        "30",
        whole_number(0, 3650),
        "How often everything is read against its checksums; 0: never.",
    ),
    "audit_data_access": Setting(
        "S4_AUDIT_DATA_ACCESS",
        "none",
        one_of("none", "denied", "writes", "all"),
        "Which requests for objects the audit log has: none, those denied, also all that write, or "
        "all.",
    ),
    "audit_retention_days": Setting(
        "S4_AUDIT_RETENTION_DAYS",
        "365",
        whole_number(0, 36_500),
        "Age at which audit entries are deleted from the database; 0: never.",
    ),
    "audit_file": Setting(
        "S4_AUDIT_FILE",
        "",
        lambda text: parse_path(text) if text else None,
        "File that has the audit log as JSON lines too; empty: none.",
    ),
    "audit_file_size": Setting(
        "S4_AUDIT_FILE_SIZE",
        "64M",
        parse_size,
        "Size from which that file is put aside and begun anew; 0: never.",
    ),
    "audit_file_count": Setting(
        "S4_AUDIT_FILE_COUNT",
        "10",
        whole_number(1, 1000),
        "How many files put aside are kept.",
    ),
    "audit_webhook_url": Setting(
        "S4_AUDIT_WEBHOOK_URL",
        "",
        parse_webhook,
        "URL that audit entries are posted to; empty: none.",
        is_secret=True,
    ),
    "audit_webhook_token": Setting(
        "S4_AUDIT_WEBHOOK_TOKEN",
        "",
        matching(r"|[!-~]{1,4096}", "visible ASCII characters"),
        "Bearer token that is sent along; empty: none.",
        is_secret=True,
    ),
    "access_log": Setting(
        "S4_ACCESS_LOG",
        "false",
        parse_flag,
        "Whether each request is logged with what became of it: one line, beside the others.",
    ),
    "slow_request_ms": Setting(
        "S4_SLOW_REQUEST_MS",
        "1000",
        whole_number(0, 3_600_000),
        "Requests that S4 takes longer to answer are logged; 0: none.",
    ),
    "metrics_enabled": Setting(
        "S4_METRICS_ENABLED",
        "true",
        parse_flag,
        "Whether there are metrics for Prometheus, at /metrics on the console's port.",
    ),
    "metrics_token": Setting(
        "S4_METRICS_TOKEN",
        "",
        matching(r"|[!-~]{16,1024}", "at least 16 visible ASCII characters"),
        "Bearer token that Prometheus reads them with; empty: generated, in metrics.token in the "
        "data directory.",
        is_secret=True,
    ),
    "metrics_public": Setting(
        "S4_METRICS_PUBLIC",
        "false",
        parse_flag,
        "Whether anybody may read the metrics, names of buckets among them.",
    ),
    "log_level": Setting(
        "S4_LOG_LEVEL",
        "info",
        one_of("debug", "info", "warning", "error"),
        "Least severe kind of log line that is written.",
    ),
    "log_format": Setting(
        "S4_LOG_FORMAT",
        "auto",
        one_of("auto", "console", "json"),
        "Form of log lines; auto: console on a terminal, JSON elsewhere.",
    ),
}
