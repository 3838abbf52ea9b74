"""Lifecycle in the index: rows that are there, when they go, and what verify says of wrong ones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import (
    DAY_MS,
    LifecycleOptions,
    NamespaceClosed,
    keys,
    lifecycle_deeds,
    lifecycle_looks,
    lifecycle_plan,
    lifecycle_run,
    rebuild_index,
    renew_engine,
    rows,
)
from storage_engine.layout import INDEX
from tests.storage_engine.engine_steps import (
    BUCKET,
    attributes,
    noise,
    problems,
    put,
    put_multipart,
)
from tests.storage_engine.lifecycle_steps import (
    ENABLED,
    START_MS,
    SUSPENDED,
    UNVERSIONED,
    Governed,
    open_store,
    retained,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage_engine import StorageEngine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Governed]:
    """Open a store."""
    governed = Governed(tmp_path / "store")
    with governed.engine:
        yield governed


def looks(engine: StorageEngine, bucket_id: int = BUCKET) -> list[tuple[int, bytes]]:
    """Return (time, value) of all rows of a bucket."""

    def look(txn: Any) -> list[tuple[int, bytes]]:
        with txn.cursor(engine._index.tables.lifecycle) as cursor:
            rows_ = [(keys.look_parts(place), value) for place, value in cursor]
        return [(at_ms, value) for (id_, at_ms, _), value in rows_ if id_ == bucket_id]

    return engine._index.view(look)


def write(engine: StorageEngine, change: Callable[[Any], None]) -> None:
    """Change the index behind everybody's back."""
    txn = engine._index.begin_write()
    change(txn)
    txn.commit()


# --- many versions of one key, small commits -----------------------------------------------------


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every commit of a run tiny."""
    monkeypatch.setattr(lifecycle_deeds, "LIFECYCLE_VERSIONS_MAX", 7)
    monkeypatch.setattr(lifecycle_looks, "LIFECYCLE_LOOK_AHEAD", 3)


@pytest.mark.usefixtures("tight")
def test_a_key_of_very_many_versions_is_done_in_steps(store: Governed) -> None:
    """No commit looks at more than a few, locked ones are passed over, the marker goes last."""
    store.set_rules(rule(noncurrent_days=1, expires_markers=True))
    kept = [
        store.put("key", **(retained(START_MS + 9 * DAY_MS) if number % 10 < 8 else {}))
        for number in range(50)
    ]
    store.delete("key")
    store.clock.pass_days(4)
    assert store.previewed() == {"expire-noncurrent": 10}
    report = store.run()
    assert report.looks > 50 / 7
    assert report.kept >= 40  # at each look that comes to them
    assert len(store.versions("key")) == 41
    store.clock.pass_days(10)
    assert store.previewed() == {"expire-noncurrent": 40, "expire-marker": 1}
    assert store.run_counted() == {"expire-noncurrent": 40, "expire-marker": 1}
    assert store.versions() == []
    assert kept
    assert problems(store.engine) == []


@pytest.mark.usefixtures("tight")
def test_versions_no_rule_is_about_do_not_hold_up_those_behind(store: Governed) -> None:
    """Old versions that do not match are passed over, however many."""
    store.set_rules(rule(noncurrent_days=1, tags={"temp": "1"}))
    for number in range(30):
        store.put("key", tags={"temp": "1"} if number > 26 else {})
    store.put("key")
    store.clock.pass_days(4)
    assert store.run_counted() == {"expire-noncurrent": 3}
    assert len(store.versions("key")) == 28
    assert problems(store.engine) == []


@pytest.mark.usefixtures("tight")
def test_many_uploads_of_one_key_are_aborted_in_steps(store: Governed) -> None:
    """Behind as many versions that locks keep."""
    store.set_rules(rule(noncurrent_days=1, abort_days=1))
    for _ in range(20):
        store.put("key", **retained(START_MS + 900 * DAY_MS))
        store.engine.create_upload(BUCKET, "key", attributes()).result()
    store.clock.pass_days(4)
    assert store.run_counted() == {"abort-upload": 20}
    assert problems(store.engine) == []


def test_a_rule_that_does_not_find_what_it_keeps_removes_nothing(
    store: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it is to keep are looked for among the newest only; short of them all are kept."""
    store.set_rules(rule(noncurrent_days=1, noncurrent_kept=2, tags={"temp": "1"}))
    for number in range(10):
        store.put("key", tags={"temp": "1"} if number < 6 else {})
    store.clock.pass_days(4)
    assert store.previewed() == {"expire-noncurrent": 4}
    monkeypatch.setattr(lifecycle_plan, "LIFECYCLE_KEPT_WALK_MAX", 4)
    assert store.run_counted() == store.previewed() == {}


