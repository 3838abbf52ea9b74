"""What the commands that run S4's processes have in common: settings first, then the log.

Wrong settings end such a command with one line each and code 2, a store of a newer S4 with one line
and code 2; whatever else keeps S4 from starting, with one line and code 1.
"""

from __future__ import annotations

import os
import select
import shlex
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError

from iam.errors import IdentityError
from iam.sealing import SealingError
from s4project import logs
from s4project.machine import MachineError, demand_directory, demand_files, doubts
from s4project.processes import LockedError
from s4project.setting_table import DAY_SECONDS
from storage_engine.errors import EngineError, NewerStore

if TYPE_CHECKING:
    from iam.services import FirstStart
    from s4project.setting_values import Address

log = structlog.get_logger(__name__)

EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # recognised, not bound
OBSTACLES: Final = (
    DatabaseError,
    EngineError,
    IdentityError,
    MachineError,
    OSError,
    SealingError,
)


class ProcessCommand(BaseCommand):
    """A command that is one of S4's processes; subclasses define `start`."""

    requires_system_checks = ()  # the settings are checked below, in plain lines

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the settings, set up the log and start."""
        del args
        if settings.S4.problems:
            self.give_up(2, *settings.S4.problems)
        logs.configure(settings.S4.log_level, settings.S4.log_format)
        if (seconds := settings.S4.lifecycle_day_seconds) < DAY_SECONDS:
            log.warning(
                "A day of lifecycle rules is shorter than a day: objects go early",
                setting="S4_LIFECYCLE_DAY_SECONDS",
                seconds=seconds,
            )
        try:
            files = demand_files()
            demand_directory(settings.S4.data_dir)
            for doubt, facts in doubts(settings.S4.data_dir, files):
                log.warning(doubt, **facts)
            self.start(**options)
        except LockedError as error:
            holder = f" ({error.holder})" if error.holder else ""
            self.give_up(1, f"S4 already runs on {settings.S4.data_dir}{holder}")
        except NewerStore as error:
            self.give_up(2, f"S4 cannot start: {error}")
        except OBSTACLES as error:
            self.give_up(1, f"S4 cannot start: {error}")

    def start(self, **options: Any) -> None:
        """Be the process."""
        raise NotImplementedError

    def give_up(self, code: int, *lines: str) -> NoReturn:
        """End the command with a line for each reason."""
        for line in lines:
            self.stderr.write(" ".join(line.split()))
        sys.exit(code)

    def say(self, *lines: str) -> None:
        """Write lines for whoever started the process."""
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def say_without_waiting(line: str) -> None:
    """Write a short line for whoever started the process, unless a pipe nobody reads is full."""
    descriptor = sys.stdout.fileno()
    _, ready, _ = select.select([], [descriptor], [], 0)  # room for a page of bytes, where it is
    if ready:
        with suppress(OSError):
            os.write(descriptor, f"{line}\n".encode())


def url(address: Address, public_url: str = "") -> str:
    """Write the URL under which a listening address is reached from this machine."""
    host = "localhost" if address.host in EVERY_ADDRESS else address.host
    scheme = "https" if settings.S4.tls_cert else "http"
    return public_url or f"{scheme}://{address._replace(host=host)}"


def welcome(first: FirstStart) -> list[str]:
    """Tell a newcomer, once, how to log in and what to paste for the AWS CLI."""
    if not first.created:
        return []
    password = first.generated_password or "(as you have set it)"
    pairs = {
        "aws_access_key_id": first.access_key,
        "aws_secret_access_key": first.generated_secret,
        "region": settings.S4.region,
        "endpoint_url": url(settings.S4.bind, settings.S4.public_url),
    }
    commands = [
        f"  aws configure set {name} {shlex.quote(value)} --profile s4"
        for name, value in pairs.items()
        if value
    ]
    return [
        "",
        "This is the first start. What is secret here is not shown again.",
        "For the console:",
        f"  user        {first.username}",
        f"  password    {password}",
        "For the AWS CLI:",
        *commands,
        "  aws s3 ls --profile s4",
        "",
    ]
