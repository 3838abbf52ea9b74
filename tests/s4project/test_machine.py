"""What `serve` says, and how it ends, on a machine that lacks something."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from s4project.machine import FILES_MIN, NETWORKS, Doubt, Lack, file_system, name_of
from tests.s4project.probing import ROOT
from tests.s4project.serving import Serve, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

NOBODY: Final = 65_534
TABLE: Final = """\
21 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 21 0:50 / /mnt/a\\040b rw - nfs4 host:/export rw
31 21 0:51 / /mnt rw shared:7 - xfs /dev/sdb rw
"""


def as_root() -> None:
    """Skip where nothing can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount file systems")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system in memory; it goes with the test."""
    as_root()
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0755", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let its root mount file systems")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def refused(data: Path, *prefix: str, **settings: str) -> str:
    """Run `serve`, which must end with code 1 and one line; answer what follows its beginning."""
    run = subprocess.run(
        [*prefix, sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment(data, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    beginning, _, rest = line.partition(": ")
    assert beginning == "S4 cannot start"
    return rest


@pytest.mark.parametrize("below", ["", "data"])
def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path, below: str) -> None:
    """What stands in the way is named, whether it is the directory or above it."""
    (tmp_path / "file").write_bytes(b"")
    data = tmp_path / "file" / below
    assert refused(data) == Lack.NOT_A_DIRECTORY.format(path=data)


@pytest.mark.parametrize("below", ["", "data"])
def test_a_read_only_disk_is_refused(mount: Path, below: str) -> None:
    """A start on a mount that takes no writes says so, for a new store and for an old one."""
    subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
    assert refused(mount / below) == Lack.READ_ONLY.format(path=mount / below)


def test_a_directory_of_another_is_refused(tmp_path: Path) -> None:
    """Who may not read and write there is told whose it is."""
    as_root()
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    tmp_path.chmod(0o711)
    program = (
        "import os, sys; from pathlib import Path; from s4project import machine\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "machine.demand_directory(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(data)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wanted = Lack.NOT_OURS.format(path=data, owner=name_of(0), user=name_of(NOBODY))
    assert run.stderr.splitlines()[-1].endswith(wanted)


def test_too_few_files_are_refused(tmp_path: Path) -> None:
    """A limit of open files that S4 cannot live with ends the start, with both numbers."""
    few = ("prlimit", f"--nofile={FILES_MIN - 1}")
    wanted = Lack.FEW_FILES.format(files=FILES_MIN - 1, least=FILES_MIN)
    assert refused(tmp_path / "few", *few) == wanted


def test_a_disk_without_room_is_refused(mount: Path) -> None:
    """A new store needs more room than there is, and says so."""
    assert refused(mount / "data") == "the disk is nearly full"


class Cramped(Serve):
    """A `serve` with few files and without files in memory, in a view of its own of the mounts."""

    prefix = (
        *("unshare", "--mount", "prlimit", "--nofile=1024", "sh", "-c"),
        *('mount -t tmpfs -o ro,size=4k tmpfs /dev/shm && exec "$@"', "sh"),
    )


def test_what_is_doubtful_is_warned_of_and_served(tmp_path: Path) -> None:
    """Each doubt about the machine is a line of the log; old lock files are not even that."""
    as_root()
    data = tmp_path / "data"
    made = subprocess.run(
        [sys.executable, "manage.py", "list_users"],
        cwd=ROOT,
        env=environment(data),
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    for name in ("serve.lock", "jobs.lock"):
        (data / name).write_text("process 1, S3 http://127.0.0.1:1, console http://127.0.0.1:2\n")
    os.chown(data, NOBODY, NOBODY)
    os.utime(data / "journal", (4e9, 4e9))
    with serving(Cramped(data, log_format="json")) as serve:
        serve.until_ready()
    lines = map(json.loads, serve.log.read_text().splitlines())
    told = {line["event"]: line for line in lines if line["level"] == "warning"}
    wanted = (Doubt.FEW_FILES, Doubt.ROOTS_FILES, Doubt.NO_MEMORY_FILES, Doubt.BEHIND)
    assert [doubt for doubt in wanted if doubt not in told] == []
    assert told[Doubt.FEW_FILES]["connections"] == 512
    assert told[Doubt.ROOTS_FILES]["owner"] == name_of(NOBODY)


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[Serve]:
    """End a `serve` well."""
    try:
        yield serve
        serve.process.terminate()
        code, log = serve.wait()
        assert code == 0, log
    finally:
        serve.clean_up()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/mnt/a b/data", "nfs4"), ("/mnt/abc", "xfs"), ("/var/lib/s4", "ext4")],
)
def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, path: str, kind: str
) -> None:
    """Mount points are whole names, blanks in them are written in octal, and the longest counts."""
    (tmp_path / "mountinfo").write_text(TABLE)
    assert file_system(Path(path), tmp_path / "mountinfo") == kind
    assert (kind in NETWORKS) is (kind == "nfs4")
    assert file_system(Path(path), tmp_path / "nothing") == ""


@pytest.mark.parametrize("line", [*Lack, *Doubt])
def test_each_line_is_explained(line: str) -> None:
    """docs/troubleshooting.md quotes each line that a start may say because of the machine."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = "".join(re.findall(r"```text\n(.*?)```", page, re.DOTALL)).splitlines()
    wanted = re.sub(r"\{\w+\}", "...", line)
    assert [said for said in quoted if said.removeprefix("... ") == wanted], wanted
