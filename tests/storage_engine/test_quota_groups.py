"""Any mix of changes, handed over all at once, ends as if each had been decided alone, in order.

So what shares a commit is judged on what those before it in the group have left: against a model
of plain dictionaries, for namespaces, for accounts, and for namespaces that change their account.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from storage_engine import Quota, QuotaExceeded, QuotaHolder, Usage
from tests.storage_engine.engine_steps import attributes, problems, small_store

if TYPE_CHECKING:
    from storage_engine import StorageEngine
    from storage_engine.futures import Future

BUCKETS = (1, 2, 3)
ACCOUNTS = (1, 2)


class Put(NamedTuple):
    """Puts an object."""

    bucket: int
    key: str
    size: int


class Delete(NamedTuple):
    """Deletes a key."""

    bucket: int
    key: str


class Assign(NamedTuple):
    """Gives a bucket to an account, or to none."""

    bucket: int
    account: int


class Bound(NamedTuple):
    """Bounds a bucket or an account."""

    holder: QuotaHolder
    id: int
    quota: Quota


Change = Put | Delete | Assign | Bound
KEYS = st.sampled_from("abcdef")
QUOTAS = st.builds(Quota, st.sampled_from([0, 40, 90, 150]), st.sampled_from([0, 0, 2, 5]))
# All are kept in the index: a payload that another put has brought, and a delete has taken away
# meanwhile, is written once more, and its put comes after others.
PUTS = st.builds(Put, st.sampled_from(BUCKETS), KEYS, st.sampled_from([0, 1, 19, 20, 40, 60]))
CHANGES = st.one_of(
    PUTS,
    PUTS,
    PUTS,
    st.builds(Delete, st.sampled_from(BUCKETS), KEYS),
    st.builds(Assign, st.sampled_from(BUCKETS), st.sampled_from([0, *ACCOUNTS])),
    st.builds(Bound, st.just(QuotaHolder.BUCKET), st.sampled_from(BUCKETS), QUOTAS),
    st.builds(Bound, st.just(QuotaHolder.ACCOUNT), st.sampled_from(ACCOUNTS), QUOTAS),
)

# Where every example begins: nearly all puts meet the bounds of one account.
SHARED = (
    *(Assign(bucket, 1) for bucket in BUCKETS),
    Bound(QuotaHolder.ACCOUNT, 1, Quota(150, 5)),
)


class Model:
    """What is where, whose it is, and what may be, in dictionaries."""

    def __init__(self) -> None:
        self.sizes: dict[tuple[int, str], int] = {}
        self.owner: dict[int, int] = dict.fromkeys(BUCKETS, 0)
        self.quotas: defaultdict[tuple[QuotaHolder, int], Quota] = defaultdict(Quota)

    def of(self, holder: QuotaHolder, holder_id: int) -> Usage:
        """Add up what somebody holds."""
        sizes = [
            size
            for (bucket, _), size in self.sizes.items()
            if holder_id == (bucket if holder is QuotaHolder.BUCKET else self.owner[bucket])
        ]
        return Usage(len(sizes), len(sizes), sum(sizes), self.quotas[holder, holder_id])

    def do(self, change: Change) -> QuotaHolder | None:
        """Make a change; tell whose quota refuses it."""
        match change:
            case Put(bucket, key, size):
                if (refusing := self._refusing(bucket, key, size)) is not None:
                    return refusing
                self.sizes[bucket, key] = size
            case Delete(bucket, key):
                self.sizes.pop((bucket, key), None)
            case Assign(bucket, account):
                self.owner[bucket] = account
            case Bound(holder, holder_id, quota):
                self.quotas[holder, holder_id] = quota
        return None

    def _refusing(self, bucket: int, key: str, size: int) -> QuotaHolder | None:
        grown, new = size - self.sizes.get((bucket, key), 0), (bucket, key) not in self.sizes
        holders = [(QuotaHolder.BUCKET, bucket)]
        if self.owner[bucket]:
            holders.append((QuotaHolder.ACCOUNT, self.owner[bucket]))
        for holder in holders:
            used = self.of(*holder)
            if grown > 0 and 0 < used.quota.bytes < used.bytes + grown:
                return holder[0]
            if new and 0 < used.quota.versions < used.versions + 1:
                return holder[0]
        return None


def submit(engine: StorageEngine, change: Change) -> Future[object]:
    """Hand a change over, and do not wait."""
    match change:
        case Put(bucket, key, size):
            blob = engine.stage_bytes(b"x" * size)
            return engine.put_object(bucket, key, blob, attributes())
        case Delete(bucket, key):
            return engine.delete_object(bucket, key)
        case Assign(bucket, account):
            return engine.assign_account(bucket, account)
        case Bound(holder, holder_id, quota):
            is_bucket = holder is QuotaHolder.BUCKET
            return (engine.set_quota if is_bucket else engine.set_account_quota)(holder_id, quota)


@settings(max_examples=200 if os.environ.get("S4_TEST_LONG") else 25)
@given(groups=st.lists(st.lists(CHANGES, min_size=20, max_size=60), min_size=1, max_size=3))
def test_a_group_is_decided_in_order(groups: list[list[Change]]) -> None:
    """Each refusal, every total and the recount are what one after the other would give."""
    with TemporaryDirectory() as directory, small_store(Path(directory) / "s") as engine:
        model = Model()
        for group in ([*SHARED, *groups[0]], *groups[1:]):
            futures = [submit(engine, change) for change in group]
            for change, future in zip(group, futures, strict=True):
                error, refusing = future.exception(), model.do(change)
                if refusing is None:
                    assert error is None
                else:
                    assert isinstance(error, QuotaExceeded)
                    assert error.holder is refusing
            for bucket in BUCKETS:
                used = model.of(QuotaHolder.BUCKET, bucket)._replace(account=model.owner[bucket])
                assert engine.usage(bucket) == used
            for account in ACCOUNTS:
                assert engine.account_usage(account) == model.of(QuotaHolder.ACCOUNT, account)
        assert problems(engine) == []
