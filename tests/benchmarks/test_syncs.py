"""The counts of syncs as their users take them: under strace, of the engine and a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IS_MISSING = any(shutil.which(tool) is None for tool in ("strace", "wrk"))


@pytest.mark.e2e
@pytest.mark.skipif(
    IS_MISSING and not os.environ.get("CI"), reason="strace or the load generator is not installed"
)
def test_the_kernel_sees_one_sync_for_each_commit(tmp_path: Path) -> None:
    """A commit is one sync of the journal, a blob one more of a volume, and no PUT needs two."""
    report_path, directory = tmp_path / "report.json", tmp_path / "fresh"
    directory.mkdir()
    outcome = subprocess.run(
        [
            *(sys.executable, "benchmarks/syncs.py", "--seconds", "1"),
            *("--json", str(report_path), "--directory", str(directory)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr or outcome.stdout
    report = json.loads(report_path.read_text())
    commits = report["commits"]
    assert report["tiny"].pop("journal") == commits
    assert (report["blob"].pop("journal"), report["blob"].pop("volumes")) == (commits, commits)
    for counted in (report["tiny"], report["blob"]):
        assert set(counted) <= {"index"}, "only a checkpoint may come between"
    # How many PUTs share a sync depends on how busy the machine is: that is for the report.
    for puts in report["puts"]:
        assert set(puts["syncs"]) <= {"index", "journal", "sqlite"}
        beginnings = 20  # of segments: their names and their filling are synced too
        assert puts["syncs"].get("sqlite", 0) <= beginnings  # each worker notes a key's first use
        assert puts["syncs"]["journal"] <= puts["requests"] + puts["connections"] + beginnings
    assert list(directory.iterdir()) == []
