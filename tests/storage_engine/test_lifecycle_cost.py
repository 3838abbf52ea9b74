"""What lifecycle costs, in lookups: it follows what is due and what changed, not what is there.

With S4_TEST_LONG the bucket has a million objects.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import pytest

from storage_engine import LifecycleOptions
from tests.storage_engine.engine_steps import BUCKET, attributes, problems
from tests.storage_engine.lifecycle_steps import ENABLED, UNVERSIONED, Governed, rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.storage_engine.conftest import Tally

LONG = bool(os.environ.get("S4_TEST_LONG"))
OBJECTS = 1_000_000 if LONG else 2000
LOOKUPS_A_DEED = 25  # of which the deletion itself takes about half

Calls = Counter[str]


class Counted:
    """A transaction or cursor that counts what it is asked."""

    def __init__(self, inner: Any, calls: Calls) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in {"key", "value", "item", "commit", "abort", "id", "stat"}:
            return found
        self._calls[name] += 1
        if name == "cursor":
            return lambda *args, **kwargs: Counted(found(*args, **kwargs), self._calls)
        return found

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self._inner.__exit__(*args)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Governed]:
    """Open a store."""
    governed = Governed(tmp_path / "store")
    governed.versioning = UNVERSIONED
    with governed.engine:
        yield governed


def counted(store: Governed, work: Callable[[], object]) -> int:
    """Return how often the index was asked anything while work was done."""
    calls: Calls = Counter()
    index = store.engine._index
    view, begin_write = index.view, index.begin_write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "view", lambda look: view(lambda txn: look(Counted(txn, calls))))
        patch.setattr(index, "begin_write", lambda: Counted(begin_write(), calls))
        work()
    return calls.total()


def fill(store: Governed, first: int, count: int) -> None:
    """Put so many objects, a few thousand at a time."""
    for start in range(first, first + count, 5000):
        futures = [
            store.engine.put_object(
                BUCKET,
                f"dir{number % 100:02}/{number}",
                store.engine.stage_bytes(b"%d" % number),
                attributes(),
                versioning=store.versioning,
            )
            for number in range(start, min(start + 5000, first + count))
        ]
        for future in futures:
            future.result()


def run(store: Governed) -> int:
    """Do what is due; return how many deeds that were."""
    report = store.engine.run_lifecycle(LifecycleOptions(store.bucket))
    assert report.is_complete
    return sum(report.deeds.values())


@pytest.mark.timeout(3600)
def test_a_hundredth_that_is_due_costs_a_hundredth(store: Governed, tally: Tally) -> None:
    """A run asks for what goes alone; a walk through everything asks for everything."""
    store.set_rules(rule(expire_days=30))
    run(store)
    due = OBJECTS // 100
    fill(store, 0, due)
    store.clock.pass_days(20)
    fill(store, due, OBJECTS - due)
    store.clock.pass_days(11)
    began = time.process_time()
    walked = counted(store, lambda: store.preview(limit=1000))
    walk_cpu, began = time.process_time() - began, time.process_time()
    asked = counted(store, lambda: run(store))
    run_cpu = time.process_time() - began
    assert store.engine.lifecycle(BUCKET).counts["rule"].expired == due
    assert walked >= OBJECTS
    assert asked <= due * LOOKUPS_A_DEED + 100
    assert counted(store, lambda: run(store)) <= 10  # and of nothing, nothing
    tally(
        objects=OBJECTS,
        due=due,
        lookups_of_the_run=asked,
        lookups_of_a_walk=walked,
        run_cpu_ms=int(run_cpu * 1000),
        walk_cpu_ms=int(walk_cpu * 1000),
    )


def test_the_same_that_is_due_costs_the_same_in_a_larger_bucket(store: Governed) -> None:
    """Ten objects of a hundred, or ten of a thousand: not one lookup more than pages need."""
    asked = []
    store.set_rules(rule(expire_days=30))
    run(store)
    for others in (90, 900):
        fill(store, 0, 10)
        store.clock.pass_days(20)
        fill(store, 10, others)
        store.clock.pass_days(11)
        asked.append(counted(store, lambda: run(store)))
        assert store.engine.namespace_counts(BUCKET).objects == others
        store.clock.pass_days(30)
        run(store)
        assert store.engine.namespace_counts(BUCKET).objects == 0
    assert asked[1] <= asked[0] + 20


def test_a_key_that_is_written_all_the_time_is_looked_at_once_a_day(store: Governed) -> None:
    """A thousand writes leave one look for each day on which they were made, and no more."""
    store.versioning = ENABLED
    store.set_rules(rule(expire_days=30, noncurrent_days=3, noncurrent_kept=5))
    run(store)
    for _ in range(4):
        for _ in range(25):
            store.put("key")
        store.clock.pass_days(1)
    tables = store.engine._index.tables
    looks = store.engine._index.view(lambda txn: txn.stat(tables.lifecycle)["entries"])
    assert looks <= 9


def test_rules_below_a_prefix_look_for_nothing_elsewhere(store: Governed) -> None:
    """What is set for one prefix costs what lies there."""
    fill(store, 0, 1000)
    store.set_rules(rule(prefix="dir07/", expire_days=1))
    assert counted(store, lambda: run(store)) < 400


def test_a_thousand_rules_on_one_key_hold_nobody_up(store: Governed) -> None:
    """They walk its versions once, together; and those that find too little remove nothing."""
    store.versioning = ENABLED
    for number in range(100):
        store.put("key", tags={"of": str(number % 4)})
    several = [
        rule(f"{number}", noncurrent_days=1, noncurrent_kept=20, tags={"of": str(number)})
        for number in range(1000)
    ]
    store.set_rules(*several)
    store.run()
    assert counted(store, lambda: store.put("key")) < 300
    store.clock.pass_days(4)
    assert store.run_counted() == store.previewed() == {}
    store.set_rules(*several[:4])
    assert store.previewed() == store.run_counted() == {"expire-noncurrent": 20}
    assert problems(store.engine) == []
