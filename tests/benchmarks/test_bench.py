"""The benchmark as its users run it: against real servers, with real load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The program of each rival, as its makers call it.
RIVALS = {
    "minio": "minio",
    "rustfs": "rustfs",
    "garage": "garage",
    "seaweedfs": "weed",
    "versitygw": "versitygw",
    "s4core": "s4-server",
}
NEEDS_WRK = pytest.mark.skipif(
    shutil.which("wrk") is None and not os.environ.get("CI"),
    reason="the load generator is not installed (apt install wrk)",
)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [sys.executable, "benchmarks/bench.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def measured(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Run it with a report, which must be without a fault and leave nothing else."""
    report, directory = tmp_path / "report.json", tmp_path / "fresh"
    directory.mkdir()
    outcome = bench("--json", str(report), "--directory", str(directory), *arguments)
    assert outcome.returncode == 0, outcome.stderr or outcome.stdout
    assert list(directory.iterdir()) == []
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.mark.e2e
@NEEDS_WRK
def test_a_quick_run_measures_each_server_in_turn(tmp_path: Path) -> None:
    """S4 and a bare server beside it answer every request as they must, in figures and pictures."""
    pictures = tmp_path / "pictures"
    report = measured(tmp_path, "--quick", "--bare", "--connections", "4", "--plots", str(pictures))
    (section,) = report["sections"]
    rows = {row["operation"]: row["measured"] for row in section["rows"]}
    assert list(rows) == ["PUT", "GET", "HEAD", "DELETE"]
    for operation, sides in rows.items():
        assert set(sides) == ({"S4"} if operation == "DELETE" else {"S4", "bare"})
        assert all(figures["requests"] > 0 for figures in sides.values())
    assert report["limits"]["fdatasync_p50_ms"] > 0
    assert report["limits"]["fdatasync_paced_p50_ms"] > 0
    assert {path.name for path in pictures.iterdir()} >= {"bench-rates.svg", "bench-cpu.svg"}


@pytest.mark.e2e
@NEEDS_WRK
@pytest.mark.timeout(900)
@pytest.mark.skipif("S4_TEST_LONG" not in os.environ, reason="S4_TEST_LONG: make test-long")
def test_every_kind_of_work_is_done_on_two_commits(tmp_path: Path) -> None:
    """All works but the programs' go through on what lies here and on the last commit."""
    report = measured(
        tmp_path,
        *("--only", "small,large,lists,mixed,alike,payloads", "--against", "HEAD"),
        *("--seconds", "1", "--connections", "4", "--sizes", "1024,65536", "--listed", "3000"),
    )
    (section,) = report["sections"]
    assert {row["group"] for row in section["rows"]} == {
        *("small", "large", "lists", "mixed", "alike", "payloads")
    }
    assert all(len(row["measured"]) == 2 for row in section["rows"])


@pytest.mark.e2e
@NEEDS_WRK
@pytest.mark.timeout(900)
@pytest.mark.skipif("S4_TEST_LONG" not in os.environ, reason="S4_TEST_LONG: make test-long")
@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_that_is_installed_does_all_that_it_is_compared_in(
    tmp_path: Path, name: str
) -> None:
    """Every kind of work goes through on a rival beside S4, in its own way of being started."""
    binary = shutil.which(RIVALS[name])
    if binary is None:
        pytest.skip(f"{RIVALS[name]} is not installed")
    report = measured(
        tmp_path,
        *("--only", "small,large,lists,mixed,alike,payloads", "--rival", f"{name}={binary}"),
        *("--seconds", "1", "--connections", "4", "--sizes", "1024,65536", "--listed", "3000"),
    )
    (section,) = report["sections"]
    assert all(list(row["measured"]) == ["S4", name] for row in section["rows"])


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--sizes", "1"), "sizes start at 16 bytes"),
        (("--only", "small,nothing"), "invalid group value: 'small,nothing'"),
        (("--rival", "minio=/nowhere/minio"), "value: 'minio=/nowhere/minio'"),
        (("--rival", "ceph=/bin/true"), "value: 'ceph=/bin/true'"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    arguments: tuple[str, ...], complaint: str
) -> None:
    """Sizes, groups and rivals that there are not are refused without a traceback."""
    outcome = bench(*arguments)
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.splitlines()[-1].endswith(complaint)


@pytest.mark.e2e
@NEEDS_WRK
def test_a_commit_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    """What git does not know is refused before a server is started."""
    outcome = bench("--quick", "--against", "no-such-commit", "--directory", str(tmp_path))
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("bench: fatal: ")
    assert list(tmp_path.iterdir()) == []
