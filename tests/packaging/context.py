"""What Docker would send to a build: the tracked files that .dockerignore does not leave out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def tracked() -> list[str]:
    """List the files of the repository, new ones too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def _expression(pattern: str) -> str:
    """Write a pattern of .dockerignore as a regular expression for a file at it or below it."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    return "".join(parts.get(word, re.escape(word)) for word in words) + "(?:/.*)?"


def is_sent(name: str) -> bool:
    """Tell whether a file belongs to the context: the last pattern that fits it decides."""
    answer = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            negated = pattern.startswith("!")
            if re.fullmatch(_expression(pattern.removeprefix("!")), name):
                answer = negated
    return answer


def copy_context(target: Path) -> Path:
    """Copy the context into a directory."""
    for name in filter(is_sent, tracked()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target
