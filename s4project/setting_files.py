"""Settings that a file holds: S4_ROOT_PASSWORD_FILE for S4_ROOT_PASSWORD, as containers do secrets.

Knows nothing of Django, nor which settings there are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIX: Final = "_FILE"
BYTES_MAX: Final = 65_536  # no secret is as long; a disk that is named by mistake is not read


def read_setting(name: str) -> str:
    """Read the text of a file, without the end of its line; ValueError says why that cannot be."""
    path = Path(name)
    try:
        if path.exists() and not path.is_file():  # a pipe would be empty for the next process
            raise ValueError(f"must name a regular file (it is {name!r})")
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1).decode()
    except OSError as error:
        raise ValueError(f"must name a file that can be read: {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"must name a file with text: {name} is not UTF-8") from error
    if len(text) > BYTES_MAX:
        raise ValueError(f"must name a file with one value: {name} is too large")
    text = text.rstrip("\r\n")
    if not text:
        raise ValueError(f"must name a file with a value: {name} is empty")
    return text
