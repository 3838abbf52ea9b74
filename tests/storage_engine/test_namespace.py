"""The tree of keys, against a plain dictionary, in a real LMDB index."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from storage_engine import keys, limits, links, namespace
from storage_engine.listing import Walk
from tests.storage_engine.key_strategies import cuts_of, delimiters_of, object_keys
from tests.storage_engine.namespace_store import NamespaceStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUCKET = 3
BUCKETS = st.sampled_from([BUCKET, BUCKET + 1])


def directories_of(object_keys: Iterable[bytes]) -> set[bytes]:
    """Name every directory that these keys need, by the bytes that lead to it."""
    paths = set()
    for key in object_keys:
        path = b""
        for name in keys.path_names(key)[:-1]:
            path += keys.path_piece(name)
            paths.add(path)
    return paths


class AgainstDictionary(RuleBasedStateMachine):
    """Two buckets, each a dictionary and a tree, changed alike."""

    drawn: Bundle[bytes] = Bundle("drawn")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = NamespaceStore(Path(self.folder.name))
        self.namespace = self.store.namespace
        self.model: dict[int, dict[bytes, bytes]] = {BUCKET: {}, BUCKET + 1: {}}

    def teardown(self) -> None:
        """Close the index and remove it."""
        self.store.close()
        self.folder.cleanup()

    @rule(target=drawn, bucket_id=BUCKETS, key=object_keys, value=st.binary(max_size=8))
    def put(self, bucket_id: int, key: bytes, value: bytes) -> bytes:
        """Set a key, new or not."""
        with self.store.env.begin(write=True) as txn:
            self.namespace.put(self.store.writer(txn), bucket_id, key, value)
        self.model[bucket_id][key] = value
        return key

    @rule(target=drawn, bucket_id=BUCKETS, key=drawn, tail=object_keys)
    def put_below(self, bucket_id: int, key: bytes, tail: bytes) -> bytes:
        """Set a key that begins with another."""
        longer = (key + tail)[:1024]
        return self.put(bucket_id, longer, tail[:8])

    @rule(bucket_id=BUCKETS, key=consumes(drawn))
    def delete(self, bucket_id: int, key: bytes) -> None:
        """Remove a key that was drawn before, there or not."""
        with self.store.env.begin(write=True) as txn:
            assert self.namespace.delete(self.store.writer(txn), bucket_id, key) == self.model[
                bucket_id
            ].pop(key, None)

    @rule(bucket_id=BUCKETS, key=st.one_of(drawn, object_keys))
    def get(self, bucket_id: int, key: bytes) -> None:
        """Look a key up, there or not."""
        with self.store.env.begin() as txn:
            assert self.namespace.get(txn, bucket_id, key) == self.model[bucket_id].get(key)

    @rule(bucket_id=BUCKETS, put=object_keys, delete=drawn)
    def abort(self, bucket_id: int, put: bytes, delete: bytes) -> None:
        """Change keys in a transaction that is given up."""
        with self.store.env.begin(write=True) as txn:
            self.namespace.put(self.store.writer(txn), bucket_id, put, b"never")
            self.namespace.delete(self.store.writer(txn), bucket_id, delete)
            txn.abort()

    @rule(bucket_id=BUCKETS, data=st.data())
    def list_directory(self, bucket_id: int, data: st.DataObject) -> None:
        """List under a prefix, all in one page."""
        known = self.model[bucket_id]
        prefix, delimiter = data.draw(cuts_of(set(known))), data.draw(delimiters_of(set(known)))
        expected: dict[bytes, bytes | None] = {}
        for key in sorted(known):
            if key.startswith(prefix):
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                item = key if cut < 0 else key[: cut + len(delimiter)]
                expected[item] = known[key] if cut < 0 else None
        with self.store.env.begin() as txn:
            page = self.namespace.scan(txn, bucket_id, prefix=prefix, delimiter=delimiter)
        assert page.items == list(expected.items())

    @rule(bucket_id=BUCKETS, source=drawn, place=st.one_of(drawn, object_keys))
    def move(self, bucket_id: int, source: bytes, place: bytes) -> None:
        """Move a prefix, when there is one and the other is free and has room."""
        source, target = (text[: text.rfind(b"/") + 1] for text in (source, place))
        known = self.model[bucket_id]
        moved = [key for key in known if source and key.startswith(source)]
        with self.store.env.begin(write=True) as txn:
            assert not source or self.namespace.has_prefix(txn, bucket_id, source) == bool(moved)
            if not (moved and target) or target.startswith(source) or source.startswith(target):
                return
            is_free = not any(key.startswith(target) for key in known)
            assert self.namespace.has_prefix(txn, bucket_id, target) != is_free
            longest_max = limits.KEY_BYTES_MAX - len(target)
            longest = self.namespace.longest_below(txn, bucket_id, source, longest_max)
            real = max(map(len, moved)) - len(source)
            assert (longest is None) == (real > longest_max)
            if longest is not None and is_free:
                assert real <= longest <= longest_max
                self.namespace.move(self.store.writer(txn), bucket_id, source, target, longest)
                for key in moved:
                    known[target + key[len(source) :]] = known.pop(key)

    @invariant()
    def bounds_hold(self) -> None:
        """No key below a directory is longer than the entry that leads there says."""
        with self.store.env.begin() as txn, txn.cursor(self.store.entries) as cursor:
            for bucket_id, known in self.model.items():
                walk = Walk(cursor, bucket_id)
                is_inside = walk.seek(b"")
                while is_inside:
                    if walk.is_object:
                        is_inside = walk.advance()
                        continue
                    assert len(walk.value) == links.LINK_BYTES
                    below = [len(key) for key in known if key.startswith(walk.text)]
                    assert max(below) <= len(walk.text) + links.longest(walk.value) <= 1024
                    is_inside = walk.enter()

    @invariant()
    def nothing_is_orphaned(self) -> None:
        """The index holds one entry per key and one per directory that a key needs, no more."""
        with self.store.env.begin() as txn:
            entry_count = len(self.store.raw(txn))
            emptiness = {
                bucket_id: self.namespace.is_empty(txn, bucket_id) for bucket_id in self.model
            }
        assert entry_count == sum(
            len(model) + len(directories_of(model)) for model in self.model.values()
        )
        assert emptiness == {bucket_id: not model for bucket_id, model in self.model.items()}


TestAgainstDictionary = AgainstDictionary.TestCase
TestAgainstDictionary.__doc__ = "Any sequence of changes leaves tree and dictionary equal."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NamespaceStore]:
    """Open an empty index."""
    store = NamespaceStore(tmp_path)
    yield store
    store.close()


LONGEST_KEYS = [
    b"/" * 1024,
    b"x" * 1024,
    b"x" * 1023 + b"/",
    b"/" + b"x" * 1023,
    b"x/" * 512,
    (b"x" * 399 + b"/") * 2 + b"x" * 224,
    (b"x" * 400 + b"/") * 2 + b"x" * 222,
    "\U0010ffff".encode() * 256,
    b"x" + "é".encode() * 511 + b"y",
    b"\x00" * 1024,
    b"\x7f" * 400 + b"\x00" * 624,
]


def test_the_longest_keys_live_together(store: NamespaceStore) -> None:
    """Keys of 1,024 bytes of every kind are kept, found, listed in order, and removed."""
    with store.env.begin(write=True) as txn:
        for number, key in enumerate(LONGEST_KEYS):
            store.namespace.put(store.writer(txn), BUCKET, key, b"%d" % number)
    with store.env.begin(write=True) as txn:
        page = store.namespace.scan(txn, BUCKET)
        assert [key for key, _ in page.items] == sorted(LONGEST_KEYS)
        for number, key in enumerate(LONGEST_KEYS):
            assert store.namespace.get(txn, BUCKET, key) == b"%d" % number
            assert store.namespace.delete(store.writer(txn), BUCKET, key) == b"%d" % number
            assert store.namespace.get(txn, BUCKET, key) is None
        assert store.raw(txn) == []


def test_a_path_is_no_object(store: NamespaceStore) -> None:
    """Neither the beginning of a key nor its directory nor a key below it is found as a key."""
    name = b"x" * 400
    with store.env.begin(write=True) as txn:
        for key in (b"a/b/c", name + b"y"):
            store.namespace.put(store.writer(txn), BUCKET, key, b"value")
        for key in (b"a", b"a/", b"a/b", b"a/b/", b"a/b/c/", b"a/b/c/d", name, name + b"\x00"):
            assert store.namespace.get(txn, BUCKET, key) is None
            assert store.namespace.delete(store.writer(txn), BUCKET, key) is None


def test_an_object_survives_the_directory_of_its_name(store: NamespaceStore) -> None:
    """`a`, `a/` and `a/b` are three objects; removing one leaves the other two."""
    odd = [b"a", b"a/", b"a/b"]
    for removed in odd:
        with store.env.begin(write=True) as txn:
            for key in odd:
                store.namespace.put(store.writer(txn), BUCKET, key, key)
            store.namespace.delete(store.writer(txn), BUCKET, removed)
            found = [store.namespace.get(txn, BUCKET, key) for key in odd]
        assert found == [None if key == removed else key for key in odd]


@pytest.mark.parametrize("key", [b"", b"x" * 1025])
def test_an_impossible_key_is_refused(store: NamespaceStore, key: bytes) -> None:
    """An empty key, or one of more than 1,024 bytes, is a programmer's error."""
    with store.env.begin(write=True) as txn, pytest.raises(AssertionError):
        store.namespace.put(store.writer(txn), BUCKET, key, b"value")


