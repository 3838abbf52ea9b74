"""The commands that look after a store: what they say, their exit codes, and how they end."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from s4project.care_command import asked_to_stop
from storage_engine.apps import close_engine, get_engine
from storage_engine.volume import volume_path
from tests.s4project.probing import ROOT, wait_for
from tests.s4project.serving import environment
from tests.s4project.test_jobs import is_locked
from tests.storage_engine.engine_steps import BUCKET, KIB, noise, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django.fixtures import SettingsWrapper


class Terminal(io.StringIO):
    """A text stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def data_dir(settings: SettingsWrapper, tmp_path: Path) -> Iterator[Path]:
    """Make a store whose one volume is half dead at the configured directory."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=tmp_path / "data", problems=())
    for n in range(20):
        put(get_engine(), f"{n}", noise(20 * KIB, n))
    for n in range(1, 20, 2):
        get_engine().delete_object(BUCKET, f"{n}").result()
    close_engine()
    yield tmp_path / "data"
    close_engine()


def run(*arguments: str) -> tuple[int, str, str]:
    """Call a command; return its exit code and what it said."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        call_command(*arguments, stdout=out, stderr=errors)
    except SystemExit as exit_:
        code = exit_.code
    return code, out.getvalue(), errors.getvalue()


def damage(data_dir: Path) -> None:
    """Change bytes of the first payload."""
    with volume_path(data_dir / "volumes", 1).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")


def test_a_dry_run_tells_and_changes_nothing(data_dir: Path) -> None:
    """The plan is told volume by volume, and as JSON, as often as one likes."""
    for _ in range(2):
        code, out, _ = run("compact", "--dry-run")
        assert code == 0
        assert "volume 00000001  dead bytes" in out
        assert "1 volumes, " in out
    code, out, _ = run("compact", "--dry-run", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["moved_blobs"]) == (0, True, 0)
    assert found["plans"][0]["id"] == 1


def test_compaction_tells_what_it_did(data_dir: Path) -> None:
    """Blobs moved, volumes dropped and room freed are told; a second run has nothing to do."""
    code, out, errors = run("compact")
    assert (code, errors) == (0, "")
    assert "1 volumes dropped" in out
    assert "10 blobs moved" in out
    assert not volume_path(data_dir / "volumes", 1).exists()
    code, out, _ = run("compact", "--json")
    assert (code, json.loads(out)["moved_blobs"]) == (0, 0)


def test_the_threshold_is_the_settings_unless_it_is_given(
    data_dir: Path, settings: SettingsWrapper
) -> None:
    """A volume that is half dead is taken at 0.4 and left at 0.9."""
    settings.S4 = replace(settings.S4, compaction_threshold=0.9)
    assert json.loads(run("compact", "--dry-run", "--json")[1])["plans"] == []
    found = run("compact", "--dry-run", "--json", "--threshold", "0.4")[1]
    assert len(json.loads(found)["plans"]) == 1


@pytest.mark.parametrize("command", ["compact", "scrub"])
def test_damage_is_told_and_ends_in_exit_code_1(data_dir: Path, command: str) -> None:
    """Both commands name the damaged blob and fail."""
    damage(data_dir)
    code, out, _ = run(command, "--rate", "100M")
    assert code == 1
    assert "volume 1 at 512: block 0 fails its checksum" in out
    close_engine()
    assert get_engine().stats().quarantined == 1


def test_the_scrub_tells_what_it_read(data_dir: Path) -> None:
    """Blobs, bytes and what is in quarantine are told, in words and as JSON."""
    code, out, _ = run("scrub", "--hash", "--restart")
    assert code == 0
    assert "10 blobs read" in out
    assert "0 are in it" in out
    code, out, _ = run("scrub", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["blobs"], found["problems"]) == (0, True, 10, [])


