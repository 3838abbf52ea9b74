"""`manage.py stats`: the same figures for people and for programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from django.core.management import call_command

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
    out = io.StringIO()
    call_command("stats", stdout=out)
    lines = out.getvalue().splitlines()
    assert any(line.split() == ["objects", "2"] for line in lines)
    assert any(line.startswith("volume 00000001") for line in lines)
