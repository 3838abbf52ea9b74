"""What S4's command line is called here, so that advice can be pasted as it is written.

`s4` where the wheel's command was typed, `manage.py` in a checkout. Knows only the command line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

INSTALLED: Final = "s4"
PROGRAM: Final = INSTALLED if Path(*sys.argv[:1]).name == INSTALLED else "manage.py"


def command(words: str) -> str:
    """Write a command as advice names it, between backticks."""
    return f"`{PROGRAM} {words}`"