def test_a_directory_that_comes_back_is_another(store: NamespaceStore) -> None:
    """A directory removed and made again has a new id, so an old id can never mislead."""
    found = []
    for _ in range(2):
        with store.env.begin(write=True) as txn:
            store.namespace.put(store.writer(txn), BUCKET, b"a/b", b"value")
        with store.env.begin(write=True) as txn:
            found.append(txn.get(keys.entry(BUCKET, keys.ROOT_DIRECTORY, b"a/"), db=store.entries))
            store.namespace.delete(store.writer(txn), BUCKET, b"a/b")
    assert found == [links.pack(keys.sequence(1), 1), links.pack(keys.sequence(2), 1)]


def test_a_prefix_moves_by_one_entry(store: NamespaceStore) -> None:
    """Whatever is below, a prefix moves by one entry, and by the parents that come and go."""
    tails = [b"", b"1", b"2/3", b"x" * 500 + b"/y"]
    with store.env.begin(write=True) as txn:
        for tail in tails:
            store.namespace.put(store.writer(txn), BUCKET, b"old/" + tail, tail)
        store.namespace.put(store.writer(txn), BUCKET, b"new/home", b"home")
        before = store.raw(txn)
        longest = store.namespace.longest_below(txn, BUCKET, b"old/", 1014)
        assert longest == 502
        store.namespace.move(store.writer(txn), BUCKET, b"old/", b"new/place/", longest)
        assert len(set(before) ^ set(store.raw(txn))) == 4  # the entry, and the bound of new/
        page = store.namespace.scan(txn, BUCKET)
        found = [store.namespace.get(txn, BUCKET, b"new/place/" + tail) for tail in tails]
    assert [key for key, _ in page.items] == sorted(
        [b"new/home", *(b"new/place/" + tail for tail in tails)]
    )
    assert found == tails


