"""Making a backup, step by step; FORMAT.md and docs/backup.md say why in this order.

What was copied for a backup that was cut off is gone on with: a file counts as copied once it is
durable and stands in a list of its own.
"""

from __future__ import annotations

import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from s4project.backup.catalogue import (
    MANIFEST,
    File,
    Manifest,
    Target,
    read_json,
    sync_directory,
    write_json,
)
from s4project.backup.database import DUMP_NAME, SQLITE_NAME, copy_database
from s4project.backup.files import checksum, copy_file, covers, link
from s4project.store import exclusive
from storage_engine.layout import MARKER, NEW_MARKER, PARTS, VOLUMES
from storage_engine.pace import Pace, ignore, never
from storage_engine.record import VOLUME_HEADER_BYTES

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from storage_engine import StorageEngine
    from storage_engine.copying import CopiedVolume, Copying

COPIED: Final = "copied.jsonl"
ROOM_SHARE: Final = 0.75  # a volume that lost more than a quarter is copied again: room comes back
STAT_BLOCK_BYTES: Final = 512
# Made anew by each process that needs it, or copied in its own way.
LEFT_OUT: Final = frozenset(
    {"prepare.lock", "serve.lock", "jobs.lock", MARKER, NEW_MARKER, MANIFEST}
    | {DUMP_NAME, "metrics"}
)
SQLITE_ENDS: Final = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Order:
    """What to back up, and how. `progress` is told (bytes of volumes done, bytes in all)."""

    data: Path
    database: Mapping[str, Any]
    sql: str
    bytes_per_second: int = 0
    kept: int = 7
    progress: Callable[[int, int], None] = ignore
    should_stop: Callable[[], bool] = never


@dataclass(slots=True)
class Report:
    """What came of it."""

    path: Path
    position: int = 0
    files: int = 0
    copied_bytes: int = 0
    linked_bytes: int = 0
    removed: int = 0  # older backups
    problems: list[str] = field(default_factory=list)


def make(engine: StorageEngine, target: Target, order: Order) -> Report:
    """Make a backup; Stopped, EngineError, TargetError, OSError: then there is no new one."""
    return _Making(target, order).run(engine)


