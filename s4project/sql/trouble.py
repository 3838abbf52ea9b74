"""What of SQL's errors means that it cannot be asked now, and what means that S4 is wrong.

The first is nobody's fault who asks: 503, and later again. The second is a bug.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TypeVar

from django.db import DatabaseError, Error, InterfaceError, OperationalError

from s3api.errors import S3Error

if TYPE_CHECKING:
    from django.http import HttpResponse

Answer = TypeVar("Answer", bound="HttpResponse")

RETRY_SECONDS: Final = 5
# PostgreSQL: a standby refuses writes, or there is no schema yet where a backup is being restored.
STATES: Final = frozenset({"25006", "42P01", "3F000"})
# SQLite's own, which are of no kind: the file was damaged, or something else was put in its place.
DAMAGED: Final = ("malformed", "not a database")


def is_away(error: BaseException | None) -> bool:
    """Tell whether an error says that SQL does not answer now, or refuses everything."""
    if isinstance(error, S3Error):
        return error.code == "ServiceUnavailable"
    if isinstance(error, OperationalError | InterfaceError):
        return True
    if not isinstance(error, Error):
        return False
    if getattr(error.__cause__, "sqlstate", None) in STATES:
        return True
    return type(error) is DatabaseError and any(word in str(error) for word in DAMAGED)


def is_told(response: Answer) -> Answer:
    """Keep Django from logging a 503: one line tells of an outage, not one for each page."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001  # its own mark
    return response


def is_away_now() -> bool:
    """Tell it of the error that is being handled."""
    return is_away(sys.exception())