def test_a_preview_looks_at_some_versions_at_a_time(
    store: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages are shorter where keys have many, be anything due or not, and tell it all."""
    monkeypatch.setattr(lifecycle_run, "LIFECYCLE_PREVIEW_VERSIONS_MAX", 5)
    store.set_rules(rule(noncurrent_days=1, tags={"temp": "1"}))
    for number in range(6):
        for _ in range(4):
            store.put(f"key{number}", tags={"temp": "1"} if number == 5 else {})
    store.clock.pass_days(4)
    page = store.engine.preview_lifecycle(BUCKET, versioning=ENABLED)
    assert (page.keys, page.is_truncated, page.next_key) == (2, True, "key1")
    assert len(store.preview()) == 3


def test_a_scan_looks_at_some_versions_in_a_commit(
    store: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of many versions are fewer to a page, down to one."""
    for number in range(6):
        for _ in range(5):
            store.put(f"key{number}")
    store.clock.pass_days(4)
    monkeypatch.setattr(lifecycle_deeds, "LIFECYCLE_SCAN_VERSIONS_MAX", 7)
    store.set_rules(rule(noncurrent_days=1))
    seen = []
    for _ in range(3):
        is_over = iter((False, True))
        options = LifecycleOptions(store.bucket, is_slice_over=lambda over=is_over: next(over))
        store.engine.run_lifecycle(options)
        seen.append(sum(at_ms != keys.SCAN_MS for at_ms, _ in looks(store.engine)))
    assert seen == [2, 4, 6]
    assert store.run_counted() == {"expire-noncurrent": 24}
    assert problems(store.engine) == []


@pytest.mark.usefixtures("tight")
def test_a_clock_that_begins_at_0_leaves_looks(tmp_path: Path) -> None:
    """On the first day of 1970 what is to be looked at without delay is taken for no scan."""
    governed = Governed(tmp_path / "early")
    governed.clock.now_ms = 3_600_000
    with governed.engine:
        governed.set_rules(rule(noncurrent_days=1, tags={"temp": "1"}))
        for _ in range(9):
            governed.put("key")
        assert governed.run().failed == 0
        assert problems(governed.engine) == []


def test_a_clock_that_was_set_back_makes_nothing_older(store: Governed) -> None:
    """A version is superseded no earlier than it was written; what is behind it waits with it."""
    store.set_rules(rule(noncurrent_days=2))
    store.clock.pass_days(10)
    store.put("key")
    store.clock.pass_days(-9)
    store.put("key")
    store.put("key")
    store.clock.pass_days(5)
    assert store.run_counted() == {}
    store.clock.pass_days(9)
    assert store.previewed() == store.run_counted() == {"expire-noncurrent": 2}
    assert problems(store.engine) == []


# --- rows that go --------------------------------------------------------------------------------


def test_a_closed_bucket_leaves_nothing(store: Governed) -> None:
    """Rules and counts go with the bucket, and looks with the next run."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1), rule("x", abort_days=9))
    store.put("a")
    store.clock.pass_days(5)
    store.run()
    store.engine.create_upload(BUCKET, "a", attributes()).result()
    assert looks(store.engine)
    store.engine.close_namespace(BUCKET).result()
    assert problems(store.engine) == []
    assert store.engine.lifecycle(BUCKET).rules == ()
    assert store.engine.lifecycle(BUCKET).counts == {}
    store.run()
    assert looks(store.engine) == []
    with pytest.raises(NamespaceClosed):
        store.set_rules(rule(expire_days=1))


def test_what_a_rule_did_is_remembered_while_it_is_there(store: Governed) -> None:
    """Also through a moment without rules, as when they are changed; others start from nothing."""
    store.versioning = UNVERSIONED
    store.set_rules(rule("a", expire_days=1))
    store.put("a", 7)
    store.clock.pass_days(5)
    store.run()
    done_ms = store.clock.now_ms
    store.set_rules()
    store.set_rules(rule("a", expire_days=3), rule("b", expire_days=9))
    counts = store.engine.lifecycle(BUCKET).counts
    assert [(n, c.expired, c.bytes, c.last_ms) for n, c in counts.items()] == [("a", 1, 7, done_ms)]
    store.set_rules(rule("b", expire_days=9))
    assert store.engine.lifecycle(BUCKET).counts == {}


def test_nothing_is_done_in_a_bucket_that_nobody_knows(store: Governed) -> None:
    """Whether its versions are kept cannot be told: everything waits."""
    store.set_rules(rule(expire_days=1))
    store.put("a")
    store.clock.pass_days(5)
    report = store.engine.run_lifecycle(LifecycleOptions(lambda _: None))
    assert report.looks == 0
    assert store.run_counted() == {"expire": 1}


def test_buckets_have_their_turns(store: Governed) -> None:
    """In slices of one commit each, no bucket waits for all of another."""
    store.versioning = UNVERSIONED
    for bucket_id in (1, 2, 3):
        store.engine.set_lifecycle(bucket_id, [rule(expire_days=1)]).result()
        for number in range(100):
            store.engine.put_object(
                bucket_id, f"{number}", store.engine.stage_bytes(b"x"), attributes()
            ).result()
    store.run()
    store.clock.pass_days(5)
    for left in ([36, 100, 100], [36, 36, 100], [36, 36, 36], [0, 36, 36]):
        turns = iter([False])
        store.engine.run_lifecycle(
            LifecycleOptions(store.bucket, is_slice_over=lambda turns=turns: next(turns, True))
        )
        assert [store.engine.namespace_counts(id_).objects for id_ in (1, 2, 3)] == left


def test_large_objects_go_one_in_a_commit(store: Governed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has many parts is no more than a commit may take away."""
    monkeypatch.setattr(lifecycle_deeds, "LIFECYCLE_PARTS_MAX", 2)
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    for number in range(3):
        put_multipart(store.engine, f"{number}", [noise(100, 1), noise(200, 2), noise(300, 3)])
    store.run()
    store.clock.pass_days(5)
    for left in (2, 1, 0):
        turns = iter([False])
        store.engine.run_lifecycle(
            LifecycleOptions(store.bucket, is_slice_over=lambda turns=turns: next(turns, True))
        )
        assert store.engine.namespace_counts(BUCKET).objects == left


def test_a_large_object_that_is_locked_holds_up_nothing_behind_it(
    store: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is passed over takes nothing from what a commit may do."""
    monkeypatch.setattr(lifecycle_deeds, "LIFECYCLE_PARTS_MAX", 2)
    store.put("key")
    put_multipart(store.engine, "key", [noise(100, 1), noise(200, 2), noise(300, 3)])
    store.hold("key", "null", is_on=True)
    store.versioning = SUSPENDED
    store.set_rules(rule(expire_days=1, noncurrent_days=1))
    store.clock.pass_days(4)
    turns = iter([False] * 9)
    store.engine.run_lifecycle(
        LifecycleOptions(store.bucket, is_slice_over=lambda: next(turns, True))
    )
    assert store.versions() == ["key@null"]


def test_damaged_rows_hold_up_no_others(store: Governed) -> None:
    """What cannot be read of one key is passed over, and so is a bucket whose rules do not fit."""
    store.set_rules(rule(noncurrent_days=1, abort_days=1))
    store.run()
    for key in ("a", "b", "c"):
        store.put(key)
        store.put(key)
        uploaded = store.engine.create_upload(BUCKET, key, attributes()).result()
    tables = store.engine._index.tables
    raw_id = bytes.fromhex(uploaded.upload_id)
    write(store.engine, lambda txn: txn.delete(keys.upload(raw_id), db=tables.uploads))

    def spoil(txn: Any) -> None:
        with txn.cursor(tables.versions) as cursor:
            assert cursor.first()
            txn.put(cursor.key(), b"\xc1", db=tables.versions)

    write(store.engine, spoil)
    store.clock.pass_days(4)
    report = store.engine.run_lifecycle(LifecycleOptions(store.bucket))
    assert (report.failed, report.looks, report.is_complete) == (2, 1, True)
    row = rows.encode(rows.NamespaceRow(versions=5))
    write(store.engine, lambda txn: txn.put(keys.sequence(BUCKET), row, db=tables.namespaces))
    store.clock.pass_days(4)
    assert store.engine.run_lifecycle(LifecycleOptions(store.bucket)).looks == 0


def test_another_length_of_day_counts_at_once(tmp_path: Path) -> None:
    """A store opened with shorter days looks at everything anew, and goes by those."""
    store = Governed(tmp_path / "store")
    with store.engine:
        store.set_rules(rule(expire_days=1))
        store.put("a")
        store.run()
    store.engine = open_store(tmp_path / "store", store.clock, day_ms=24_000)
    with store.engine:
        store.clock.now_ms += 24_000
        assert store.run_counted() == {}
        store.clock.now_ms += 1000
        assert store.run_counted() == {"expire": 1}
        assert problems(store.engine) == []


# --- lost indexes --------------------------------------------------------------------------------


def test_an_index_that_is_made_anew_has_rules_looks_and_counts(
    tmp_path: Path, store: Governed
) -> None:
    """They are in the journal and in snapshots as everything is."""
    store.set_rules(rule(expire_days=1))
    store.put("a")
    store.run()
    store.engine.snapshot()
    store.put("b")
    before = (store.engine.lifecycle(BUCKET), looks(store.engine))
    store.engine.close()
    shutil.rmtree(tmp_path / "store" / INDEX)
    rebuild_index(tmp_path / "store")
    with open_store(tmp_path / "store", store.clock) as engine:
        assert (engine.lifecycle(BUCKET), looks(engine)) == before
        assert problems(engine) == []


def test_after_a_salvage_there_are_no_rules_until_they_are_set(
    tmp_path: Path, store: Governed
) -> None:
    """Volumes tell of objects alone; rules that are set again find them, by the age they have."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    put(store.engine, "large", noise(100_000))
    store.engine.close()
    with renew_engine(tmp_path / "store") as engine:
        engine.salvage()
        assert engine.lifecycle(BUCKET).rules == ()
        assert looks(engine) == []
        assert problems(engine) == []
    store.clock.pass_days(100 * 365)  # the record has the time of the disk's clock
    store.engine = open_store(tmp_path / "store", store.clock)
    with store.engine:
        store.set_rules(rule(expire_days=1))
        assert store.run_counted() == {"expire": 1}


# --- wrong ones ----------------------------------------------------------------------------------


def lose_look(engine: StorageEngine, txn: Any) -> None:
    """Drop all looks."""
    with txn.cursor(engine._index.tables.lifecycle) as cursor:
        while cursor.first():
            cursor.delete()


def misplace_look(engine: StorageEngine, txn: Any) -> None:
    """Have a look at another key than its place says."""
    place = keys.look(BUCKET, 5, b"d" * 16)
    txn.put(place, rows.encode(rows.Look("key")), db=engine._index.tables.lifecycle)


def break_look(engine: StorageEngine, txn: Any) -> None:
    """Put nonsense in the place of a look."""
    txn.put(keys.look(BUCKET, 5, b"d" * 16), b"\xc1", db=engine._index.tables.lifecycle)


def lose_rules(engine: StorageEngine, txn: Any) -> None:
    """Remove the rules that the namespace says it has."""
    txn.delete(keys.lifecycle(BUCKET), db=engine._index.tables.meta)


def break_rules(engine: StorageEngine, txn: Any) -> None:
    """Put nonsense in their place."""
    txn.put(keys.lifecycle(BUCKET), b"\xc1", db=engine._index.tables.meta)


def close_with_rules(engine: StorageEngine, txn: Any) -> None:
    """Close a namespace and forget its rules."""
    table = engine._index.tables.namespaces
    row = rows.decode_namespace(txn.get(keys.sequence(2), db=table))
    row.is_closed = True
    txn.put(keys.sequence(2), rows.encode(row), db=table)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_look, "nothing looks at 'key'"),
        (misplace_look, "a look in namespace 1 at 5 is not where it belongs"),
        (break_look, "a look in namespace 1 at 5 cannot be read"),
        (lose_rules, "lifecycle of namespace 1 is number 0, and the namespace says"),
        (break_rules, "lifecycle of namespace 1 cannot be read"),
        (close_with_rules, "lifecycle of namespace 2 has rules, and the namespace is closed"),
    ],
)
def test_verify_tells_what_is_wrong(
    store: Governed, damage: Callable[[StorageEngine, Any], None], said: str
) -> None:
    """One sentence that names it."""
    engine = store.engine
    store.versioning = ENABLED
    store.set_rules(rule(expire_days=1))
    engine.set_lifecycle(2, [rule(expire_days=1)]).result()
    store.put("key")
    store.run()
    assert problems(engine) == []
    write(engine, lambda txn: damage(engine, txn))
    assert any(said in problem for problem in problems(engine)), problems(engine)
