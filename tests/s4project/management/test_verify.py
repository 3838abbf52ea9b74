"""`manage.py verify`: what it says, and its exit code."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from s4project.management.commands.verify import Command
from storage_engine.apps import close_engine, get_engine
from storage_engine.volume import volume_path
from tests.storage_engine.engine_steps import noise, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper


class Terminal(io.StringIO):
    """A text stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture
def data_dir(settings: SettingsWrapper, tmp_path: Path) -> Iterator[Path]:
    """Make a store with two blobs at the configured directory."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=tmp_path / "data")
    put(get_engine(), "a", noise(5000, 1))
    put(get_engine(), "b", noise(5000, 2))
    close_engine()
    yield tmp_path / "data"
    close_engine()


def damage(data_dir: Path) -> None:
    """Change a byte of the first payload."""
    with volume_path(data_dir / "volumes", 1).open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")


def test_a_healthy_store_is_said_to_be_so(data_dir: Path) -> None:
    """Without problems the command says so, in words or as JSON, and returns."""
    out = io.StringIO()
    call_command("verify", stdout=out)
    assert out.getvalue() == "No problems.\n"
    out = io.StringIO()
    call_command("verify", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"ok": True, "problems": []}


def test_problems_end_in_exit_code_1(data_dir: Path) -> None:
    """Each problem is told, and the process fails."""
    damage(data_dir)
    out = io.StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("verify", stdout=out)
    assert exit_.value.code == 1
    assert "block 0 fails its checksum" in out.getvalue()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("verify", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["ok"], len(found["problems"])) == (False, 1)


def test_progress_is_for_terminals(data_dir: Path) -> None:
    """A terminal sees how far it has come; a file or a pipe does not."""
    terminal, pipe = Terminal(), io.StringIO()
    call_command("verify", stdout=io.StringIO(), stderr=terminal)
    assert "blobs read: 2 of 2 (100 %)" in terminal.getvalue()
    call_command("verify", stdout=io.StringIO(), stderr=pipe)
    assert pipe.getvalue() == ""


def test_the_command_explains_itself() -> None:
    """The help text tells that nothing is changed and what the exit code means."""
    assert "Changes nothing" in Command.help
    assert "Exit code 1" in Command.help
