"""The measurement of growth as its users run it, with few objects, and the page made of figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def growth(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "benchmarks/growth.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.skipif("S4_TEST_LONG" not in os.environ, reason="S4_TEST_LONG: make test-long")
def test_every_case_is_compared(tmp_path: Path) -> None:
    """Objects, buckets, users, statements and connections are compared, and nothing is left."""
    report, directory = tmp_path / "growth.json", tmp_path / "fresh"
    directory.mkdir()
    outcome = growth(
        *("--objects", "20000", "--seconds", "1", "--rounds", "1"),
        *("--json", str(report), "--directory", str(directory)),
    )
    assert outcome.returncode == 0, outcome.stderr
    cases = json.loads(report.read_text())["cases"]
    assert list(cases["10,000 and 20,000 objects"]) == ["start", "GET", "HEAD", "PUT", "LIST"]
    assert len(cases) == 7
    assert list(directory.iterdir()) == []


@pytest.mark.e2e
def test_a_part_that_there_is_not_is_refused() -> None:
    """What cannot be compared is refused without a traceback."""
    outcome = growth("--only", "planets")
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr
