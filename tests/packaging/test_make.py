"""What make compiles: anew after each change, and nothing older stays where that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.packaging.context import ROOT, copy_context

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = """#!/bin/sh
case "$2" in pip) exit 0 ;; esac
exec {python} "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout whose environment is this one."""
    root = copy_context(tmp_path / "checkout")
    for name in ("Makefile", "requirements.lock"):
        (root / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    interpreter = root / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(PYTHON.format(python=sys.executable), encoding="utf-8")
    interpreter.chmod(0o755)
    return root


def make(root: Path, **environment: str) -> str:
    """Have make install what S4 needs; answer what it says."""
    ran = subprocess.run(
        ["make", ".venv/.installed"],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout + ran.stderr


def test_an_update_leaves_nothing_older(checkout: Path) -> None:
    """Where the new source cannot be compiled, what the old one became is not used any more."""
    compiled = checkout / "s3api" / "_md5.abi3.so"
    compiled.write_bytes(b"of the source before")
    assert "does without its compiled part" in make(checkout, CC="false")
    assert not compiled.exists()


def test_nothing_is_left_for_a_wheel_to_find(checkout: Path) -> None:
    """What make compiles lies in its own place, not where a wheel is put together."""
    make(checkout)
    assert not (checkout / "build").exists()
