"""Uploads that nobody finishes are aborted by their age, in all buckets, at the cost of the old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage_engine import DAY_MS, old_uploads
from tests.storage_engine.engine_steps import BUCKET, attributes, problems, put_part
from tests.storage_engine.lifecycle_steps import Governed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Governed]:
    """Open a store with old uploads in two buckets, and a new one."""
    governed = Governed(tmp_path / "store")
    with governed.engine as engine:
        for number in range(5):
            upload = engine.create_upload(BUCKET, f"old{number}", attributes()).result()
            put_part(engine, f"old{number}", upload.upload_id, 1, b"x" * 500)
        engine.create_upload(2, "old", attributes()).result()
        completed = engine.create_upload(BUCKET, "whole", attributes()).result()
        part = put_part(engine, "whole", completed.upload_id, 1, b"whole")
        engine.complete_upload(BUCKET, "whole", completed.upload_id, [part], attributes()).result()
        governed.clock.pass_days(2)
        engine.create_upload(BUCKET, "new", attributes()).result()
        yield governed
        assert problems(engine) == []


def never() -> bool:
    """Let it go on."""
    return False


@pytest.mark.parametrize(("batch", "parts"), [(1, 99), (4, 99), (99, 1), (99, 99)])
def test_old_ones_go_and_others_stay(
    store: Governed, batch: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever bucket; what was completed is an object and stays, as do new uploads."""
    monkeypatch.setattr(old_uploads, "HOUSEKEEPING_BATCH", batch)
    monkeypatch.setattr(old_uploads, "LIFECYCLE_PARTS_MAX", parts)
    by_ms = store.clock.now_ms - DAY_MS
    assert store.engine.abort_uploads(by_ms, never) == (6, True)
    assert store.engine.abort_uploads(by_ms, never) == (0, True)
    assert [upload.key for upload in store.engine.list_uploads(BUCKET).uploads] == ["new"]
    assert store.engine.list_uploads(2).uploads == []
    counts = store.engine.namespace_counts(BUCKET)
    assert (counts.upload_bytes, counts.parts, counts.objects) == (0, 0, 1)


def test_it_goes_on_where_it_was_stopped(store: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn between two commits."""
    monkeypatch.setattr(old_uploads, "HOUSEKEEPING_BATCH", 2)
    turns = iter([False])
    by_ms = store.clock.now_ms - DAY_MS
    assert store.engine.abort_uploads(by_ms, lambda: next(turns, True)) == (2, False)
    assert store.engine.abort_uploads(by_ms, never) == (4, True)
