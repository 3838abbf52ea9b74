"""The extraction of AWS's model: current, complete and without prose."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from s3api.management.commands import sync_s3_model
from s3api.management.commands.sync_s3_model import MODEL_PATH, extract_installed

if TYPE_CHECKING:
    from pathlib import Path


def test_the_committed_model_is_what_the_installed_botocore_gives() -> None:
    """Re-extracting from the pinned botocore changes nothing."""
    assert extract_installed() == MODEL_PATH.read_text(encoding="utf-8")
    call_command("sync_s3_model", check=True, stdout=StringIO())


def test_a_stale_model_is_told_and_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--check fails on a difference and writes nothing; without it the file is written."""
    path = tmp_path / "s3.json"
    monkeypatch.setattr(sync_s3_model, "MODEL_PATH", path)
    with pytest.raises(CommandError, match="differs"):
        call_command("sync_s3_model", check=True)
    assert not path.exists()
    call_command("sync_s3_model", stdout=StringIO())
    assert path.read_text(encoding="utf-8") == extract_installed()
    call_command("sync_s3_model", check=True, stdout=StringIO())


def words(value: Any) -> set[str]:
    """Collect every dictionary key of a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(words, value.values()))
    return set().union(*map(words, value)) if isinstance(value, list) else set()


def test_the_model_has_no_prose_and_no_loose_ends() -> None:
    """No documentation is kept, and every shape that is named is there and used."""
    model = json.loads(MODEL_PATH.read_bytes())
    assert not words(model) & {"documentation", "documentationUrl", "contextParam", "endpoint"}
    named = {
        operation[side]
        for operation in model["operations"].values()
        for side in ("input", "output")
        if side in operation
    }
    for shape in model["shapes"].values():
        named.update(member["shape"] for member in shape.get("members", {}).values())
        if "member" in shape:
            named.add(shape["member"]["shape"])
    assert named == set(model["shapes"])


def test_the_notice_stands_beside_the_model() -> None:
    """The licence of what is derived is named where it is kept."""
    notice = MODEL_PATH.with_name("NOTICE").read_text(encoding="utf-8")
    assert "Apache License, Version 2.0" in notice
    assert "Copyright 2012-2022 Amazon.com" in notice
