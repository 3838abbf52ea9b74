"""`manage.py retention_clock`: a clock that ran ahead is told of, and forgotten on demand."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.management import call_command

from storage_engine import DAY_MS, LockMode, RetentionPeriod
from storage_engine.apps import close_engine
from storage_engine.options import wall_clock
from tests.storage_engine.engine_steps import attributes, small_store

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine.options import Clock

WEEK = RetentionPeriod(LockMode.COMPLIANCE, 7 * DAY_MS)


def put_retained(path: Path, bucket_id: int, clock: Clock) -> int:
    """Put an object into a bucket of its own; return from when its retention counts."""
    with small_store(path, clock=clock) as engine:
        blob = engine.stage_bytes(b"x")
        put = engine.put_object(bucket_id, "k", blob, attributes(), default_retention=WEEK)
        return put.result().lock.retain_until_ms - WEEK.period_ms


def run(*arguments: str) -> tuple[int, str]:
    """Call the command; return its exit code and what it said."""
    out = io.StringIO()
    code: Any = 0
    try:
        call_command("retention_clock", *arguments, stdout=out, no_color=True)
    except SystemExit as ended:
        code = ended.code
    return code, out.getvalue()


def test_a_clock_that_ran_ahead_is_told_and_forgotten(
    settings: SettingsWrapper, tmp_path: Path
) -> None:
    """Default retentions count from its time until somebody says that the machine is right."""
    close_engine()
    path = tmp_path / "data"
    settings.S4 = replace(settings.S4, data_dir=path, problems=())
    put_retained(path, 1, wall_clock)
    assert run() == (0, "Default retentions count from now.\n")
    ahead_ms = int(time.time() * 1000) + 9999 * DAY_MS
    assert put_retained(path, 2, lambda: ahead_ms) == ahead_ms
    assert put_retained(path, 3, wall_clock) == ahead_ms
    code, said = run()
    assert (code, "--trust" in said) == (1, True)
    assert json.loads(run("--json")[1])["retained_from_ms"] == ahead_ms
    code, said = run("--trust", "--json")
    assert (code, json.loads(said)["ok"]) == (0, True)
    assert put_retained(path, 4, wall_clock) < ahead_ms - 9998 * DAY_MS
    with small_store(path) as engine:
        kept = engine.head_object(3, "k").lock.retain_until_ms
        assert kept == ahead_ms + WEEK.period_ms, "what is locked stays so"
