"""Lifecycle on a clock that tests move: each action, alone and with others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from storage_engine import DAY_MS, LifecycleBucket, LifecycleOptions, LockMode, lifecycle_run
from tests.storage_engine.engine_steps import BUCKET, attributes, problems, put_part
from tests.storage_engine.lifecycle_steps import (
    ENABLED,
    START_MS,
    SUSPENDED,
    UNVERSIONED,
    Governed,
    retained,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Governed]:
    """Open a store; it must agree with itself at the end, and nothing may be due any more."""
    governed = Governed(tmp_path / "store")
    with governed.engine as engine:
        yield governed
        governed.run()
        assert [deed for deed in governed.preview() if not deed.is_kept] == []
        assert problems(engine) == []


def agree(store: Governed) -> dict[str, int]:
    """Run; make sure that it does what was foretold, and all of it. Return how much of what."""
    foretold = store.previewed()
    assert store.run_counted() == foretold
    assert [deed for deed in store.preview() if not deed.is_kept] == []
    return foretold


def test_an_object_expires_at_the_midnight_after_its_days(store: Governed) -> None:
    """An object of ten in the morning with one day goes at the second midnight, and not before."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    store.put("a")
    store.clock.now_ms = 20_002 * DAY_MS - 1
    assert agree(store) == {}
    store.clock.now_ms += 1
    assert agree(store) == {"expire": 1}
    assert store.versions() == []


def test_what_was_there_before_the_rules_is_found(store: Governed) -> None:
    """Rules count for objects that are older than they, whose age counts from their writing."""
    store.versioning = UNVERSIONED
    store.put("old")
    store.clock.pass_days(40)
    store.put("new")
    store.set_rules(rule(expire_days=30))
    assert store.engine.lifecycle(BUCKET).is_catching_up
    assert agree(store) == {"expire": 1}
    assert not store.engine.lifecycle(BUCKET).is_catching_up
    assert store.keys() == ["new"]


def test_from_a_date_on_everything_expires(store: Governed) -> None:
    """What is older goes on the date; what is written later is there until midnight."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_at_ms=20_010 * DAY_MS))
    store.put("a")
    store.clock.now_ms = 20_010 * DAY_MS
    assert agree(store) == {"expire": 1}
    store.put("b")
    assert agree(store) == {}
    store.clock.pass_days(1)
    assert agree(store) == {"expire": 1}


def test_where_versions_are_kept_expiry_leaves_a_marker(store: Governed) -> None:
    """Then the object is behind a marker, and nothing more comes of it."""
    store.set_rules(rule(expire_days=3))
    store.put("a")
    store.clock.pass_days(4)
    assert agree(store) == {"expire": 1}
    assert store.shapes("a") == "mo"
    store.clock.pass_days(400)
    assert agree(store) == {}


def test_where_versioning_is_suspended_the_null_version_goes(store: Governed) -> None:
    """A marker takes the null version's place, and versions with ids are kept behind it."""
    store.set_rules(rule(expire_days=3))
    store.put("a")
    store.versioning = SUSPENDED
    store.put("a", 99)
    store.clock.pass_days(4)
    (deed,) = store.preview()
    assert deed.size == 99
    assert agree(store) == {"expire": 1}
    assert store.shapes("a") == "mo"
    assert store.versions("a")[0] == "a@null+"


def test_a_null_version_behind_goes_as_a_marker_comes(store: Governed) -> None:
    """A bucket suspended again: the marker is null, and so replaces the null version behind."""
    store.versioning = UNVERSIONED
    store.put("a", 50)
    store.versioning = ENABLED
    store.put("a", 60)
    store.set_rules(rule(expire_days=3))
    store.versioning = SUSPENDED
    store.clock.pass_days(4)
    (deed,) = store.preview()
    assert (deed.size, deed.id) != (60, "null")
    assert agree(store) == {"expire": 1}
    assert store.shapes("a") == "mo"
    assert store.engine.namespace_counts(BUCKET).bytes == 60


