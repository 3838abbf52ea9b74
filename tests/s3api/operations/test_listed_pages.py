"""A page that takes long: given up, read in a thread, and the page of one moment."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

import pytest

from s3api.context import S3Config, Store
from s3api.operations.listed_pages import read_page
from s3api.protocol import OPERATIONS, Table
from s3api.rates import lone_rates
from storage_engine import EngineOptions, Versioning, open_engine
from tests.storage_engine.engine_steps import BUCKET, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from s3api.operations.listed_pages import Look, Page
    from storage_engine import StorageEngine

KEYS = [f"{folder}{number:02}" for folder in ("a/", "b-", "c/d/") for number in range(30)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageEngine]:
    """Fill a store with objects, older versions, and keys behind delete markers."""
    options = EngineOptions(disk_reserve_bytes=0)
    with open_engine(tmp_path_factory.mktemp("store") / "s", options) as engine:
        for key in KEYS:
            put(engine, key, b"x")
        doomed = [(key, None) for key in KEYS[::3]]
        engine.delete_objects(BUCKET, doomed, versioning=Versioning.ENABLED).result()
        yield engine


def read(engine: StorageEngine, look: Look, limit: int) -> Page:
    """Read a page as a request does."""
    store = Store(engine, None, None, S3Config(), lone_rates())  # type: ignore[arg-type]
    try:
        return asyncio.run(read_page(store, look, limit))
    finally:
        store.close()


@pytest.mark.parametrize("verb", ["listed_objects", "listed_versions"])
@pytest.mark.parametrize("delimiter", ["", "/", "-"])
@pytest.mark.parametrize("limit", [1, 3, 40, 1000])
def test_a_slow_page_is_the_page(
    engine: StorageEngine, verb: str, delimiter: str, limit: int
) -> None:
    """Cut short by the clock after its first item, it is read elsewhere and lacks nothing."""
    page_of = partial(getattr(engine, verb), BUCKET, delimiter=delimiter, limit=limit)
    threads = []

    def look(seconds: float) -> Page:
        threads.append(threading.current_thread())
        page: Page = page_of(seconds=0 if seconds < math.inf else seconds)
        return page

    whole = page_of()
    assert read(engine, look, limit) == whole
    is_finished_elsewhere = min(limit, len(whole)) > 2  # the first key may have two versions
    assert [thread is threading.main_thread() for thread in threads] == (
        [True, False] if is_finished_elsewhere else [True]
    )


@pytest.mark.parametrize("verb", ["listed_objects", "listed_versions"])
def test_a_slow_page_is_of_one_moment(tmp_path: Path, verb: str) -> None:
    """What is renamed while a page is given up and read anew has in it one name, not two."""
    with open_engine(tmp_path / "s", EngineOptions(disk_reserve_bytes=0)) as engine:
        for number in range(10):
            put(engine, f"a/{number}", b"x")

        def look(seconds: float) -> Page:
            page: Page = getattr(engine, verb)(BUCKET, seconds=0 if seconds < math.inf else seconds)
            if seconds < math.inf:
                engine.rename_prefix(BUCKET, "a/", "b/").result()
            return page

        assert read(engine, look, 1000).keys == [f"b/{number}" for number in range(10)]


def test_no_step_of_python_is_taken_for_a_key(engine: StorageEngine) -> None:
    """Ten times as many keys in a row are read and written by hardly more calls of functions."""
    with ThreadPoolExecutor() as pool:
        wait([pool.submit(put, engine, f"row/{number:03}", b"x") for number in range(400)])

    def listed(limit: int) -> int:
        calls = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            page = engine.listed_objects(BUCKET, prefix="row/", limit=limit)
            columns = {
                "Key": page.keys,
                "LastModified": [version.modified_ms for version in page.versions],
                "ETag": [version.attributes.etag for version in page.versions],
                "Size": [version.size for version in page.versions],
                "StorageClass": [version.attributes.storage_class for version in page.versions],
            }
            OPERATIONS["ListObjectsV2"].render({"Contents": Table(columns)})
        finally:
            sys.setprofile(None)
        assert len(page) == limit
        return calls

    listed(1)
    assert listed(400) - listed(40) < 60
