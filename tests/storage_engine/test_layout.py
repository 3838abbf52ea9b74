"""The data directory: ours is opened, anything else is refused untouched."""

from __future__ import annotations

import json
from multiprocessing import get_context
from pathlib import Path

import pytest

from storage_engine import EngineOptions, FormatError, open_engine
from tests.storage_engine.engine_steps import get, put

SPAWN = get_context("spawn")
PARTS = {"FORMAT", "index", "journal", "snapshots", "volumes"}


def names(path: Path) -> set[str]:
    """List a directory."""
    return {entry.name for entry in path.iterdir()}


def open_and_put(path: str, name: str) -> None:
    """Open a store, perhaps for the first time, and put an object."""
    with open_engine(Path(path)) as engine:
        put(engine, name, name.encode())


@pytest.mark.parametrize("exists", [True, False])
def test_a_new_store_is_made_where_there_is_nothing(tmp_path: Path, *, exists: bool) -> None:
    """An absent or empty directory becomes a store, only its owner may enter, and it is kept."""
    path = tmp_path / "a" / "b"
    if exists:
        path.mkdir(parents=True)
    with open_engine(path) as engine:
        put(engine, "k", b"x")
    assert names(path) == PARTS
    assert (path / "index").stat().st_mode & 0o077 == 0
    marker = json.loads((path / "FORMAT").read_bytes())
    assert (marker["format"], marker["version"]) == ("s4-storage", 2)
    with open_engine(path) as engine:
        assert get(engine, "k") == b"x"
    assert json.loads((path / "FORMAT").read_bytes()) == marker


@pytest.mark.parametrize("stranger", ["photo.jpg", ".git", "index.html"])
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, stranger: str) -> None:
    """A directory with anything in it that is not ours stays as it is."""
    (tmp_path / stranger).write_text("mine")
    with pytest.raises(FormatError, match=stranger):
        open_engine(tmp_path)
    assert names(tmp_path) == {stranger}


def test_known_neighbours_are_tolerated(tmp_path: Path) -> None:
    """Files that the caller keeps there, or a file system, do not stand in the way."""
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "server.key").write_text("secret")
    with open_engine(tmp_path, EngineOptions(neighbours=frozenset({"server.key"}))):
        pass
    assert (tmp_path / "server.key").read_text() == "secret"


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('{"format": "s4-storage", "version": 3, "store_id": "00"}', "format 3"),
        ('{"format": "s4-storage", "version": 1, "store_id": "00"}', "before its first release"),
        ('{"format": "other", "version": 1, "store_id": "00"}', "belongs to 'other'"),
        ('{"format": "s4-storage", "version": 1, "store_id": "zz"}', "not a marker"),
        ("{}", "not a marker"),
        ("", "not a marker"),
    ],
)
def test_a_marker_that_is_not_ours_is_refused(tmp_path: Path, marker: str, message: str) -> None:
    """Newer, foreign and damaged markers are told apart, and nothing is written."""
    (tmp_path / "FORMAT").write_text(marker)
    with pytest.raises(FormatError, match=message):
        open_engine(tmp_path)
    assert names(tmp_path) == {"FORMAT"}


@pytest.mark.parametrize("part", ["index", "journal", "snapshots", "volumes"])
def test_a_store_that_lost_a_part_is_not_taken_for_a_new_one(tmp_path: Path, part: str) -> None:
    """A directory that is missing is an error, never an empty store."""
    store = tmp_path / "store"
    open_engine(store).close()
    (store / part).rename(tmp_path / "elsewhere")
    with pytest.raises(FormatError, match=f"{part} is missing"):
        open_engine(store)
    assert part not in names(store)


def test_an_index_of_another_store_is_refused(tmp_path: Path) -> None:
    """Directories of two stores cannot be mixed."""
    for name in ("one", "two"):
        open_engine(tmp_path / name).close()
    (tmp_path / "one" / "index").rename(tmp_path / "lost")
    (tmp_path / "two" / "index").rename(tmp_path / "one" / "index")
    with pytest.raises(FormatError, match="another store"):
        open_engine(tmp_path / "one")


def test_a_first_start_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    """Without its marker, but without volumes too, a half-made store is made again."""
    open_engine(tmp_path / "store").close()
    (tmp_path / "store" / "FORMAT").rename(tmp_path / "store" / "FORMAT.new")
    with open_engine(tmp_path / "store") as engine:
        put(engine, "k", b"x")
    assert names(tmp_path / "store") == PARTS


def test_volumes_without_a_marker_are_not_overwritten(tmp_path: Path) -> None:
    """A directory that lost its marker but has volumes is refused."""
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / "00000001.volume").write_bytes(b"precious")
    with pytest.raises(FormatError, match="no FORMAT"):
        open_engine(tmp_path)


def test_processes_may_be_first_together(tmp_path: Path) -> None:
    """Several processes that open a new store at once make one store, not several."""
    path = str(tmp_path / "store")
    starters = [SPAWN.Process(target=open_and_put, args=(path, f"k{n}")) for n in range(3)]
    for process in starters:
        process.start()
    for process in starters:
        process.join()
        assert process.exitcode == 0
    with open_engine(tmp_path / "store") as engine:
        assert [get(engine, f"k{n}") for n in range(3)] == [b"k0", b"k1", b"k2"]
        assert list(engine.verify()) == []