def test_superseded_versions_go_by_when_they_were_superseded(store: Governed) -> None:
    """Their own age does not count."""
    store.set_rules(rule(noncurrent_days=5))
    store.put("a")
    store.clock.pass_days(100)
    store.put("a")
    store.clock.pass_days(5)
    assert agree(store) == {}
    store.clock.pass_days(1)
    assert agree(store) == {"expire-noncurrent": 1}
    assert store.shapes("a") == "o"


def test_the_newest_superseded_versions_are_kept(store: Governed) -> None:
    """With two kept, the third goes: once it is old enough, or once there is a third."""
    store.set_rules(rule(noncurrent_days=1, noncurrent_kept=2))
    for _ in range(3):
        store.put("a")
    store.clock.pass_days(50)
    assert agree(store) == {}
    store.put("a")
    assert agree(store) == {"expire-noncurrent": 1}
    assert store.shapes("a") == "ooo"


def test_a_marker_that_is_alone_goes(store: Governed) -> None:
    """A marker with a version behind stays; alone it goes at midnight."""
    store.set_rules(rule(expires_markers=True))
    kept = store.put("a")
    store.delete("a")
    store.clock.pass_days(30)
    assert agree(store) == {}
    store.remove("a", kept.version_id)
    assert agree(store) == {"expire-marker": 1}
    assert store.versions() == []


def test_a_lone_marker_goes_by_the_days_of_an_expiration(store: Governed) -> None:
    """Days count for markers as for objects."""
    store.set_rules(rule(expire_days=10))
    store.delete("a")
    store.clock.pass_days(10)
    assert agree(store) == {}
    store.clock.pass_days(1)
    assert agree(store) == {"expire-marker": 1}


@pytest.mark.parametrize("fields", [{"tags": {"a": "b"}}, {"size_above": 0}, {"size_below": 9}])
def test_markers_match_no_rule_on_tags_or_sizes(store: Governed, fields: dict[str, object]) -> None:
    """A marker has neither."""
    store.set_rules(rule(expire_days=1, expires_markers=True, noncurrent_days=1, **fields))
    store.delete("a")
    store.delete("a")
    store.clock.pass_days(400)
    assert agree(store) == {}
    assert store.shapes("a") == "mm"


def test_all_actions_end_a_key_step_by_step(store: Governed) -> None:
    """An object is hidden, then removed for good, and then its marker with it."""
    store.set_rules(rule(expire_days=10, noncurrent_days=5), rule("m", expires_markers=True))
    store.put("a", 100)
    store.clock.pass_days(11)
    assert agree(store) == {"expire": 1}
    store.clock.pass_days(6)
    assert agree(store) == {"expire-noncurrent": 1, "expire-marker": 1}
    assert store.versions() == []
    counts = store.engine.lifecycle(BUCKET).counts
    assert (counts["rule"].expired, counts["rule"].expired_noncurrent) == (1, 1)
    assert (counts["rule"].bytes, counts["m"].expired_markers) == (100, 1)


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({"prefix": "logs/"}, ["logs/big", "logs/small"]),
        ({"tags": {"keep": "no"}}, ["logs/big", "tagged"]),
        ({"tags": {"keep": "no", "x": "y"}}, ["tagged"]),
        ({"size_above": 100}, ["logs/big"]),
        ({"size_below": 100}, ["logs/small", "tagged"]),
        ({"size_above": 99, "size_below": 101}, ["plain"]),
        ({"prefix": "logs/", "tags": {"keep": "no"}, "size_above": 9}, ["logs/big"]),
        ({"is_enabled": False}, []),
        ({"prefix": "log"}, ["logs/big", "logs/small"]),
        ({}, ["logs/big", "logs/small", "plain", "tagged"]),
    ],
)
@pytest.mark.parametrize("is_before", [True, False], ids=["objects first", "rules first"])
def test_a_filter_means_what_it_says(
    store: Governed, fields: dict[str, object], gone: list[str], is_before: bool
) -> None:
    """Prefix, tags and sizes must all hold; nothing else is touched, ever."""
    store.versioning = UNVERSIONED
    rules = rule(expire_days=1, **fields)
    if not is_before:
        store.set_rules(rules)
    store.put("logs/big", 101, {"keep": "no"})
    store.put("logs/small", 99)
    store.put("plain", 100)
    store.put("tagged", 50, {"keep": "no", "x": "y"})
    if is_before:
        store.set_rules(rules)
    before = store.keys()
    store.clock.pass_days(10)
    agree(store)
    left = store.keys()
    assert [key for key in before if key not in left] == gone


