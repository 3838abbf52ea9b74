"""Listing versions: pages that start anywhere, even behind a version that is gone."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from storage_engine import InvalidVersionId, Versioning
from storage_engine.listing import Query
from storage_engine.namespace import Namespace
from tests.storage_engine.engine_steps import BUCKET, attributes, put

if TYPE_CHECKING:
    from storage_engine import ListedVersion, Listing, ObjectInfo, StorageEngine

ENABLED = Versioning.ENABLED


def put_versions(engine: StorageEngine, key: str, count: int) -> list[ObjectInfo]:
    """Put versions of a key; return them, newest first."""
    futures = [
        engine.put_object(BUCKET, key, engine.stage_bytes(b"x"), attributes(), versioning=ENABLED)
        for _ in range(count)
    ]
    return [future.result() for future in reversed(futures)]


def test_a_page_goes_on_behind_a_version_that_is_gone(engine: StorageEngine) -> None:
    """Versions deleted between two pages make the second neither lose nor repeat any."""
    made = put_versions(engine, "k", 6)
    page = engine.list_versions(BUCKET, limit=3)
    assert [i.version_id for i in page.versions] == [i.version_id for i in made[:3]]
    for number in (0, 2, 3):
        engine.delete_version(BUCKET, "k", made[number].version_id).result()
    page = engine.list_versions(
        BUCKET, after_key=page.next_key, after_version_id=page.next_version_id
    )
    assert [i.version_id for i in page.versions] == [i.version_id for i in made[4:]]
    for number in (1,):
        engine.delete_version(BUCKET, "k", made[number].version_id).result()
    page = engine.list_versions(BUCKET, after_key="k", after_version_id=made[3].version_id)
    assert [(i.version_id, i.is_latest) for i in page.versions] == [
        (made[4].version_id, True),
        (made[5].version_id, False),
    ]


def test_the_null_version_has_a_place_to_go_on_behind(engine: StorageEngine) -> None:
    """Behind `null` come the versions older than the null version; all, where there is none."""
    older = put_versions(engine, "k", 2)
    put(engine, "k", b"null")
    newer = put_versions(engine, "k", 1)
    page = engine.list_versions(BUCKET, after_key="k", after_version_id="null")
    assert [i.version_id for i in page.versions] == [i.version_id for i in older]
    engine.delete_version(BUCKET, "k", "null").result()
    page = engine.list_versions(BUCKET, after_key="k", after_version_id="null")
    assert [i.version_id for i in page.versions] == [i.version_id for i in newer + older]


@pytest.mark.parametrize("marker", ["junk", "0" * 15, "0" * 15 + "G", "NULL"])
def test_a_marker_that_can_be_no_id_is_refused(engine: StorageEngine, marker: str) -> None:
    """Whatever key it is of, be there such a key or none, before or behind what is listed."""
    put(engine, "a", b"x")
    for after, limit in product(("", "a", "b", "zz"), (0, 10)):
        with pytest.raises(InvalidVersionId):
            engine.list_versions(
                BUCKET, prefix="a", after_key=after, after_version_id=marker, limit=limit
            )


def test_a_prefix_of_objects_and_markers_is_one_item(engine: StorageEngine) -> None:
    """A common prefix is counted once, whichever tree its keys are in; plain listings lack it."""
    put(engine, "a/object", b"x")
    for key in ("a/marker", "b/marker", "c"):
        engine.delete_object(BUCKET, key, versioning=ENABLED).result()
    put(engine, "d/object", b"x")
    first = engine.list_versions(BUCKET, delimiter="/", limit=2)
    assert (first.common_prefixes, first.is_truncated) == (["a/", "b/"], True)
    assert (first.next_key, first.next_version_id) == ("b/", "")
    rest = engine.list_versions(BUCKET, delimiter="/", after_key=first.next_key)
    assert ([info.key for info in rest.versions], rest.common_prefixes) == (["c"], ["d/"])
    assert engine.list_objects(BUCKET, delimiter="/").common_prefixes == ["a/", "d/"]
    assert engine.list_versions(BUCKET, limit=0).versions == []


@pytest.mark.parametrize("after", ["k/00500", "k/00500+"])
def test_a_page_of_versions_costs_what_it_returns(engine: StorageEngine, after: str) -> None:
    """Neither keys nor versions before the start of a page are visited."""
    targets = [(f"k/{number:05}", None) for number in range(1000)]
    engine.delete_objects(BUCKET, targets, versioning=ENABLED).result()
    tables = engine._index.tables
    steps = 0
    for table in (tables.entries, tables.markers):
        query = Query(b"", b"", after.encode(), 11)
        steps += engine._index.view(
            lambda txn, table=table, query=query: Namespace(table).read(txn, BUCKET, query).steps
        )
    assert steps < 30
    page = engine.list_versions(BUCKET, after_key=after, limit=10)
    assert [info.key for info in page.versions] == [f"k/{n:05}" for n in range(501, 511)]


def test_a_sparse_tree_gives_short_pages_of_versions(engine: StorageEngine) -> None:
    """Where one tree's page ends early, nothing of the other beyond it is shown too soon."""
    deep = [f"{number:02}" + "/" * 900 for number in range(25)]
    engine.delete_objects(BUCKET, [(key, None) for key in deep], versioning=ENABLED).result()
    put(engine, "30", b"x")
    put(engine, "00", b"x")
    found, pages, after, after_id, is_truncated = [], 0, "", "", True
    while is_truncated:
        page = engine.list_versions(BUCKET, after_key=after, after_version_id=after_id)
        found += [info.key for info in page.versions]
        pages += 1
        is_truncated, after, after_id = page.is_truncated, page.next_key, page.next_version_id
    assert found == ["00", *deep, "30"]
    assert pages > 1


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_what_is_listed_briefly_is_what_is_listed(engine: StorageEngine, delimiter: str) -> None:
    """Column by column the versions, prefixes and places of the pages that tell all."""
    for key, count in (("a", 1), ("b/1", 2), ("b/2", 1), ("c", 9), ("d", 1)):
        put_versions(engine, key, count)
    engine.delete_object(BUCKET, "d", versioning=ENABLED).result()
    for limit in (1, 4, 7, 20):
        objects = engine.list_objects(BUCKET, delimiter=delimiter, limit=limit)
        versions = engine.list_versions(BUCKET, delimiter=delimiter, limit=limit)
        brief = engine.listed_objects(BUCKET, delimiter=delimiter, limit=limit)
        assert shown(brief) == [(i.key, i.version_id, i.etag, True) for i in objects.objects]
        assert (brief.common_prefixes, brief.next_key) == (
            objects.common_prefixes,
            objects.next_after,
        )
        brief = engine.listed_versions(BUCKET, delimiter=delimiter, limit=limit)
        assert shown(brief) == [
            (i.key, i.version_id, i.etag, i.is_latest) for i in versions.versions
        ]
        assert (brief.common_prefixes, brief.next_key, brief.next_version_id) == (
            versions.common_prefixes,
            versions.next_key,
            versions.next_version_id,
        )


def shown(page: Listing[ListedVersion]) -> list[tuple[str, str, str, bool]]:
    """Put the columns of a page together."""
    return [
        (key, version.version_id, version.attributes.etag, is_latest)
        for key, version, is_latest in zip(page.keys, page.versions, page.are_latest, strict=True)
    ]


def test_a_long_history_is_read_from_anywhere_to_anywhere(engine: StorageEngine) -> None:
    """Runs of versions end with the page, with the key, and where the next key's begin."""
    made = {key: [i.version_id for i in put_versions(engine, key, 21)] for key in "kl"}
    every = [(key, version_id) for key, ids in made.items() for version_id in ids]
    for start, limit in product((0, 1, 7, 20, 30), (1, 5, 16, 50)):
        key, version_id = every[start]
        page = engine.listed_versions(BUCKET, after=(key, version_id), limit=limit)
        found = [(row[0], row[1]) for row in shown(page)]
        assert found == every[start + 1 : start + 1 + limit]
        assert page.is_truncated == (start + 1 + limit < len(every))
