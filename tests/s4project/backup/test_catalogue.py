"""A backup's target: made of an empty directory alone, held by one, and kept to so many backups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from s4project.backup.catalogue import (
    MANIFEST,
    TARGET_MARKER,
    Manifest,
    TargetError,
    backups,
    opened,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

ID = "ab" * 16
EMPTY = Manifest(
    store_id=ID, started="", finished="", position=0, sql="none", problems=[], files=[]
)


def refusal(root: Path, source: Path, store_id: str = ID) -> str:
    """Return why a directory is refused."""
    with pytest.raises(TargetError) as caught, opened(root, source, store_id):
        pass
    return str(caught.value)


def test_an_empty_directory_becomes_a_target_and_stays_one(tmp_path: Path) -> None:
    """Its marker tells whose backups it has, to nobody but its owner; others are refused."""
    root = tmp_path / "target"
    root.mkdir()
    (root / "lost+found").mkdir()
    for _ in range(2):
        with opened(root, tmp_path / "data", ID) as target:
            assert target.backups() == []
    assert (root / TARGET_MARKER).stat().st_mode & 0o777 == 0o600
    assert "another store" in refusal(root, tmp_path / "data", "cd" * 16)


def test_what_is_not_for_backups_is_refused_and_not_touched(tmp_path: Path) -> None:
    """Missing, a file, not empty, a store, in the store or around it, of a newer S4."""
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    assert "mount its disk" in refusal(tmp_path / "missing", data)
    (tmp_path / "file").write_text("x")
    assert "cannot be used" in refusal(tmp_path / "file", data)
    for name, word in (("letters", "not empty"), ("FORMAT", "a store")):
        root = tmp_path / f"has-{name}"
        root.mkdir()
        (root / name).write_text("x")
        assert word in refusal(root, data)
        assert [path.name for path in root.iterdir()] == [name]
    for root in (data, data / "deep", tmp_path):
        assert "lie in one another" in refusal(root, data)
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / TARGET_MARKER).write_text(
        json.dumps({"format": "s4-backup", "version": 2, "store_id": ID})
    )
    assert "a newer S4" in refusal(newer, data)
    (newer / TARGET_MARKER).write_text('{"format": "others", "version": 1}')
    assert "not of a backup" in refusal(newer, data)
    (newer / TARGET_MARKER).write_text("[]")
    assert "cannot be read" in refusal(newer, data)


def test_one_backup_at_a_time_goes_to_a_target(tmp_path: Path) -> None:
    """Who comes while another is at it is refused and does not wait."""
    root = tmp_path / "target"
    root.mkdir()
    with opened(root, tmp_path / "data", ID):
        assert "is running" in refusal(root, tmp_path / "data")


def test_the_newest_are_kept_and_what_is_half_removed_goes(tmp_path: Path) -> None:
    """In the order of their names, several of one second too; one without a list does not count."""
    root = tmp_path / "target"
    root.mkdir()
    with opened(root, tmp_path / "data", ID) as target:
        for name in ("20260101T000000Z", "20260101T000000Z", *(["20260102T000000Z"] * 11)):
            target.unfinished.mkdir()
            write_json(target.unfinished / MANIFEST, EMPTY)
            target.finish(name)
        (root / "20250101T000000Z").mkdir()
        (root / "20250101T000000Z of mine").mkdir()
        assert target.prune(3) == 10
        left = [path.name for path in backups(root)]
        target.unfinished.mkdir()
        write_json(target.unfinished / MANIFEST, EMPTY)
        assert target.finish("20250101T000000Z").name == "20260102T000000Z-12", "an older clock"
    assert left == [f"20260102T000000Z-{number}" for number in (9, 10, 11)]
    names = {*left, "20260102T000000Z-12", TARGET_MARKER, "20250101T000000Z of mine"}
    assert {path.name for path in root.iterdir()} == names
    assert read_json(root / left[0] / MANIFEST, Manifest) == EMPTY