def test_tags_that_come_later_count(store: Governed) -> None:
    """An old object that is tagged goes with the next run; one that loses its tag stays."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=2, tags={"temp": "1"}))
    store.put("a")
    store.put("b", tags={"temp": "1"})
    store.clock.pass_days(1)
    store.tag("b")
    store.clock.pass_days(10)
    assert agree(store) == {}
    store.tag("a", temp="1")
    assert agree(store) == {"expire": 1}
    assert store.keys() == ["b"]


def test_uploads_are_aborted(store: Governed) -> None:
    """With their parts, and by the day they were begun."""
    store.set_rules(rule(abort_days=7))
    upload = store.engine.create_upload(BUCKET, "a", attributes()).result()
    put_part(store.engine, "a", upload.upload_id, 1, b"x" * 1000)
    store.clock.pass_days(7)
    assert agree(store) == {}
    store.engine.create_upload(BUCKET, "a", attributes()).result()
    store.clock.pass_days(1)
    assert agree(store) == {"abort-upload": 1}
    counts = store.engine.namespace_counts(BUCKET)
    assert (counts.uploads, counts.parts, counts.upload_bytes) == (1, 0, 0)
    assert store.engine.lifecycle(BUCKET).counts["rule"].bytes == 1000


def test_uploads_from_before_the_rules_are_found(store: Governed) -> None:
    """As objects are."""
    store.engine.create_upload(BUCKET, "a", attributes()).result()
    store.clock.pass_days(30)
    store.set_rules(rule(abort_days=7, prefix="b"))
    assert agree(store) == {}
    store.set_rules(rule(abort_days=7, prefix="a"))
    assert agree(store) == {"abort-upload": 1}


def test_retention_keeps_a_version_until_it_ends(store: Governed) -> None:
    """It is counted as kept, and goes at the midnight after its time."""
    store.set_rules(rule(noncurrent_days=1))
    store.put("a", **retained(START_MS + 50 * DAY_MS, LockMode.GOVERNANCE))
    store.put("a")
    store.clock.pass_days(10)
    assert agree(store) == {}
    assert store.engine.lifecycle(BUCKET).counts["rule"].kept == 1
    store.clock.now_ms = START_MS + 51 * DAY_MS
    assert agree(store) == {"expire-noncurrent": 1}


def test_a_hold_keeps_a_version_until_it_is_taken_off(store: Governed) -> None:
    """Nothing looks at it meanwhile; then it goes with the next run."""
    store.set_rules(rule(noncurrent_days=1))
    first = store.put("a")
    store.hold("a", None, is_on=True)
    store.put("a")
    store.clock.pass_days(10)
    assert agree(store) == {}
    assert store.engine.lifecycle(BUCKET).next_ms is None
    store.hold("a", first.version_id, is_on=False)
    assert agree(store) == {"expire-noncurrent": 1}


def test_an_object_that_is_locked_is_hidden_all_the_same(store: Governed) -> None:
    """Expiry adds a marker, which takes nothing away."""
    store.set_rules(rule(expire_days=1, noncurrent_days=1))
    store.put("a", **retained(START_MS + 50 * DAY_MS))
    store.clock.pass_days(3)
    assert agree(store) == {"expire": 1}
    store.clock.pass_days(3)
    assert agree(store) == {}
    assert store.shapes("a") == "mo"


def test_renames_lead_into_a_rule_and_out_of_it(store: Governed) -> None:
    """A key that is moved goes by the rules of where it is, with the age it has."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=2, prefix="tmp/"))
    for key in ("in", "tmp/out", "dir/x", "dir/y", "tmp/away/z"):
        store.put(key)
    store.clock.pass_days(1)
    store.engine.rename_object(BUCKET, "tmp/out", "out").result()
    store.engine.rename_prefix(BUCKET, "tmp/away/", "away/").result()
    store.clock.pass_days(5)
    assert agree(store) == {}
    store.engine.rename_object(BUCKET, "in", "tmp/in").result()
    store.engine.rename_prefix(BUCKET, "dir/", "tmp/dir/").result()
    assert agree(store) == {"expire": 3}
    assert store.keys() == ["away/z", "out"]


