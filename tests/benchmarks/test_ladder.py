"""The ladder as its users run it: against a real server, with real load."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("wrk") is None, reason="the load generator is not installed")
def test_the_quick_ladder_reports_what_it_measured(tmp_path: Path) -> None:
    """A quick run answers every request as it must and leaves a report, and nothing else."""
    report_path, directory = tmp_path / "report.json", tmp_path / "fresh"
    directory.mkdir()
    outcome = subprocess.run(
        [
            *(sys.executable, "benchmarks/ladder.py", "--quick", "--connections", "4"),
            *("--workers", "1", "--json", str(report_path), "--directory", str(directory)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr or outcome.stdout
    report = json.loads(report_path.read_text())
    assert [row["operation"] for row in report["rows"]] == ["PUT", "GET"]
    assert all(row[side]["requests"] > 0 for row in report["rows"] for side in ("s4", "bare"))
    assert report["disk"]["objects"] > 0
    assert list(directory.iterdir()) == []


@pytest.mark.e2e
def test_the_ladder_complains_in_one_line() -> None:
    """A size that cannot be measured is refused without a traceback."""
    outcome = subprocess.run(
        [sys.executable, "benchmarks/ladder.py", "--sizes", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.splitlines()[-1].endswith("sizes start at 16 bytes")
