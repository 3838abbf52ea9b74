"""`manage.py backup`: the whole store onto another disk, while the server runs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from s4project.backup.catalogue import TargetError, opened
from s4project.backup.checking import check
from s4project.backup.database import kind_of
from s4project.backup.making import Order, make
from s4project.care_command import Answer, CareCommand, RefusedError, asked_to_stop
from s4project.setting_values import whole_number
from storage_engine.disk import FULL_CODES
from storage_engine.layout import existing
from storage_engine.pace import Stopped

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from s4project.backup.making import Report
    from s4project.progress import Progress
    from storage_engine import StorageEngine

STOPPED = "it was stopped, and made no backup: run it again, it goes on with what it has copied"


class Command(CareCommand):
    help = (
        "Copies the whole store into DIRECTORY, which must exist, as a data directory of its own "
        "named after the time. The server may be running. Volumes that an earlier backup there "
        "has already are not copied again. May be killed at any moment: earlier backups stay "
        "whole. With --verify it reads the backups of DIRECTORY against their checksums instead."
    )
    counts = "bytes"
    has_rate = True
    ends_in_order = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("directory", metavar="DIRECTORY", type=Path)
        parser.add_argument(
            "--keep", metavar="N", type=count, default=7, help="backups kept (default: 7)"
        )
        parser.add_argument(
            "--verify", action="store_true", help="read what is there, and copy nothing"
        )
        parser.add_argument("--no-database", action="store_true", help="leave out the SQL database")

    def run(self, options: dict[str, Any], progress: Progress) -> Answer:
        try:
            if options["verify"]:
                with asked_to_stop() as should_stop:
                    return verified(options, progress, should_stop)
            return super().run(options, progress)
        except Stopped:
            return Answer({}, [], [STOPPED], is_complete=False)
        except TargetError as error:
            raise RefusedError(str(error)) from error
        except OSError as error:
            if error.errno not in FULL_CODES:
                raise
            raise RefusedError(f"{options['directory']} has no room for another backup") from error

    def work(
        self,
        engine: StorageEngine,
        options: dict[str, Any],
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> Answer:
        data, database = settings.S4.data_dir, settings.DATABASES["default"]
        place = existing(data)
        assert place is not None, "it is open"
        sql = kind_of(database, is_wanted=not options["no_database"])
        with opened(options["directory"], data, place.store_id.hex()) as target:
            rate, kept = options["rate"], options["keep"]
            order = Order(data, database, sql, rate, kept, progress, should_stop)
            report = make(engine, target, order)
        figures = asdict(report) | {"path": str(report.path), "sql": sql}
        figures["is_same_disk"] = options["directory"].stat().st_dev == data.stat().st_dev
        said = lines(report)
        if figures["is_same_disk"]:
            said.append("It lies on the disk of the data directory, and is lost with it.")
        return Answer(figures, said, report.problems)


def count(text: str) -> int:
    """Read how many are kept."""
    try:
        return whole_number(1, 10_000)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def lines(report: Report) -> list[str]:
    """Say what was made."""
    bytes_ = f"{report.copied_bytes:,} bytes copied, {report.linked_bytes:,} there already"
    said = [f"{report.path}: {report.files} files, {bytes_}."]
    if report.removed:
        said.append(f"{report.removed} older backups removed.")
    return said


def verified(
    options: dict[str, Any], progress: Progress, should_stop: Callable[[], bool]
) -> Answer:
    """Read what is in a target."""
    found = check(options["directory"], options["rate"], progress, should_stop)
    said = [f"{len(found.backups)} backups, {found.files} files, {found.bytes:,} bytes read."]
    if found.is_unfinished:
        said.append("Another one was cut off, or is being made: it does not count.")
    return Answer(asdict(found), said, found.problems)
