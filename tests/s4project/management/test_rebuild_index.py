"""`manage.py rebuild_index --salvage` and what the SQL database knows of the buckets."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import open_engine
from tests.s4project.probing import ROOT
from tests.s4project.serving import environment
from tests.storage_engine.engine_steps import noise, put

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ("", "--dry-run")


def manage(data_dir: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command over the store in `data_dir`."""
    return subprocess.run(
        [sys.executable, "manage.py", *filter(None, words)],
        cwd=ROOT,
        env=environment(data_dir) | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def found(data_dir: Path, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
    """Run a salvage; return its exit code and its JSON."""
    done = manage(data_dir, "rebuild_index", "--salvage", "--json", *words, **more)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store whose database knows bucket 1, with records of the buckets 1 and 2."""
    data_dir = tmp_path_factory.mktemp("made") / "data"
    answer = json.loads(manage(data_dir, "create_bucket", "known", "--json").stdout)
    assert answer["number"] == 1
    with open_engine(data_dir) as engine:
        for bucket_id in (1, 2):
            for n in range(3):
                put(
                    engine, f"{bucket_id}/{n}", noise(9000, 10 * bucket_id + n), bucket_id=bucket_id
                )
    for name in ("index", "journal", "snapshots"):
        shutil.rmtree(data_dir / name)
    return data_dir


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """Copy the store, which has lost its index."""
    return shutil.copytree(made, tmp_path / "data")


@pytest.mark.parametrize("option", OPTIONS)
def test_records_of_an_unknown_bucket_are_a_problem(store: Path, option: str) -> None:
    """What the database does not know is left out, said so with both reasons, and exit code 1."""
    code, report = found(store, option)
    assert (code, report["ok"]) == (1, False)
    assert (list(report["buckets"]), list(report["left_out"])) == (["1"], ["2"])
    (problem,) = report["problems"]
    assert problem.startswith(
        "bucket 2 is not in the SQL database: deleted, or the database is older than they are: "
        "3 records left out, such as 2/0, 2/1, 2/2"
    )
    assert "--all-buckets" in problem


@pytest.mark.parametrize("option", OPTIONS)
def test_all_buckets_come_back_when_asked_for(store: Path, option: str) -> None:
    """With --all-buckets nothing is left out, and the database is not even asked."""
    words = ("--all-buckets", option)
    code, report = found(store, *words, DATABASE_URL="postgresql://x:y@127.0.0.1:1/db")
    assert (code, report["problems"], report["left_out"]) == (0, [], {})
    assert {number: bucket["keys"] for number, bucket in report["buckets"].items()} == {
        "1": 3,
        "2": 3,
    }


def test_a_salvage_can_be_done_again_with_all(store: Path) -> None:
    """What the first salvage left out is there for the second."""
    assert found(store)[0] == 1
    code, report = found(store, "--all-buckets")
    assert (code, report["objects"]) == (0, 6)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("lost", ["file", "content", "table"])
def test_a_lost_database_leaves_nothing_out(store: Path, option: str, lost: str) -> None:
    """Without a list of buckets everything comes back, which is said, and no database is made."""
    path = store / "s4.sqlite3"
    for beside in store.glob("s4.sqlite3*"):
        beside.unlink()
    if lost == "content":
        path.touch()
    elif lost == "table":
        with sqlite3.connect(path) as connection:
            connection.execute("create table something (id integer)")
        connection.close()
    code, report = found(store, option)
    assert (code, report["ok"], report["left_out"]) == (1, False, {})
    assert list(report["buckets"]) == ["1", "2"]
    (problem,) = report["problems"]
    assert "which buckets are deleted is unknown, everything comes back" in problem
    assert path.exists() == (lost != "file")
    assert lost != "content" or path.stat().st_size == 0


def test_a_new_database_that_knows_no_bucket_is_told(store: Path) -> None:
    """A command run since makes an empty database: that all is left out is no success."""
    with sqlite3.connect(store / "s4.sqlite3") as connection:
        connection.execute("delete from buckets_bucket")
    connection.close()
    code, report = found(store)
    assert (code, report["objects"], len(report["problems"])) == (1, 0, 2)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("trouble", ["unreachable", "garbage"])
def test_any_other_trouble_of_the_database_refuses(store: Path, option: str, trouble: str) -> None:
    """A database that is there and cannot be read is a line, code 2, and changes nothing."""
    more = {}
    if trouble == "unreachable":
        more["DATABASE_URL"] = "postgresql://x:y@127.0.0.1:1/db"
    else:
        for beside in store.glob("s4.sqlite3-*"):
            beside.unlink()
        (store / "s4.sqlite3").write_bytes(noise(10_000))
    before = sorted(path.name for path in store.iterdir())
    done = manage(store, "rebuild_index", "--salvage", option, **more)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--all-buckets" in done.stderr
    assert sorted(path.name for path in store.iterdir()) == before


def test_the_answer_is_for_people_too(store: Path) -> None:
    """In words: what is left out first, then what was found; a dry run says that it was one."""
    done = manage(store, "rebuild_index", "--salvage", "--dry-run")
    assert (done.returncode, done.stderr) == (1, "")
    assert "bucket 2 is not in the SQL database" in done.stdout
    assert "6 records of objects, 0 of parts of uploads; nothing was changed." in done.stdout
    done = manage(store, "rebuild_index", "--salvage")
    assert "3 objects, 0 of them uploads put together" in done.stdout
    assert "bucket 1: 3 keys, such as 1/0, 1/1, 1/2" in done.stdout


@pytest.mark.parametrize("option", ["--all-buckets", "--dry-run"])
def test_options_of_salvage_go_with_it(store: Path, option: str) -> None:
    """Without --salvage they are a line and code 2."""
    done = manage(store, "rebuild_index", option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{option} goes with --salvage\n"
