"""Listing open uploads: order, pages, prefixes, against a sorted list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.storage_engine.engine_steps import BUCKET, attributes, put_part

if TYPE_CHECKING:
    from storage_engine import StorageEngine, UploadPage

KEYS = ["a", "a/b", "a/b/c", "a/d", "b", "b/", "c-1", "é/x"]


@pytest.fixture
def uploads(engine: StorageEngine) -> list[tuple[str, str]]:
    """Begin several uploads of each key, in two namespaces; return this one's, in order."""
    made = []
    for round_ in range(3):
        for key in KEYS[round_:]:
            made.append(engine.create_upload(BUCKET, key, attributes()).result())
            engine.create_upload(2, key, attributes()).result()
    return sorted(((u.key, u.upload_id) for u in made), key=lambda p: (p[0].encode(), p[1]))


def items(page: UploadPage) -> list[tuple[str, str]]:
    """Merge what a page shows into one order."""
    shown = [(upload.key, upload.upload_id) for upload in page.uploads]
    prefixes = [(prefix, "") for prefix in page.common_prefixes]
    return sorted(shown + prefixes, key=lambda pair: (pair[0].encode(), pair[1]))


def expected(uploads: list[tuple[str, str]], prefix: str, delimiter: str) -> list[tuple[str, str]]:
    """Say what a whole listing shows, from the sorted list."""
    shown: list[tuple[str, str]] = []
    for key, upload_id in uploads:
        if key.startswith(prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            item = (key, upload_id) if cut < 0 else (key[: cut + len(delimiter)], "")
            if item not in shown:
                shown.append(item)
    return shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["", "a", "a/", "a/b", "b", "x", "é"]),
    st.sampled_from(["", "/", "-", "b"]),
    st.integers(1, 7),
)
def test_pages_together_are_the_whole_listing(
    engine: StorageEngine,
    uploads: list[tuple[str, str]],
    prefix: str,
    delimiter: str,
    limit: int,
) -> None:
    """Page by page, every upload or prefix is shown once, in order, by pages of full length."""
    found: list[tuple[str, str]] = []
    after_key = after_id = ""
    while True:
        page = engine.list_uploads(
            BUCKET,
            prefix=prefix,
            delimiter=delimiter,
            after_key=after_key,
            after_upload_id=after_id,
            limit=limit,
        )
        found += items(page)
        after_key, after_id = page.next_key, page.next_upload_id
        if not page.is_truncated:
            break
        assert len(items(page)) == limit
    assert found == expected(uploads, prefix, delimiter)


def test_uploads_of_one_key_come_in_order_of_initiation(engine: StorageEngine) -> None:
    """Ids sort by the time at which their uploads began."""
    begun = []
    for _ in range(3):
        begun.append(engine.create_upload(BUCKET, "k", attributes()).result())
        while engine.create_upload(2, "x", attributes()).result().initiated_ms <= (
            begun[-1].initiated_ms
        ):
            pass
    assert engine.list_uploads(BUCKET).uploads == begun


def test_a_key_marker_alone_skips_the_whole_key(
    engine: StorageEngine, uploads: list[tuple[str, str]]
) -> None:
    """Without an upload id the page starts with the next key, with one after that upload."""
    of_key = [upload_id for key, upload_id in uploads if key == "a/d"]
    page = engine.list_uploads(BUCKET, after_key="a/d", limit=1)
    assert page.uploads[0].key == "b"
    page = engine.list_uploads(BUCKET, after_key="a/d", after_upload_id=of_key[0], limit=1)
    assert page.uploads[0].upload_id == of_key[1]
    page = engine.list_uploads(BUCKET, after_key="a/d", after_upload_id="nonsense", limit=1)
    assert page.uploads[0].upload_id == of_key[0]


def test_a_page_of_nothing_is_empty(engine: StorageEngine, uploads: list[tuple[str, str]]) -> None:
    """A limit of zero, or a namespace without uploads, shows nothing and ends."""
    for page in (engine.list_uploads(BUCKET, limit=0), engine.list_uploads(7)):
        assert items(page) == []
        assert not page.is_truncated
        assert (page.next_key, page.next_upload_id) == ("", "")


@pytest.mark.parametrize("after_part", [10_000, 65_534, 65_535, 2**31 - 1])
def test_no_part_comes_after_the_last_there_can_be(engine: StorageEngine, after_part: int) -> None:
    """A marker beyond every part number gives an empty page."""
    upload_id = engine.create_upload(BUCKET, "k", attributes()).result().upload_id
    put_part(engine, "k", upload_id, 10_000, b"x")
    page = engine.list_parts(BUCKET, "k", upload_id, after_part=after_part)
    assert (page.parts, page.is_truncated) == ([], False)


@pytest.mark.parametrize("after_part", [-1, -5, -(2**31)])
def test_no_part_comes_before_the_first(engine: StorageEngine, after_part: int) -> None:
    """A marker below every part number starts at the first part, and shows nothing else."""
    upload_id = engine.create_upload(BUCKET, "k", attributes()).result().upload_id
    put_part(engine, "k", upload_id, 1, b"x")
    page = engine.list_parts(BUCKET, "k", upload_id, after_part=after_part)
    assert [part.number for part in page.parts] == [1]
