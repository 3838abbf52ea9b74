"""S4's command line: `s4` of the installed package, and `manage.py` of a checkout."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Final

INTERRUPTED: Final = 128 + signal.SIGINT  # as the shell reports it
TERMINATED: Final = 128 + signal.SIGTERM
GARBAGE_OBJECTS: Final = 50_000  # made since, and the collector looks: modules are no garbage


def main() -> None:
    """Hand the command line to Django with S4's settings."""
    if sys.argv[1:2] == ["healthcheck"]:  # asked every few seconds: not with all of Django
        from s4project import healthcheck  # noqa: PLC0415  # for this command alone

        sys.exit(healthcheck.main(sys.argv[2:]))
    gc.set_threshold(GARBAGE_OBJECTS, *gc.get_threshold()[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "s4project.settings")
    if os.getpid() == 1:  # of a container: the kernel spares it every signal without a handler
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    from django.core.management import execute_from_command_line  # noqa: PLC0415  # settings first

    try:
        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # Of a process that ends, forked workers too: Python would look for garbage in all there is.
        gc.freeze()
