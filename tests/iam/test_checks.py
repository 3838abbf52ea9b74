"""System checks of identity: an unusable server key stops every command with one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam import sealing
from iam.checks import check_server_key

if TYPE_CHECKING:
    from pathlib import Path

    from storage_engine import StorageEngine


def test_a_good_or_absent_key_passes(store: StorageEngine, tmp_path: Path) -> None:
    """A usable key is no problem, nor is one that the first start will make."""
    assert check_server_key(None) == []
    (tmp_path / sealing.SERVER_KEY_FILE).unlink()
    assert check_server_key(None) == []


def test_an_unsafe_key_is_e001(store: StorageEngine, tmp_path: Path) -> None:
    """A key that others may read is reported as iam.E001, with what to do."""
    (tmp_path / sealing.SERVER_KEY_FILE).chmod(0o644)
    (problem,) = check_server_key(None)
    assert problem.id == "iam.E001"
    assert "chmod 600" in problem.msg
