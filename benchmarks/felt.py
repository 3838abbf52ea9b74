"""How long the programs take that people use: a backup by restic, a directory copied by rclone.

Each is run as its manual says, against a fresh server; the files are made anew, no two alike.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import processes
import servers

if TYPE_CHECKING:
    from servers import Server

BACKUP_FILES, BACKUP_BYTES = 10_000, 10 << 10
SYNC_FILES, SYNC_BYTES = 50_000, 4 << 10
QUICK_SHARE = 100
FILES_A_DIRECTORY = 500
TRANSFERS = 16
BUCKET = "felt"
CLIENTS = servers.ROOT / ".clients" / "current" / "bin"
SAY_SECONDS = 10  # between two lines of a program that tell how far it is
WORDS_MAX = 20  # lines of a program that are remembered

Figures = dict[str, float]


class FeltError(Exception):
    """A program did not do its work."""


def measure(server: Server, directory: Path, *, is_quick: bool) -> dict[str, Figures]:
    """Time each program that is installed; answer its figures by what was done."""
    share = QUICK_SHARE if is_quick else 1
    backup, sync = BACKUP_FILES // share, SYNC_FILES // share
    server.demand("PUT", f"/{BUCKET}")
    found: dict[str, Figures] = {}
    if (restic := _program("restic")) is not None:
        source = _files(directory / "backup", backup, BACKUP_BYTES)
        found |= _restic(restic, server, directory, source)
        shutil.rmtree(source)
    if (rclone := _program("rclone")) is not None:
        source = _files(directory / "sync", sync, SYNC_BYTES)
        found |= _rclone(rclone, server, directory, source)
    return found


def _program(name: str) -> str | None:
    own = CLIENTS / name
    return str(own) if own.exists() else shutil.which(name)


def _files(directory: Path, count: int, size: int) -> Path:
    for number in range(count):
        place = directory / f"{number // FILES_A_DIRECTORY:04d}"
        if not number % FILES_A_DIRECTORY:
            place.mkdir(parents=True)
        (place / f"{number:06d}").write_bytes(os.urandom(size))
    return directory


def _count(directory: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(directory))


def _restic(program: str, server: Server, directory: Path, source: Path) -> dict[str, Figures]:
    environment = os.environ | {
        "RESTIC_REPOSITORY": f"s3:http://{servers.HOST}:{server.port}/{BUCKET}/restic",
        "RESTIC_PASSWORD": "bench",
        "RESTIC_CACHE_DIR": str(directory / "cache"),
        "RESTIC_PROGRESS_FPS": str(1 / SAY_SECONDS),
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": server.region,
    }
    count, target = _count(source), directory / "restored"
    files = f"{count:,} files of {BACKUP_BYTES >> 10} KiB"
    work = Work(server, environment, count)
    work.timed([program, "init", "--quiet"])
    found = {
        f"restic backup, {files}": work.timed([program, "backup", "."], source),
        f"restic restore, {files}": work.timed(
            [program, "restore", "latest", "--target", str(target)]
        ),
    }
    restored = _count(target)
    shutil.rmtree(target)
    if restored != count:
        raise FeltError(f"restic restored {restored} of {count} files from {server.name}")
    return found


def _rclone(program: str, server: Server, directory: Path, source: Path) -> dict[str, Figures]:
    environment = os.environ | {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENDPOINT": f"http://{servers.HOST}:{server.port}",
        "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": server.access_key,
        "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": server.secret_key,
        "RCLONE_CONFIG_BENCH_REGION": server.region,
        "RCLONE_CONFIG_BENCH_FORCE_PATH_STYLE": "true",
        "RCLONE_FAST_LIST": "true",
        "RCLONE_TRANSFERS": str(TRANSFERS),
        "RCLONE_CHECKERS": str(TRANSFERS),
        "RCLONE_STATS": f"{SAY_SECONDS}s",
        "RCLONE_STATS_ONE_LINE": "true",
        "RCLONE_STATS_LOG_LEVEL": "NOTICE",
    }
    count, target, remote = _count(source), directory / "copied", f"bench:{BUCKET}/rclone"
    files = f"{count:,} files of {SYNC_BYTES >> 10} KiB, {TRANSFERS} at a time"
    work = Work(server, environment, count)
    found = {
        f"rclone sync, {files}": work.timed([program, "sync", str(source), remote]),
        f"rclone sync again, {count:,} files, nothing changed": work.timed(
            [program, "sync", str(source), remote]
        ),
        f"rclone copy back, {files}": work.timed([program, "copy", remote, str(target)]),
    }
    copied = _count(target)
    shutil.rmtree(target)
    if copied != count:
        raise FeltError(f"rclone copied {copied} of {count} files back from {server.name}")
    return found


@dataclass(frozen=True, slots=True)
class Work:
    """What a program is run for: against which server, with what set, over how many files."""

    server: Server
    environment: dict[str, str]
    files: int

    def timed(self, command: list[str], directory: Path | None = None) -> Figures:
        """Run a program and show how far it is; its server is at rest when it begins."""
        name = f"{Path(command[0]).name} {command[1]}"
        is_rested = processes.rest([self.server.pid])
        before, began = processes.cost(self.server.pid), time.perf_counter()
        words: deque[str] = deque(maxlen=WORDS_MAX)
        with subprocess.Popen(
            command,
            cwd=directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in filter(None, map(str.strip, process.stdout)):
                words.append(line)
                seconds = time.perf_counter() - began
                print(f"  {name}, {seconds:.0f} s: {line}", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - began
        if process.returncode:
            raise FeltError(f"{name}: {words[-1] if words else 'failed'}")
        spent = processes.cost(self.server.pid).since(before)
        return {
            "seconds": round(seconds, 2),
            "files_per_second": round(self.files / seconds, 1),
            "cpu_seconds": round(spent.cpu_seconds, 2),
            "unrested": float(not is_rested),
        }
