"""The scale run as its users start it, with few objects: every stage, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Start the program."""
    return subprocess.run(
        [sys.executable, "benchmarks/scale.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.e2e
@pytest.mark.skipif("S4_TEST_LONG" not in os.environ, reason="S4_TEST_LONG: make test-long")
def test_a_small_run_reports_every_figure(tmp_path: Path) -> None:
    """A run with few objects goes through all stages, verifies clean, and leaves its report."""
    report_path, directory = tmp_path / "report.json", tmp_path / "fresh"
    directory.mkdir()
    outcome = run(
        *("--objects", "4000", "--loaders", "2", "--press-seconds", "1", "--kill-seconds", "1"),
        *("--json", str(report_path), "--directory", str(directory)),
    )
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(report_path.read_text())
    assert report["disk"]["tables"]["entries"]["rows"] > report["objects"]
    assert report["disk"]["tables"]["inline"]["rows"] == report["objects"]
    assert report["verify"]["problems"] == 0
    assert sum("replayed_bytes" in start for start in report["starts"].values()) == 1
    for part in ("lists", "lists_cold"):
        assert all(page["count"] and page["items"] for page in report[part]["places"].values())
    assert "A billion objects" in outcome.stdout
    assert list(directory.iterdir()) == []


@pytest.mark.e2e
def test_a_disk_without_room_is_refused_in_one_line(tmp_path: Path) -> None:
    """More objects than the disk can hold are refused before anything is made."""
    outcome = run("--objects", str(10**15), "--directory", str(tmp_path))
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith(
        "scale: 1,000,000,000,000,000 objects need about"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_a_directory_in_use_is_not_written_into(tmp_path: Path) -> None:
    """A directory that holds something is no place for a store to keep."""
    (tmp_path / "mine").touch()
    outcome = run("--objects", "4000", "--keep", str(tmp_path))
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1] == f"scale: {tmp_path} is not empty"
