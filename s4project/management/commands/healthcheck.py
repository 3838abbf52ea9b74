"""`manage.py healthcheck`: asks a running S4 how it is.

`manage.py` itself goes to `s4project.healthcheck` before Django is set up; this is its place among
the commands, and what `call_command` finds.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from s4project import healthcheck

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Asks a running S4 how it is, for containers; exit code 0: well, 1: not."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        healthcheck.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        bind, is_live = options["console_bind"], options["live"]
        sys.exit(healthcheck.run(os.environ, console_bind=bind, is_live=is_live))
