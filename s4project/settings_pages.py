"""The pages of Settings: which are in force and where each came from; which S4 this is.

No secret is shown: only whether there is one.
"""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import lmdb
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from iam.sizes import exact_size_text
from s4project.changelog import read_changelog
from s4project.configuration import load
from s4project.operations import for_superusers, show
from s4project.setting_table import SETTINGS
from s4project.setting_values import parse_flag, parse_size
from s4project.task_words import duration
from s4project.uptime import uptime_seconds
from storage_engine import FORMAT_VERSION
from storage_engine.program import command

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from s4project.setting_table import Setting

UNSET_SECRETS: Final = {  # what takes the place of a secret that was not given
    "jwt_secret": "server.key",
    "root_password": "first start",
    "secret_access_key": "first start",
}
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
LICENCE_CHARACTERS_MAX: Final = 60
CLASSIFIER: Final = "License :: OSI Approved :: "


class SettingRow(NamedTuple):
    """A setting as the page shows it."""

    variable: str
    value: str
    source: str
    default: str
    meaning: str
    is_given: bool


class Package(NamedTuple):
    """What S4 runs on: a package, its version and its licence."""

    name: str
    version: str
    licence: str


# --- in force -----------------------------------------------------------------------------------


@for_superusers
def in_force_page(request: HttpRequest) -> HttpResponse:
    """Show the settings that this process runs with."""
    rows = setting_rows()
    context = {
        "given": [row for row in rows if row.is_given],
        "defaults": [row for row in rows if not row.is_given],
        "uptime": duration(uptime_seconds()),
    }
    return show(request, "settings", _("Settings in force"), context)


def setting_rows() -> list[SettingRow]:
    """Put every setting into words, with where it came from."""
    from_environment = load(os.environ)
    rows = []
    for name, setting in SETTINGS.items():
        value = getattr(settings.S4, name)
        is_set = {setting.variable, setting.file_variable} & os.environ.keys()
        is_option = value != getattr(from_environment, name)
        rows.append(
            SettingRow(
                setting.variable,
                _shown(setting, value),
                _source(name, setting, value, is_set=bool(is_set), is_option=is_option),
                "" if setting.is_secret else setting.default or _("empty"),
                setting.meaning,
                bool(is_set) or is_option,
            )
        )
    return rows


def _shown(setting: Setting, value: Any) -> str:
    """Write a value; of a secret only whether there is one."""
    if setting.is_secret:
        return _("set, not shown") if value else _("not set")
    if value in {None, ""} or value == ():
        return _("none")
    if setting.parse is parse_flag:
        return _("yes") if value else _("no")
    if setting.parse is parse_size:
        return exact_size_text(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return ", ".join(map(str, value))
    return str(value)


def _source(name: str, setting: Setting, value: Any, *, is_set: bool, is_option: bool) -> str:
    if path := os.environ.get(setting.file_variable):
        return _("file %(path)s") % {"path": path}
    if is_option:
        return _("option of %(serve)s, or the port that was free") % {"serve": command("serve")}
    if is_set:
        return _("environment")
    if setting.is_secret and not value and name in UNSET_SECRETS:
        made = UNSET_SECRETS[name]
        return _("file server.key") if made == "server.key" else _("made at the first start")
    return _("default")


# --- version ------------------------------------------------------------------------------------


@for_superusers
def version_page(request: HttpRequest) -> HttpResponse:
    """Show which S4 this is, what it runs on, what has changed, and by which licences."""
    context = {
        "facts": version_facts(),
        "releases": read_changelog(settings.SHIPPED_DIR / "CHANGELOG.md"),
        "packages": packages(),
    }
    return show(request, "version", _("Version"), context)


def version_facts() -> list[tuple[str, str]]:
    """Tell what S4 and everything below it is."""
    return [
        ("S4", s4_version()),
        (_("Format of the store"), str(FORMAT_VERSION)),
        (_("Up for"), duration(uptime_seconds())),
        (_("Data directory"), str(settings.S4.data_dir)),
        (_("Database"), _database()),
        ("LMDB", ".".join(map(str, lmdb.version()))),
        ("Python", platform.python_version()),
        (_("System"), f"{platform.system()} {platform.release()}, {platform.machine()}"),
        (_("Processors"), str(os.cpu_count() or 1)),
        (_("Licence"), "Apache-2.0"),
    ]


@cache
def s4_version() -> str:
    """Name the version: of the installed package, else of the source it runs from."""
    try:
        return metadata.version("s4")
    except metadata.PackageNotFoundError:
        project = settings.BASE_DIR / "pyproject.toml"
        text = project.read_text(encoding="utf-8") if project.exists() else ""
        found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
        return found[1] if found else _("unknown")


def _database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"


@cache
def packages() -> list[Package]:
    """List what S4 runs on, by the lock file of its runtime."""
    lock = settings.SHIPPED_DIR / "requirements-runtime.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    found = []
    for name, version in PIN.findall(text):
        try:
            told = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # of another system
        found.append(Package(told["Name"], told["Version"] or version, _licence(told)))
    return found


def _licence(told: metadata.PackageMetadata) -> str:
    """Read a licence from where packages of different ages say it."""
    for said in (*(told.get_all("License-Expression") or []), *(told.get_all("License") or [])):
        if len(said) <= LICENCE_CHARACTERS_MAX and "\n" not in said:
            return str(said)
    classes = told.get_all("Classifier") or []
    named = [text.removeprefix(CLASSIFIER) for text in classes if text.startswith(CLASSIFIER)]
    return ", ".join(named) or _("see the package")