def test_rules_that_go_while_looks_wait_act_no_more(store: Governed) -> None:
    """No rule, no deed, and in time no look; rules that come again find everything again."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    for number in range(300):
        store.put(f"k{number}")
    store.run()
    store.set_rules()
    store.clock.pass_days(10)
    assert agree(store) == {}
    assert (
        store.engine._index.view(
            lambda txn: txn.stat(store.engine._index.tables.lifecycle)["entries"]
        )
        == 0
    )
    store.set_rules(rule(expire_days=20))
    store.clock.pass_days(5)
    assert agree(store) == {}
    store.set_rules(rule(expire_days=2))
    assert agree(store) == {"expire": 300}


def test_what_is_written_anew_is_not_taken_for_what_was_due(
    store: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run beside a writer removes what is due in the very commit, never what took its place."""
    monkeypatch.setattr(lifecycle_run, "LIFECYCLE_LOOKS", 5)
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    names = [f"{number:03}" for number in range(200)]
    for name in names:
        store.put(name)
    store.clock.pass_days(9)

    def write() -> None:
        for name in reversed(names[100:]):
            store.put(name, 20)

    writer = threading.Thread(target=write)
    writer.start()
    store.run()
    writer.join()
    assert store.keys() == names[100:]


def test_a_null_version_that_a_marker_replaces_goes_but_once(store: Governed) -> None:
    """It is not removed as superseded besides, for then the marker would be, which has its id."""
    store.versioning = UNVERSIONED
    store.put("a", 50)
    store.versioning = ENABLED
    store.put("a", 60)
    store.versioning = SUSPENDED
    store.set_rules(rule(expire_days=3, noncurrent_days=1))
    store.clock.pass_days(1)
    assert agree(store) == {}
    store.clock.pass_days(9)
    store.put("b")
    assert store.previewed() == {"expire": 1}
    assert agree(store) == {"expire": 1}
    assert store.shapes("a") == "mo"


def test_what_only_follows_from_another_deed_is_done_with_it(store: Governed) -> None:
    """A marker is alone once its version went, and a version too many once another was hidden."""
    store.set_rules(
        rule("m", prefix="m", expires_markers=True, noncurrent_days=3),
        rule("k", prefix="k", expire_days=5, noncurrent_days=1, noncurrent_kept=1),
    )
    store.put("m")
    store.delete("m")
    store.put("k")
    store.put("k")
    store.run()
    store.clock.pass_days(10)
    assert problems(store.engine) == []
    assert agree(store) == {"expire": 1, "expire-noncurrent": 2, "expire-marker": 1}
    assert store.shapes("k") == "mo"


def test_a_bucket_that_keeps_versions_since_it_was_asked_about_loses_none(store: Governed) -> None:
    """What was known of it counts for no commit that comes after a change."""
    store.versioning = UNVERSIONED
    store.set_rules(rule(expire_days=1))
    store.put("a")
    store.clock.pass_days(4)

    def ask(_bucket_id: int) -> LifecycleBucket:
        known = LifecycleBucket(store.versioning, generation=store.engine.generation())
        if store.versioning is UNVERSIONED:
            store.versioning = ENABLED
            store.engine.bump_generation("buckets")
        return known

    report = store.engine.run_lifecycle(LifecycleOptions(ask))
    assert (report.looks, report.is_complete) == (1, True)
    assert store.shapes("a") == "mo"