def test_a_bound_that_is_too_large_is_looked_behind(store: NamespaceStore) -> None:
    """When the longest key below is gone, the rest still fits where it would not have."""
    with store.env.begin(write=True) as txn:
        for key in (b"a/b/" + b"x" * 1000, b"a/b/c", b"a/d/" + b"y" * 90):
            store.namespace.put(store.writer(txn), BUCKET, key, b"value")
        assert store.namespace.longest_below(txn, BUCKET, b"a/", 500) is None
        store.namespace.delete(store.writer(txn), BUCKET, b"a/b/" + b"x" * 1000)
        assert store.namespace.longest_below(txn, BUCKET, b"a/", 500) == 92
        assert store.namespace.longest_below(txn, BUCKET, b"a/", 91) is None
        assert store.namespace.longest_below(txn, BUCKET, b"a/", 1002) == 1002


def test_measuring_ends_after_so_many_steps(
    store: NamespaceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it would take too long to show that everything fits, it does not."""
    monkeypatch.setattr(namespace, "SCAN_STEPS_MAX", 50)
    with store.env.begin(write=True) as txn:
        for number in range(60):
            store.namespace.put(store.writer(txn), BUCKET, b"a/b/%d" % number, b"value")
        store.namespace.put(store.writer(txn), BUCKET, b"a/b/" + b"x" * 1000, b"value")
        store.namespace.delete(store.writer(txn), BUCKET, b"a/b/" + b"x" * 1000)
        assert store.namespace.longest_below(txn, BUCKET, b"a/", 500) is None


def test_a_way_that_was_found_is_walked_again(store: NamespaceStore) -> None:
    """Put and delete by the way that `look` found come to the same; too narrow a one is no way."""
    namespace = store.namespace
    with store.env.begin(write=True) as txn:
        writer = store.writer(txn)
        assert namespace.look(txn, BUCKET, b"a/b/key") == (None, None), "it has to be made"
        namespace.put(writer, BUCKET, b"a/b/key", b"1")
        value, way = namespace.look(txn, BUCKET, b"a/b/new")
        assert value is None
        assert way is not None
        namespace.put(writer, BUCKET, b"a/b/new", b"2", way)
        assert namespace.get(txn, BUCKET, b"a/b/new") == b"2"
        assert namespace.look(txn, BUCKET, b"a/b/longer") == (None, None), "it has to be widened"
        for key, other in ((b"a/b/new", b"a/b/key"), (b"a/b/key", None)):
            _, way = namespace.look(txn, BUCKET, key)
            assert namespace.delete(writer, BUCKET, key, way) is not None
            assert namespace.is_empty(txn, BUCKET) == (other is None)
