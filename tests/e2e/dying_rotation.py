"""`manage.py rotate_server_key`, killed by SIGKILL before the step whose number it is given.

A step is whatever the disk or the database would know of. Exit code 0: there was no such step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import django

django.setup()

# Django must be set up before what follows is imported.
from django.core.management import call_command  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.db.models import QuerySet  # noqa: E402

from iam.services import server_key  # noqa: E402
from s4project import store  # noqa: E402
from s4project.management.commands import rotate_server_key  # noqa: E402

STEPS: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in ("open", "fsync", "unlink", "replace")),
    (QuerySet, "bulk_update"),
    (server_key, "announce"),
    (BaseDatabaseWrapper, "_commit"),
)


class Countdown:
    """Counts steps, and ends the process instead of the last."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def guard(self, owner: Any, name: str) -> None:
        """Make a step of a call; opening a file is one where it makes the file."""
        call = getattr(owner, name)

        def step(*arguments: Any, **options: Any) -> Any:
            if name != "open" or arguments[1] & os.O_CREAT:
                self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        setattr(owner, name, step)


if __name__ == "__main__":
    store.prepare_store()
    countdown = Countdown(int(sys.argv[1]))
    replace = rotate_server_key.replace_server_key

    def guarded(*arguments: Any) -> int:
        """Replace the key; the count begins where the replacement does."""
        for owner, name in STEPS:
            countdown.guard(owner, name)
        return replace(*arguments)

    rotate_server_key.replace_server_key = guarded
    call_command("rotate_server_key")
