"""How long the server has been up: since its main process began, whatever became of its workers."""

from __future__ import annotations

import time
from typing import Final

BEGAN: Final = time.monotonic()  # imported before the workers are forked, and inherited by them


def uptime_seconds() -> int:
    """Return for how many seconds the server has been running."""
    return int(time.monotonic() - BEGAN)
