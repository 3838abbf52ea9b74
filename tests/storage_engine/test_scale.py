"""What must not grow with the number of objects, counted: pages, renames, files, recoveries.

The short form of benchmarks/scale.py, with its keys; `make test-scale` runs the long one.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import open_engine
from storage_engine.changes import unpack
from storage_engine.journal import Tail
from storage_engine.keys import JOURNAL
from tests.storage_engine.engine_steps import BUCKET, attributes, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import StorageEngine
    from storage_engine.listing import Page

OBJECTS = 20_000
PAGE = 100
FILES_MAX = 16
KEYS_PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "scale_keys.py"


@pytest.fixture(scope="module")
def scale_keys() -> Any:
    """Load the keys of the scale run, which is a program and no package."""
    spec = importlib.util.spec_from_file_location("benchmarks_scale_keys", KEYS_PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, scale_keys: Any) -> Iterator[StorageEngine]:
    """Fill a store; every test leaves it with the same keys."""
    path = tmp_path_factory.mktemp("scale") / "store"
    with open_engine(path) as engine:
        futures = [
            engine.put_object(
                BUCKET, scale_keys.key_of(n, OBJECTS), engine.stage_bytes(b"%d" % n), attributes()
            )
            for n in range(OBJECTS)
        ]
        for future in futures:
            future.result()
        yield engine


def page_of(engine: StorageEngine, prefix: str, delimiter: str, after: str) -> Page:
    """Read one page, with what it cost."""

    def look(txn: Any) -> Page:
        return engine._objects._entries.scan(
            txn,
            BUCKET,
            prefix=prefix.encode(),
            delimiter=delimiter.encode(),
            after=after.encode(),
            limit=PAGE,
        )

    return engine._index.view(look)


def changes(engine: StorageEngine, work: Any) -> int:
    """Count the rows that a commit changed."""

    def tail() -> Tail:
        table = engine._index.tables.meta
        return engine._index.view(lambda txn: Tail.unpack(txn.get(JOURNAL, db=table)))

    before = tail()
    work().result()
    ((body, _),) = engine._journal.read(before)
    return sum(1 for _ in unpack(body))


def test_every_object_has_a_key_of_its_own(filled: StorageEngine) -> None:
    """The shapes of keys overlap nowhere, so that as many objects are there as were put."""
    assert filled.namespace_counts(BUCKET).objects == OBJECTS


def test_a_page_costs_what_it_holds(filled: StorageEngine, scale_keys: Any) -> None:
    """Wherever a page starts, rolled up or not, it visits a few index positions for each item."""
    # Each directory on the way is one to enter and one to leave, and keys lie six deep here.
    random = Random(1)  # noqa: S311  # reproducible, not secret
    for place in scale_keys.places(OBJECTS):
        after = place.first
        for _ in range(20):
            if place.anywhere is not None:
                after = place.anywhere(random)
            page = page_of(filled, place.prefix, place.delimiter, after)
            assert page.items or after, place.name
            assert page.steps <= 20 + 14 * len(page.items), place.name
            after = page.last.decode() if page.is_truncated else place.first


@pytest.mark.parametrize("prefix", ["", "million/"])
def test_a_page_costs_the_same_at_any_key(filled: StorageEngine, prefix: str) -> None:
    """Of a flat prefix or a rolled-up root, the last page costs no more steps than the first."""
    steps, after = [], ""
    while True:
        page = page_of(filled, prefix, "/", after)
        steps.append(page.steps)
        if not page.is_truncated:
            break
        after = page.last.decode()
    assert len(steps) > 15
    assert max(steps) <= 2 * PAGE + 20


def test_a_rename_changes_as_many_rows_for_many_keys_as_for_one(filled: StorageEngine) -> None:
    """Renaming a prefix of 2,000 keys is as many rows in the journal as renaming one of one key."""
    put(filled, "single/key", b"alone")
    one = changes(filled, lambda: filled.rename_prefix(BUCKET, "single/", "renamed/"))
    many = changes(filled, lambda: filled.rename_prefix(BUCKET, "million/", "moved/"))
    deep = changes(filled, lambda: filled.rename_prefix(BUCKET, "million-deep/", "moved-deep/"))
    assert many == one
    assert deep == one
    assert one <= 6
    assert len(page_of(filled, "moved/", "", "").items) == PAGE
    for moved, prefix in (("moved/", "million/"), ("moved-deep/", "million-deep/")):
        filled.rename_prefix(BUCKET, moved, prefix).result()
    filled.delete_object(BUCKET, "renamed/key").result()


def test_files_do_not_follow_objects(filled: StorageEngine) -> None:
    """However many small objects there are, a dozen files hold them."""
    files = [path for path in filled._place.root.rglob("*") if path.is_file()]
    assert len(files) <= FILES_MAX


def test_an_orderly_end_leaves_nothing_to_replay(tmp_path: Path, scale_keys: Any) -> None:
    """A store that was closed begins at the end of its journal, whatever it holds."""
    with open_engine(tmp_path / "store") as engine:
        for number in range(100):
            put(engine, scale_keys.key_of(number, 100), b"payload")
    with open_engine(tmp_path / "store") as engine:
        last = engine._checkpointer.last
        assert last is not None
        assert list(engine._journal.read(last.tail)) == []
        assert engine.namespace_counts(BUCKET).objects == 100
