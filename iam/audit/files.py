"""The audit log as a file of JSON lines that rotates, written by every process of S4.

A lock beside the file lets one process write at a time, and each sees when another rotated it.
What cannot be written (a full disk) is told to the ordinary log; the table has it in any case.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import structlog
from concurrent_log_handler import ConcurrentRotatingFileHandler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

log = structlog.get_logger(__name__)
OWNER_ONLY: Final = 0o600


class AuditFile(ConcurrentRotatingFileHandler):
    """The file, as the standard library's logging has files; open for one batch of entries.

    Who kept it open while idle, or from before a fork, would keep a file that was put aside, and
    later deleted, on the disk.
    """

    def __init__(self, path: Path, bytes_max: int, older_files: int) -> None:
        """Get ready to write; OSError when its directory cannot be made."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(
            path,
            maxBytes=bytes_max,
            backupCount=older_files,
            encoding="ascii",
            newline="\n",
            chmod=OWNER_ONLY,
        )

    def write(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Append a line for each entry."""
        for entry in entries:
            line = json.dumps(entry, separators=(",", ":"))
            self.handle(logging.makeLogRecord({"msg": line}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Tell that a line could not be written."""
        del record
        error = sys.exception()
        log.error(
            "An audit entry could not be written to the file; it stands in the table",
            path=self.baseFilename,
            error=str(error),
        )
