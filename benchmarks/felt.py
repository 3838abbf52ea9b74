"""How long the programs take that people use: a backup by restic, a directory copied by rclone.

Each is run as its manual says, against a fresh server; the files are made anew, no two alike.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

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
SECONDS_MAX = 3600


class FeltError(Exception):
    """A program did not do its work."""


def measure(server: Server, directory: Path, *, is_quick: bool) -> dict[str, float]:
    """Time each program that is installed; answer seconds by what was done."""
    share = QUICK_SHARE if is_quick else 1
    backup, sync = BACKUP_FILES // share, SYNC_FILES // share
    server.demand("PUT", f"/{BUCKET}")
    found: dict[str, float] = {}
    if (restic := _program("restic")) is not None:
        source = _files(directory / "backup", backup, BACKUP_BYTES)
        found |= _restic(restic, server, directory, source)
        shutil.rmtree(source)
    if (rclone := _program("rclone")) is not None:
        source = _files(directory / "sync", sync, SYNC_BYTES)
        found |= _rclone(rclone, server, source, sync)
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


def _restic(program: str, server: Server, directory: Path, source: Path) -> dict[str, float]:
    environment = os.environ | {
        "RESTIC_REPOSITORY": f"s3:http://{servers.HOST}:{server.port}/{BUCKET}/restic",
        "RESTIC_PASSWORD": "bench",
        "RESTIC_CACHE_DIR": str(directory / "cache"),
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": server.region,
    }
    count = sum(len(names) for _, _, names in os.walk(source))
    target = directory / "restored"
    _timed([program, "init", "--quiet"], environment)
    files = f"{count:,} files of {BACKUP_BYTES >> 10} KiB"
    found = {
        f"restic backup, {files}": _timed([program, "backup", "--quiet", "."], environment, source),
        f"restic restore, {files}": _timed(
            [program, "restore", "latest", "--quiet", "--target", str(target)], environment
        ),
    }
    restored = sum(len(names) for _, _, names in os.walk(target))
    shutil.rmtree(target)
    if restored != count:
        raise FeltError(f"restic restored {restored} of {count} files from {server.name}")
    return found


def _rclone(program: str, server: Server, source: Path, count: int) -> dict[str, float]:
    environment = os.environ | {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENDPOINT": f"http://{servers.HOST}:{server.port}",
        "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID": server.access_key,
        "RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY": server.secret_key,
        "RCLONE_CONFIG_BENCH_REGION": server.region,
        "RCLONE_CONFIG_BENCH_FORCE_PATH_STYLE": "true",
    }
    command = [program, "sync", str(source), f"bench:{BUCKET}/rclone", "--fast-list"]
    command += ["--transfers", str(TRANSFERS), "--checkers", str(TRANSFERS)]
    files = f"{count:,} files of {SYNC_BYTES >> 10} KiB, {TRANSFERS} at a time"
    return {
        f"rclone sync, {files}": _timed(command, environment),
        "rclone sync again, nothing changed": _timed(command, environment),
    }


def _timed(command: list[str], environment: dict[str, str], directory: Path | None = None) -> float:
    began = time.perf_counter()
    outcome = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if outcome.returncode:
        words = (outcome.stderr or outcome.stdout).strip().splitlines()
        raise FeltError(f"{Path(command[0]).name} {command[1]}: {words[-1] if words else 'failed'}")
    return round(time.perf_counter() - began, 2)