class _Making:
    """One backup under way."""

    def __init__(self, target: Target, order: Order) -> None:
        self._target = target
        self._order = order
        self._place = target.unfinished
        self._pace = Pace(order.bytes_per_second, order.should_stop)
        self._report = Report(self._place)
        self._files: list[File] = []
        self._known = self._earlier()
        self._done = self._total = 0

    def run(self, engine: StorageEngine) -> Report:
        started = datetime.now(UTC)
        self._begin()
        with engine.copying() as copying:
            copying.copy_index(self._place, ignore, self._order.should_stop)
            with exclusive(self._order.data / "prepare.lock"):  # nobody replaces the server key
                self._report.position = copying.settle()
                copy_database(self._order.database, self._order.sql, self._place)
                self._copy_small()
            copying.copy_journal(self._place)
            self._copy_volumes(copying)
            self._report.problems += [
                f"volume {volume_id} is missing" for volume_id in copying.missing
            ]
            copying.copy_marker(self._place)
            store_id = copying.store_id.hex()
        for path in self._others():
            size, crc = checksum(path, self._pace)
            self._report.copied_bytes += _room(path.stat())
            self._files.append(File(name=str(path.relative_to(self._place)), size=size, crc32c=crc))
        return self._end(started, store_id)

    # --- begin and end -------------------------------------------------------------------------

    def _earlier(self) -> dict[str, tuple[Path, File]]:
        """Return the volumes that were copied before, by name: of the newest backup, and since."""
        known: dict[str, tuple[Path, File]] = {}
        for path in self._target.backups()[-1:]:
            for file in read_json(path / MANIFEST, Manifest).files:
                known[file.name] = (path / file.name, file)
        if (self._place / COPIED).is_file():
            for line in (self._place / COPIED).read_bytes().splitlines():
                try:
                    file = msgspec.json.decode(line, type=File)
                except msgspec.MsgspecError:
                    continue  # the last line of what was cut off
                known[file.name] = (self._place / file.name, file)
        return known

    def _begin(self) -> None:
        """Clear away what was cut off, but for the volumes that were copied whole."""
        self._place.mkdir(mode=0o700, exist_ok=True)
        for path in self._place.iterdir():
            if path.name == VOLUMES:
                continue
            if path.name != COPIED:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        volumes = self._place / VOLUMES
        volumes.mkdir(mode=0o700, exist_ok=True)
        for path in volumes.iterdir():
            known = self._known.get(f"{VOLUMES}/{path.name}")
            if known is None or known[0] != path:
                path.unlink()

    def _end(self, started: datetime, store_id: str) -> Report:
        """Make everything durable, then whole."""
        report, finished = self._report, datetime.now(UTC)
        manifest = Manifest(
            store_id=store_id,
            started=started.isoformat(timespec="seconds"),
            finished=finished.isoformat(timespec="seconds"),
            position=report.position,
            sql=self._order.sql,
            problems=report.problems,
            files=self._files,
        )
        (self._place / COPIED).unlink(missing_ok=True)
        for path in self._place.rglob("*"):
            if path.is_dir():
                sync_directory(path)
        sync_directory(self._place)
        write_json(self._place / MANIFEST, manifest)
        report.path = self._target.finish(started.strftime("%Y%m%dT%H%M%SZ"))
        report.files = len(self._files)
        if not report.problems:  # or the last that has everything might go
            report.removed = self._target.prune(self._order.kept)
        return report

    # --- what is copied ------------------------------------------------------------------------

    def _copy_small(self) -> None:
        """Copy what else lies in the data directory: keys, figures over time."""
        databases = (self._order.data / SQLITE_NAME, Path(self._order.database["NAME"]))
        apart = {f"{path.resolve()}{end}" for path in databases for end in SQLITE_ENDS}
        for path in _regular_files(self._order.data):
            if str(path.resolve()) in apart:
                continue  # torn, if it were copied like that
            target = self._place / path.relative_to(self._order.data)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # renamed meanwhile, as a log is
                mode = stat.S_IMODE(path.stat().st_mode)
                copy_file(path, target, self._pace)
                target.chmod(mode)

    def _others(self) -> Iterator[Path]:
        """Yield every file of the copy that has no line in the list yet."""
        for path in sorted(self._place.rglob("*")):
            is_listed = path.parent.name == VOLUMES or path.name == COPIED
            if path.is_file() and not is_listed:
                yield path

    def _copy_volumes(self, copying: Copying) -> None:
        """Copy or link every volume; what was copied for nothing goes."""
        volumes = copying.volumes()
        self._total = sum(_room(volume.path.stat()) for volume in volumes)
        with (self._place / COPIED).open("ab", buffering=0) as copied:
            for volume in volumes:
                room = _room(volume.path.stat())
                file = self._take(volume)
                copied.write(msgspec.json.encode(file) + b"\n")
                self._files.append(file)
                self._done += room
                self._order.progress(self._done, self._total)
        wanted = {volume.path.name for volume in volumes}
        for path in (self._place / VOLUMES).iterdir():
            if path.name not in wanted:
                path.unlink()

    def _take(self, volume: CopiedVolume) -> File:
        """Take a volume over from before, or copy it."""
        name = f"{VOLUMES}/{volume.path.name}"
        target, known = self._place / name, self._known.get(name)
        status = volume.path.stat()  # before its bytes: what comes after is seen as later
        is_there = known is not None and _is_same(volume, status, *known)
        if known is not None and is_there and (known[0] == target or link(known[0], target)):
            self._report.linked_bytes += known[1].size
            return known[1]
        size, crc, data_bytes = copy_file(volume.path, target, self._pace)
        self._report.copied_bytes += data_bytes
        return File(
            name=name,
            size=size,
            crc32c=crc,
            is_sealed=volume.is_sealed,
            inode=status.st_ino,
            modified_ns=status.st_mtime_ns,
            room=_room(status),
        )


def _is_same(volume: CopiedVolume, now: os.stat_result, old: Path, file: File) -> bool:
    """Tell whether a copy from before still has all that a volume has."""
    if not file.is_sealed or (file.inode, file.size) != (now.st_ino, now.st_size):
        return False
    if now.st_mtime_ns < file.modified_ns or _room(now) < ROOM_SHARE * file.room:
        return False
    try:
        if old.stat().st_size != file.size:
            return False
        return now.st_mtime_ns == file.modified_ns or covers(old, volume.path, VOLUME_HEADER_BYTES)
    except FileNotFoundError:
        return False


def _regular_files(data: Path) -> Iterator[Path]:
    """Yield the files of a data directory that are no part of the engine's, nor locks or doors."""
    for path in sorted(data.rglob("*")):
        first = path.relative_to(data).parts[0]
        if first in PARTS or first in LEFT_OUT or ".damaged-" in first or first == "index.new":
            continue
        if path.is_file():
            yield path


def _room(status: os.stat_result) -> int:
    return status.st_blocks * STAT_BLOCK_BYTES
