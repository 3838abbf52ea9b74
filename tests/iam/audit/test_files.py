"""The audit log's file, as several processes write it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from iam.audit.files import AuditFile

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[3]
WRITER = """
import sys
from pathlib import Path
from iam.audit.files import AuditFile
file = AuditFile(Path(sys.argv[1]), 20_000, 500)
sys.stdin.read(1)
for number in range(int(sys.argv[3])):
    file.write([{"writer": sys.argv[2], "number": number, "filler": "x" * 50}])
"""
LINES = 1500


def lines(path: Path) -> list[dict[str, object]]:
    """Read every line of the file and of those put aside, the oldest first."""
    aside = sorted(path.parent.glob(f"{path.name}.*"), key=lambda file: -int(file.suffix[1:]))
    texts = [file.read_text(encoding="ascii") for file in [*aside, path]]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_processes_that_write_at_once_lose_no_line(tmp_path: Path) -> None:
    """Of several writers, each rotating under the others, every line is there whole, in order."""
    path = tmp_path / "audit.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(LINES)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        writer.communicate(b"go")
    assert [writer.returncode for writer in writers] == [0, 0]
    found = lines(path)
    assert len(list(tmp_path.glob("audit.jsonl.*"))) > 5
    for name in ("a", "b"):
        numbers = [line["number"] for line in found if line["writer"] == name]
        assert numbers == list(range(LINES))
    assert len(found) == 2 * LINES


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """The file and its directory are made for the server's own account."""
    path = tmp_path / "logs" / "audit.jsonl"
    with closing(AuditFile(path, 0, 1)) as file:
        file.write([{"text": "é\n\u2028"}])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_bytes().count(b"\n") == 1
    assert lines(path) == [{"text": "é\n\u2028"}]


def test_old_files_go(tmp_path: Path) -> None:
    """No more files are kept aside than are asked for, and those are the newest."""
    path = tmp_path / "audit.jsonl"
    with closing(AuditFile(path, 100, 2)) as file:
        file.write({"number": number, "filler": "x" * 100} for number in range(9))
    assert sorted(aside.name for aside in tmp_path.glob("audit.jsonl*")) == [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2",
    ]
    assert [line["number"] for line in lines(path)] == [6, 7, 8]


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written is reported to the ordinary log, and holds nobody up."""
    path = tmp_path / "audit.jsonl"
    path.mkdir()
    with closing(AuditFile(path, 0, 1)) as file:
        file.write([{"number": 1}])
    assert "could not be written" in capsys.readouterr().out