@pytest.mark.parametrize("command", ["compact", "scrub"])
def test_a_terminal_sees_progress(data_dir: Path, command: str) -> None:
    """A terminal sees how far it has come; a file or pipe does not."""
    terminal = Terminal()
    call_command(command, stdout=io.StringIO(), stderr=terminal)
    assert "(100 %)" in terminal.getvalue()


def test_what_cannot_be_is_refused_with_code_2(
    data_dir: Path, settings: SettingsWrapper, tmp_path: Path
) -> None:
    """Wrong settings and foreign directories are one line on stderr."""
    for change in ({"problems": ("S4_BIND is wrong",)}, {"data_dir": tmp_path}):
        settings.S4 = replace(settings.S4, **change)
        code, out, errors = run("scrub")
        assert (code, out, errors.count("\n")) == (2, "", 1)
        settings.S4 = replace(settings.S4, problems=())
    expected = {"--threshold 30": "a share from 0 to 1", "--rate fast": "a size such as 5GB"}
    for wrong, what in expected.items():
        with pytest.raises(CommandError, match=f"{wrong.split()[0]}: must be {what}"):
            call_command("compact", *wrong.split())


def test_a_second_one_is_refused_and_a_signal_ends_the_first(data_dir: Path) -> None:
    """While one compacts, another is refused in a line; asked to stop, it ends in order."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "compact", "--rate", "4K"],
        cwd=ROOT,
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        wait_for(lambda: is_locked(data_dir / "volumes", first.pid), 60)
        code, out, errors = run("compact")
        assert (code, out) == (2, "")
        assert errors == "a compaction of this store is running already\n"
        first.send_signal(signal.SIGTERM)
        out = first.communicate(timeout=60)[0]
    assert first.returncode == 0
    assert "run it again" in out
    assert run("compact")[0] == 0
    assert list(get_engine().verify()) == []


def test_signals_are_what_they_were_afterwards() -> None:
    """The wish to stop is noted inside only."""
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_stop() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert should_stop()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.django_db(transaction=True)
def test_what_is_damaged_is_told_with_its_objects(data_dir: Path) -> None:
    """The objects that share a damaged payload are named; without damage that is said."""
    code, out, _ = run("damaged")
    assert (code, out) == (0, "Nothing is damaged.\n")
    damage(data_dir)
    assert run("scrub")[0] == 1
    code, out, _ = run("damaged")
    assert code == 1
    assert "volume 1 at 512: block 0 fails its checksum" in out
    assert "  number 1/0 version null\n" in out
    code, out, _ = run("damaged", "--json")
    found = json.loads(out)
    assert (code, found["ok"], len(found["problems"])) == (1, False, 1)
    assert found["blobs"][0]["users"][0]["key"] == "0"


COMMANDS = ("compact", "damaged", "rebuild_index", "scrub", "snapshot", "stats", "verify")
WAYS = (
    *COMMANDS,
    "rebuild_index --release",
    "rebuild_index --salvage",
    "rebuild_index --salvage --dry-run",
)


def started(data_dir: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has_open(pid: int, path: Path) -> bool:
    """Tell whether a process has a file or directory open, and so is past its imports."""
    with contextlib.suppress(FileNotFoundError):
        return any(
            os.path.realpath(entry) == str(path) for entry in Path(f"/proc/{pid}/fd").iterdir()
        )
    return False


@pytest.mark.parametrize("words", WAYS)
@pytest.mark.parametrize("place", ["absent", "empty", "volumes alone", "a file"])
def test_no_command_makes_a_store_where_there_is_none(
    data_dir: Path, settings: SettingsWrapper, tmp_path: Path, words: str, place: str
) -> None:
    """A wrong or unmounted directory is one line and code 2, and is left as it was."""
    root = tmp_path / "elsewhere"
    if place == "a file":
        root.touch()
    elif place != "absent":
        root.mkdir()
    if place == "volumes alone":
        shutil.copytree(data_dir / "volumes", root / "volumes")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    settings.S4 = replace(settings.S4, data_dir=root)
    arguments = words.split() + (["--all-buckets"] if "--salvage" in words else [])
    code, out, errors = run(*arguments)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert str(root) in errors
    if place != "a file":
        assert errors.startswith(f"{root} is not a store of S4")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_wrong_settings_are_a_line_each(
    data_dir: Path, settings: SettingsWrapper, command: str
) -> None:
    """Every command names the wrong setting, with code 2."""
    settings.S4 = replace(settings.S4, problems=("S4_BIND is wrong", "S4_WORKERS is too"))
    assert run(command) == (2, "", "S4_BIND is wrong\nS4_WORKERS is too\n")


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"rebuild_index"}))
def test_an_index_that_is_none_is_refused_in_a_line(data_dir: Path, command: str) -> None:
    """Garbage in the place of the index is one line and code 2."""
    (data_dir / "index" / "checkpoint").unlink()
    (data_dir / "index" / "data.mdb").write_bytes(noise(100_000))
    code, out, errors = run(command)
    assert (code, out, errors.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("option", [(), ("--json",)])
@pytest.mark.parametrize("command", ["scrub", "verify"])
def test_pages_of_the_index_that_are_wrong_are_a_problem(
    data_dir: Path, command: str, option: tuple[str, ...]
) -> None:
    """Where the index cannot be read any further, that is said, with code 1."""
    pages = data_dir / "index" / "data.mdb"
    with pages.open("r+b") as file:
        for page in range(2, pages.stat().st_size // 4096):
            file.seek(page * 4096 + 10)
            file.write(b"\xff\xff")  # the kind of page
    code, out, errors = run(command, *option)
    assert (code, errors) == (1, "")
    assert "rebuild_index" in out
    assert out.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_waits_for_the_store_ends_by_a_signal(
    data_dir: Path, command: str, number: int
) -> None:
    """While another opens the store, either signal ends the wait, with one line at most."""
    lock = os.open(data_dir, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with started(data_dir, command) as process, contextlib.ExitStack() as end:
        end.callback(os.close, lock)  # before the process is waited for, which may wait for it
        wait_for(lambda: has_open(process.pid, data_dir), 60)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert out == ""
    assert errors.count("\n") <= 1


def test_a_second_snapshot_is_refused(data_dir: Path) -> None:
    """While one is made, another is a line and code 2."""
    lock = os.open(data_dir / "snapshots", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        assert run("snapshot") == (2, "", "a snapshot of this store is being made already\n")
    finally:
        os.close(lock)
    assert run("snapshot")[0] == 0


SLOW_COPY = """if True:
    import os, sys, time
    sys.argv = ["manage.py", "snapshot"]
    from storage_engine.index import Index
    def slowly(index, descriptor):
        print("copies", flush=True)
        while True:
            os.write(descriptor, b"more")
            time.sleep(0.05)
    Index.copy = slowly
    import manage
    manage.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_snapshot_at_once(data_dir: Path, number: int) -> None:
    """A copy of any length is cut off soon, in no more than a line, and does no harm."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_COPY],
        cwd=ROOT,
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copies\n"
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert errors == ""
    assert run("verify")[0] == 0
    assert run("snapshot")[0] == 0
    assert [path.suffix for path in (data_dir / "snapshots").iterdir()] == [".snapshot"]


def test_the_second_signal_is_no_wish() -> None:
    """After the first wish to stop the signals do what they did before."""
    before = signal.getsignal(signal.SIGINT)
    with asked_to_stop() as should_stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert should_stop()
        assert signal.getsignal(signal.SIGINT) is before


def test_a_problem_stands_on_a_line_of_its_own(data_dir: Path) -> None:
    """On a terminal the line of progress is left before a problem is told."""
    damage(data_dir)
    terminal = Terminal()
    with pytest.raises(SystemExit):
        call_command("verify", stdout=terminal, stderr=terminal)
    (line,) = [line for line in terminal.getvalue().split("\n") if "checksum" in line]
    assert "%" not in line
