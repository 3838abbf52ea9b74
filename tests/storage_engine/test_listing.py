"""Pages of a listing, against the sorted set of full keys; and what a page costs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_engine import CorruptBlob, keys, links
from storage_engine.limits import SCAN_STEPS_MAX
from storage_engine.listing import Page
from tests.storage_engine.key_strategies import cuts_of, delimiters_of, key_sets
from tests.storage_engine.namespace_store import NamespaceStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import lmdb

BUCKET = 7
LARGE = 1_000_000 if os.environ.get("S4_TEST_LONG") else 20_000

Item = tuple[bytes, bytes | None]


def expected_items(
    all_keys: Iterable[bytes], prefix: bytes = b"", delimiter: bytes = b"", after: bytes = b""
) -> list[Item]:
    """List the keys the slow and obvious way; a key's value is the key itself."""
    items: list[Item] = []
    for key in sorted(all_keys):
        if not key.startswith(prefix) or key <= after:
            continue
        parts = key[len(prefix) :].partition(delimiter) if delimiter else (b"", b"", b"")
        common_prefix = prefix + parts[0] + parts[1]
        if not parts[1]:
            items.append((key, key))
        elif common_prefix != after and (common_prefix, None) not in items:
            items.append((common_prefix, None))
    return items


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamespaceStore]:
    """Open one index for the module; every test fills it in a transaction that it aborts."""
    store = NamespaceStore(tmp_path_factory.mktemp("listing"))
    yield store
    store.close()


def filled(store: NamespaceStore, keys: Iterable[bytes]) -> lmdb.Transaction[bytes]:
    """Begin a transaction in which the bucket holds these keys, between two other buckets."""
    txn = store.env.begin(write=True)
    for bucket_id in (BUCKET - 1, BUCKET + 1):
        store.namespace.put(store.writer(txn), bucket_id, b"a/other", b"other")
    for key in keys:
        store.namespace.put(store.writer(txn), BUCKET, key, key)
    return txn


