"""`manage.py stats`: the same figures for people and for programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from django.core.management import call_command

from storage_engine import renew_engine
from storage_engine.apps import close_engine, get_engine
from tests.storage_engine.engine_steps import noise, put

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper


def test_figures_are_shown_in_both_forms(settings: SettingsWrapper, tmp_path: Path) -> None:
    """Totals and volumes appear as a table or as one JSON object."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=tmp_path / "data")
    put(get_engine(), "a", noise(5000))
    put(get_engine(), "b", noise(5000))
    close_engine()
    out = io.StringIO()
    call_command("stats", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["objects"], found["object_bytes"], found["blobs"]) == (2, 10_000, 1)
    assert found["volume_list"][0]["id"] == 1
    assert (found["hold"], found["volume_list"][0]["is_held"]) == (None, False)
    out = io.StringIO()
    call_command("stats", stdout=out)
    lines = out.getvalue().splitlines()
    assert any(line.split() == ["objects", "2"] for line in lines)
    assert any(line.startswith("volume 00000001") for line in lines)
    assert "held" not in out.getvalue()


def test_what_is_held_is_told(settings: SettingsWrapper, tmp_path: Path) -> None:
    """After a salvage the volumes that are held are named, since when, and what ends that."""
    close_engine()
    settings.S4 = replace(settings.S4, data_dir=tmp_path / "data")
    put(get_engine(), "a", noise(5000))
    close_engine()
    with renew_engine(tmp_path / "data") as engine:
        engine.salvage()
    put(get_engine(), "b", noise(5000, 1))
    close_engine()
    out = io.StringIO()
    call_command("stats", stdout=out)
    volumes, told = out.getvalue().splitlines()[-3:-1], out.getvalue().splitlines()[-1]
    assert [", held" in line for line in volumes] == [True, False]
    assert told.startswith("Volumes up to 00000001 are held since 20")
    assert "salvaged" in told
    assert "rebuild_index --release" in told
    out = io.StringIO()
    call_command("stats", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["hold"]["last_volume"], found["hold"]["cause"]) == (1, "salvage")
    assert [volume["is_held"] for volume in found["volume_list"]] == [True, False]
    call_command("rebuild_index", "--release", stdout=io.StringIO())
    out = io.StringIO()
    call_command("stats", stdout=out)
    assert "held" not in out.getvalue()
