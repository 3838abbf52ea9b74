"""restic, whose repository is whole only if what it stored comes back to the byte."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import botocore
import pytest

from tests.e2e.clients.installed import system
from tests.e2e.clients.trees import digests, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.clients.installed import Runner

    Restic = Callable[..., str]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def restic(run: Runner, bucket: str) -> Restic:
    """Answer what runs restic on a repository in a new bucket."""
    settings = {
        "RESTIC_REPOSITORY": f"s3:{run.server.url}/{bucket}/a repository",
        "RESTIC_PASSWORD": "of the repository",
    }
    program = system("restic")
    return lambda *arguments: run(program, *arguments, **settings)


def test_a_backup_is_checked_restored_and_thinned(restic: Restic, tmp_path: Path) -> None:
    """A real tree is backed up twice, read back by `check --read-data`, restored, and pruned."""
    source = tmp_path / "source"
    shutil.copytree(Path(botocore.__file__).parent, source / "real", ignore=real_files)
    write_tree(source)
    restic("init")
    restic("backup", str(source))
    first = digests(source)
    (source / "large").write_bytes(b"another" * 10_000)
    (source / "empty").unlink()
    restic("backup", str(source))
    assert "no errors were found" in restic("check", "--read-data")
    snapshots = re.findall(r"^([0-9a-f]{8}) ", restic("snapshots"), re.MULTILINE)
    for snapshot, wanted in zip(snapshots, (first, digests(source)), strict=True):
        target = tmp_path / snapshot
        restic("restore", snapshot, "--target", str(target))
        assert digests(target / source.relative_to("/")) == wanted
    restic("forget", "--keep-last", "1", "--prune")
    assert "no errors were found" in restic("check", "--read-data")
    assert restic("list", "locks") == ""


def real_files(folder: str, names: list[str]) -> set[str]:
    """Leave out of a tree what is only there because Python ran, and most of the service models."""
    return {
        name
        for name in names
        if name == "__pycache__" or (Path(folder).name == "data" and name[0] != "s")
    }
