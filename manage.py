#!/usr/bin/env python3
"""S4's command line: `manage.py serve` runs the store, `manage.py help` lists the rest."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 128 + signal.SIGINT  # as the shell reports it


def main() -> None:
    """Hand the command line to Django with S4's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s4project.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  # settings first

    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