def all_pages(
    store: NamespaceStore,
    txn: lmdb.Transaction[bytes],
    *,
    prefix: bytes = b"",
    delimiter: bytes = b"",
    limit: int = 1000,
) -> list[Page]:
    """Page through a listing to its end."""
    pages: list[Page] = []
    while not pages or pages[-1].is_truncated:
        after = pages[-1].last if pages else b""
        pages.append(
            store.namespace.scan(
                txn, BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
        )
    return pages


@given(st.data())
def test_any_page_is_that_of_the_sorted_keys(store: NamespaceStore, data: st.DataObject) -> None:
    """For any keys, prefix, delimiter, start and limit, the page is the one sorting would give."""
    keys = data.draw(key_sets)
    txn = filled(store, keys)
    try:
        for _ in range(5):
            prefix, delimiter = data.draw(cuts_of(keys)), data.draw(delimiters_of(keys))
            rolled_up = {item for item, _ in expected_items(keys, prefix, delimiter)}
            after = data.draw(st.one_of(cuts_of(keys), cuts_of(rolled_up)))
            limit = data.draw(st.integers(1, 8))
            page = store.namespace.scan(
                txn, BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
            expected = expected_items(keys, prefix, delimiter, after)
            assert page.items == expected[:limit]
            assert page.is_truncated == (len(expected) > limit)
            assert page.last == (page.items[-1][0] if page.items else b"")
    finally:
        txn.abort()


@given(st.data())
def test_pages_join_to_the_whole_listing(store: NamespaceStore, data: st.DataObject) -> None:
    """Paging from start to end, each page after the last item, loses and repeats nothing."""
    keys = data.draw(key_sets)
    prefix, delimiter = data.draw(cuts_of(keys)), data.draw(delimiters_of(keys))
    limit = data.draw(st.integers(1, 4))
    txn = filled(store, keys)
    try:
        pages = all_pages(store, txn, prefix=prefix, delimiter=delimiter, limit=limit)
    finally:
        txn.abort()
    items = [item for page in pages for item in page.items]
    assert items == expected_items(keys, prefix, delimiter)
    assert all(len(page.items) == limit for page in pages[:-1])


def test_odd_keys_are_all_listed_in_byte_order(store: NamespaceStore) -> None:
    """Keys that a file system would take for one another are distinct, and in byte order."""
    keys = [b"/", b"//", b"/a", b"a", b"a\x00", b"a-", b"a/", b"a/-", b"a//b", b"a/b", b"a0"]
    txn = filled(store, reversed(keys))
    page = store.namespace.scan(txn, BUCKET)
    rolled_up = store.namespace.scan(txn, BUCKET, delimiter=b"/")
    txn.abort()
    assert [key for key, _ in page.items] == keys
    assert [key for key, _ in rolled_up.items] == [b"/", b"a", b"a\x00", b"a-", b"a/", b"a0"]


def test_neighbours_of_a_long_name_interleave(store: NamespaceStore) -> None:
    """Around a name of exactly 400 bytes, what follows it sorts as full keys do."""
    name = b"x" * 400
    keys = [name, name + b"\x00", name + b"-", name + b"/", name + b"/y", name + b"a", b"y"]
    txn = filled(store, reversed(keys))
    page = store.namespace.scan(txn, BUCKET)
    rolled_up = store.namespace.scan(txn, BUCKET, prefix=name, delimiter=b"/", after=name)
    txn.abort()
    assert [key for key, _ in page.items] == keys
    assert [key for key, _ in rolled_up.items] == keys[1:4] + keys[5:6]


RUNS = [
    [b"%03d" % number for number in range(100)],
    [b"%03d/" % number for number in range(100)],  # each a directory, with an object without name
    [b"%03d/x" % number for number in range(100)],
    [b"%03d" % number + b"/x" * (number % 9 == 8) for number in range(100)],
    [b"%03d" % number + b"-x" * (number % 9 == 8) for number in range(100)],
    [b"%03d" % number + b"x" * 398 * (number % 9 == 8) for number in range(100)],  # continued
    [b"d%d/%03d" % (number // 30, number) for number in range(100)],
]


@pytest.mark.parametrize("keys", RUNS)
@pytest.mark.parametrize("delimiter", [b"", b"/", b"-", b"9", b"9/", b"8-x"])
def test_what_is_read_ahead_is_what_single_steps_find(
    store: NamespaceStore, keys: list[bytes], delimiter: bytes
) -> None:
    """Long rows of like keys, cut anywhere by what is no plain item, are listed as any others."""
    txn = filled(store, keys)
    try:
        for prefix in (b"", b"0", b"04", b"d1/", b"d1/03", b"d"):
            for after in (b"", b"039", b"d1/", b"d1/040"):
                for limit in (7, 40, 1000):
                    page = store.namespace.scan(
                        txn, BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=limit
                    )
                    expected = expected_items(keys, prefix, delimiter, after)
                    assert page.items == expected[:limit]
                    assert page.is_truncated == (len(expected) > limit)
    finally:
        txn.abort()


def test_a_common_prefix_is_shown_once(store: NamespaceStore) -> None:
    """Objects and several directories that begin alike roll up to one item, not one each."""
    keys = [b"a-", b"a-b", b"a-x/1", b"a-y/2", b"b-x/1", b"b-y/1", b"c"]
    txn = filled(store, keys)
    page = store.namespace.scan(txn, BUCKET, delimiter=b"-")
    txn.abort()
    assert page.items == [(b"a-", None), (b"b-", None), (b"c", b"c")]


def test_starting_inside_a_common_prefix_still_shows_it(store: NamespaceStore) -> None:
    """A start in the middle of a rolled-up prefix shows it while a greater key is in it."""
    txn = filled(store, [b"a/1", b"a/2", b"b"])
    inside = store.namespace.scan(txn, BUCKET, delimiter=b"/", after=b"a/1")
    at_its_end = store.namespace.scan(txn, BUCKET, delimiter=b"/", after=b"a/2")
    at_it = store.namespace.scan(txn, BUCKET, delimiter=b"/", after=b"a/")
    txn.abort()
    assert [key for key, _ in inside.items] == [b"a/", b"b"]
    assert [key for key, _ in at_its_end.items] == [b"b"]
    assert [key for key, _ in at_it.items] == [b"b"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_nothing_is_complete(store: NamespaceStore, limit: int) -> None:
    """A limit of zero gives an empty page that is not truncated, as in S3."""
    txn = filled(store, [b"a"])
    page = store.namespace.scan(txn, BUCKET, limit=limit)
    txn.abort()
    assert page == Page()
    assert page.last == b""


@pytest.mark.parametrize(
    ("prefix", "delimiter", "after", "limit"),
    [
        (b"", b"/", b"", 4),  # two big directories, each one item
        (b"", b"-", b"", 4),  # rolled-up prefixes that are no directories
        (b"big/", b"", b"big/n-04990", 5),  # deep in a big directory
        (b"big/", b"", b"big/n-0499", 5),
        (b"big/n", b"", b"", 5),
        (b"tree/", b"", b"tree/00990", 5),  # one object per directory
        (b"tree/", b"/", b"tree/00990/", 5),
        (b"zzz", b"", b"", 5),  # nothing there
    ],
)
def test_a_page_costs_what_it_returns(
    store: NamespaceStore, prefix: bytes, delimiter: bytes, after: bytes, limit: int
) -> None:
    """Among thousands of keys a page visits a few positions per item, wherever it starts."""
    keys = [b"big/n-%05d" % number for number in range(5000)]
    keys += [b"tree/%05d/leaf" % number for number in range(1000)]
    keys += [b"yet-another-%05d" % number for number in range(2000)]
    txn = filled(store, keys)
    page = store.namespace.scan(
        txn, BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=limit
    )
    txn.abort()
    assert page.items == expected_items(keys, prefix, delimiter, after)[:limit]
    assert page.steps <= 4 * len(page.items) + 6


def test_a_directory_level_is_read_without_entering_children(store: NamespaceStore) -> None:
    """Rolling up at `/` visits the children alone, and of what follows no more than it found."""
    txn = filled(store, [b"p/%03d/x/%d" % (i, j) for i in range(100) for j in range(5)])
    page = store.namespace.scan(txn, BUCKET, prefix=b"p/", delimiter=b"/")
    txn.abort()
    assert len(page.items) == 100
    assert page.steps <= 2 * 100 + 4


def test_a_folder_opens_alike_however_many_keys_it_has(store: NamespaceStore) -> None:
    """Where a page of a large folder begins, what is searched there: it costs what it shows."""
    txn = filled(store, (b"big/%07d" % number for number in range(LARGE)))
    asked = [
        (b"big/", b""),
        (b"big/", b"big/%07d" % (LARGE // 2)),
        (b"big/", b"big/%07d" % (LARGE - 300)),
        (b"big/%05d" % (LARGE // 200), b""),
    ]
    pages = [
        store.namespace.scan(txn, BUCKET, prefix=prefix, delimiter=b"/", after=after, limit=250)
        for prefix, after in asked
    ]
    root = store.namespace.scan(txn, BUCKET, delimiter=b"/", limit=250)
    txn.abort()
    assert [len(page.items) for page in pages] == [250, 250, 250, 100]
    assert max(page.steps - 2 * len(page.items) for page in pages) <= 4
    assert (root.items, root.steps <= 4) == ([(b"big/", None)], True)


def test_a_sparse_tree_gives_short_pages(store: NamespaceStore) -> None:
    """Where keys lie hundreds of directories apart, a page ends early and the rest follows."""
    keys = [b"%02d" % number + b"/" * 900 for number in range(25)]
    txn = filled(store, keys)
    pages = all_pages(store, txn)
    txn.abort()
    assert [key for page in pages for key, _ in page.items] == keys
    assert len(pages) > 1
    assert max(page.steps for page in pages) < SCAN_STEPS_MAX + 4 * 1024


def test_a_tree_that_leads_back_and_forth_is_not_read_for_ever(store: NamespaceStore) -> None:
    """Damage that no path is too long for: directories of directories, and not a single key."""
    with store.env.begin(write=True) as txn:
        for level in range(20):
            for name in (b"a/", b"b/"):
                value = links.pack(keys.sequence(level + 1), 1000)
                txn.put(keys.entry(BUCKET, level, name), value, db=store.entries)
    with store.env.begin() as txn, pytest.raises(CorruptBlob):
        store.namespace.scan(txn, BUCKET)
