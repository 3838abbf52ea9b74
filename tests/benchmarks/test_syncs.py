"""The counts of syncs as their users take them: under strace, of the engine and a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

# What strace writes of a commit, a checkpoint, and the room for frames that is made after it.
TRACE = """\
71 fdatasync(7<{store}/journal/00000000000000000000.segment>) = 0
72 fdatasync(9<{store}/index/data.mdb> <unfinished ...>
71 fdatasync(7<{store}/journal/00000000000000000000.segment> <unfinished ...>
72 <... fdatasync resumed>)          = 0
71 <... fdatasync resumed>)          = 0
72 fdatasync(9<{store}/journal/71-1.filling>) = 0
72 fsync(9<{store}/journal>) = 0
73 fdatasync(4<{store}/volumes/0000000000000001.volume>) = 0
73 fdatasync(4<{store}/s4.sqlite3-wal>) = 0
73 fdatasync(5<{store}>) = 0
73 fsync(5<{store}/index-of-mine>) = 0
73 fsync(5</elsewhere/journal>) = 0
73 +++ exited with 0 +++
"""
ROOT = Path(__file__).resolve().parents[2]
IS_MISSING = any(shutil.which(tool) is None for tool in ("strace", "wrk"))


def test_room_for_frames_to_come_is_no_sync_of_a_commit(
    tmp_path: Path, part: Callable[[str], Any]
) -> None:
    """A trace's syncs are told apart by what they were for, wherever the store lies."""
    store = tmp_path / "volumes"
    (tmp_path / "trace").write_text(TRACE.format(store=store))
    trace = part("syncs").Trace(tmp_path / "trace", store)
    assert trace.since() == {
        "journal": 2,
        "index": 1,
        "segments": 2,
        "volumes": 1,
        "sqlite": 2,
        "fsync /index-of-mine": 1,
        "fsync /elsewhere/journal": 1,
    }
    assert not trace.since()


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
        assert set(counted) <= {"index", "segments"}, "only a checkpoint may come between"
    # How many PUTs share a sync depends on how busy the machine is: that is for the report.
    for puts in report["puts"]:
        assert set(puts["syncs"]) <= {"index", "segments", "journal", "sqlite"}
        # Each worker notes a key's first use, over a connection that it opens and closes for that.
        assert puts["syncs"].get("sqlite", 0) <= 10 * (1 + puts["workers"])
        assert puts["syncs"]["journal"] <= puts["requests"] + puts["unanswered_max"]
    assert list(directory.iterdir()) == []
