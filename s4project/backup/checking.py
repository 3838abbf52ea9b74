"""Reading backups again: is every file there, and as it was written?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from s4project.backup.catalogue import (
    MANIFEST,
    TARGET_MARKER,
    UNFINISHED,
    Manifest,
    TargetError,
    TargetMarker,
    backups,
    read_json,
)
from s4project.backup.database import SQLITE_NAME, is_sound
from s4project.backup.files import checksum
from storage_engine.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(slots=True)
class Finding:
    """What reading backups came to."""

    backups: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    is_unfinished: bool = False  # there is one besides that was cut off


def check(
    root: Path,
    bytes_per_second: int,
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> Finding:
    """Read every backup of a target, or one that is named; TargetError, Stopped.

    What several of them share is read once. A copy of a backup, put somewhere else, is one too.
    """
    found = Finding()
    if (root / MANIFEST).is_file():
        paths = [root]
    else:
        if not (root / TARGET_MARKER).is_file():
            raise TargetError(f"{root} is no place of backups, and no backup")
        read_json(root / TARGET_MARKER, TargetMarker)
        paths = backups(root)
        found.is_unfinished = (root / UNFINISHED).is_dir()
        if not paths:
            found.problems.append(f"there is no whole backup in {root}")
    manifests = {path: read_json(path / MANIFEST, Manifest) for path in paths}
    pace = Pace(bytes_per_second, should_stop)
    total = sum(file.size for manifest in manifests.values() for file in manifest.files)
    seen: dict[tuple[int, int], tuple[int, int]] = {}
    done = 0
    for path, manifest in manifests.items():
        found.backups.append(path.name)
        found.problems += [f"{path.name}, as it was made: {text}" for text in manifest.problems]
        for file in manifest.files:
            problem = _problem(path / file.name, (file.size, file.crc32c), seen, pace)
            if problem is None and file.name == SQLITE_NAME and not is_sound(path / file.name):
                problem = "is no whole SQLite database"
            if problem is not None:
                found.problems.append(f"{path.name}/{file.name} {problem}")
            done += file.size
            progress(done, total)
            found.files += 1
    found.bytes = done
    return found


def _problem(
    path: Path, expected: tuple[int, int], seen: dict[tuple[int, int], tuple[int, int]], pace: Pace
) -> str | None:
    """Say what is wrong with a file."""
    try:
        status = path.stat()
        identity = status.st_dev, status.st_ino
        if identity not in seen:
            seen[identity] = checksum(path, pace)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    size, crc = seen[identity]
    if size != expected[0]:
        return f"has {size:,} bytes instead of {expected[0]:,}"
    return None if crc == expected[1] else "is damaged: its checksum differs"
