"""Where the files are that S4 reads and that are no code: templates, changelog, lock file.

In a checkout they stand at its top; in an installed wheel within this package, where shipping.py
has put them. Knows no Django.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
CHECKOUT: Final = PACKAGE.parent
SHIPPED: Final = PACKAGE / "shipped"


def is_installed() -> bool:
    """Tell whether this is an installed wheel, and no checkout."""
    return SHIPPED.is_dir()


def shipped_directory() -> Path:
    """Name the directory that the files are in."""
    return SHIPPED if is_installed() else CHECKOUT
