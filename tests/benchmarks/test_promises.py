"""What is on the disk when S4 answers, as the kernel sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def counted(files: str) -> dict[str, int]:
    """Read how often what was synced."""
    found = re.findall(r"(\d+) fdatasync (journal|volumes)/\*\.(?:segment|volume)", files)
    return {part: int(count) for count, part in found}


@pytest.mark.e2e
@pytest.mark.skipif(
    shutil.which("strace") is None and not os.environ.get("CI"), reason="apt install strace"
)
def test_no_answer_comes_before_its_sync(tmp_path: Path) -> None:
    """The journal is synced for each PUT and DELETE that comes alone, a volume for each payload."""
    outcome = subprocess.run(
        [sys.executable, "benchmarks/promises.py", "--directory", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr or outcome.stdout
    found = re.findall(r"^(\w+) of ([\d,]+) bytes +(.+)\n +(.+)$", outcome.stdout, re.MULTILINE)
    assert [each[:3] for each in found] == [
        ("PUT", "1,024", "20 of 20 answers after a sync"),
        ("PUT", "65,536", "20 of 20 answers after a sync"),
        ("PUT", "2,097,152", "20 of 20 answers after a sync"),
        ("DELETE", "1,024", "20 of 20 answers after a sync"),
    ]
    counts = [counted(each[3]) for each in found]
    assert all(count["journal"] >= 20 for count in counts)
    assert [count.get("volumes", 0) for count in counts] == [0, 20, 20, 0]
    assert list(tmp_path.iterdir()) == []
