"""The settings in force: those of the table (`setting_table`), read from the environment once.

Knows nothing of Django. A wrong value does not raise here: it is collected in
`Configuration.problems`, so that one start reports every wrong setting, one line each
(`s4project.checks` turns them into system checks).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from s4project.setting_files import read_setting
from s4project.setting_table import SETTINGS
from s4project.sql.address import lacks_password

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network
    from pathlib import Path

    from s4project.setting_table import Setting
    from s4project.setting_values import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings in force. Sizes are bytes; `problems` holds a line for each wrong value."""

    data_dir: Path
    bind: Address
    console_bind: Address
    workers: int
    requests_max: int
    rate_limit_per_key: int
    rate_limit_per_bucket: int
    region: str
    signature_v2: bool
    domain: tuple[str, ...]
    public_url: str
    console_url: str
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    tls_cert: Path | None
    tls_key: Path | None
    http2: bool
    database_url: str = field(repr=False)
    database_password: str = field(repr=False)
    database_connections: int
    database_wait_seconds: int
    root_username: str
    root_password: str = field(repr=False)
    session_idle_minutes: int
    session_hours: int
    jwt_secret: str = field(repr=False)
    jwt_lifetime_hours: int
    access_key_id: str
    secret_access_key: str = field(repr=False)
    default_object_ownership: str
    default_public_access_block: bool
    max_upload_size: int
    multipart_upload_ttl_hours: int
    lifecycle_day_seconds: int
    snapshot_interval_hours: int
    snapshot_count: int
    compaction_enabled: bool
    compaction_interval_hours: int
    compaction_threshold: float
    compaction_dry_run: bool
    compaction_bytes_per_second: int
    scrub_interval_days: int
    audit_data_access: str
    audit_retention_days: int
    audit_file: Path | None
    audit_file_size: int
    audit_file_count: int
    audit_webhook_url: str = field(repr=False)
    audit_webhook_token: str = field(repr=False)
    access_log: bool
    slow_request_ms: int
    metrics_enabled: bool
    metrics_token: str = field(repr=False)
    metrics_public: bool
    log_level: str
    log_format: str
    problems: tuple[str, ...] = ()


def load(environ: Mapping[str, str]) -> Configuration:
    """Read every setting; wrong ones take their default and are told in `problems`."""
    values: dict[str, Any] = {}
    problems = _unknown(environ)
    for name, setting in SETTINGS.items():
        try:
            values[name] = _read(environ, setting)
        except ValueError as error:
            problems.append(str(error))
            values[name] = setting.parse(setting.default)
    if bool(values["access_key_id"]) != bool(values["secret_access_key"]):
        problems.append("S4_ACCESS_KEY_ID and S4_SECRET_ACCESS_KEY must be given together")
    if bool(values["tls_cert"]) != bool(values["tls_key"]):
        problems.append("S4_TLS_CERT and S4_TLS_KEY must be given together")
    if values["bind"].port == values["console_bind"].port != 0:  # the port tells the sides apart
        problems.append("S4_BIND and S4_CONSOLE_BIND must have different ports")
    if values["database_password"] and not lacks_password(values["database_url"]):
        problems.append(
            "S4_DATABASE_PASSWORD is for a PostgreSQL whose DATABASE_URL has no password"
        )
    return Configuration(**values, problems=tuple(problems))


def _read(environ: Mapping[str, str], setting: Setting) -> Any:
    """Read one setting; ValueError says in a line what is wrong with it."""
    variable, text = setting.variable, environ.get(setting.variable, setting.default)
    shown = "" if setting.is_secret else f" (it is {text!r})"
    if setting.file_variable in environ:
        variable, shown = setting.file_variable, ""
        if environ.get(setting.variable):
            raise ValueError(f"{setting.variable} and {variable} must not both be given")
        try:
            text = read_setting(environ[variable])
        except ValueError as error:
            raise ValueError(f"{variable} {error}") from error
        variable = f"{setting.variable} (of {variable})"
    try:
        return setting.parse(text)
    except ValueError as error:
        raise ValueError(f"{variable} {error}{shown}") from error


def _unknown(environ: Mapping[str, str]) -> list[str]:
    """Name the S4_* variables that mean nothing: a misspelt setting must not be ignored."""
    known = {setting.variable for setting in SETTINGS.values()}
    known |= {setting.file_variable for setting in SETTINGS.values()}
    return [
        f"{variable} is not a setting of S4"
        for variable in sorted(environ)
        if variable.startswith("S4_") and variable not in known
    ]


assert {row.name for row in fields(Configuration)} == {*SETTINGS, "problems"}
