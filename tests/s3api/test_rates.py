"""Rate limits: so many a second and no more, over all processes, for each key and each bucket."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckets.configuration import BucketConfiguration
from buckets.registry import BucketState
from iam.keyring import Credential, Principal
from s3api import rates
from s3api.errors import S3Error
from s3api.rates import ROWS, Rates, RateTable

if TYPE_CHECKING:
    from types import ModuleType

SOMEBODY = Principal(1, "ada", "a" * 64, "Ada", "", None, is_root=False)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, rates: ModuleType, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr(rates.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock."""
    return Clock(rates, monkeypatch)


def key(key_id: int, limit: int | None = None) -> Credential:
    """Make a key."""
    return Credential("AK", "secret", SOMEBODY, key_id=key_id, requests_per_second=limit)


def bucket(bucket_id: int, limit: int | None = None) -> BucketState:
    """Make a bucket."""
    configuration = BucketConfiguration(requests_per_second=limit)
    return BucketState(bucket_id, "box", "a" * 64, "Ada", "", 0, configuration)


def served(rates: Rates, credential: Credential | None, box: BucketState | None, asked: int) -> int:
    """Ask so often; count how often it is served."""
    count = 0
    for _ in range(asked):
        with suppress(S3Error):
            rates.count(credential, box)
            count += 1
    return count


@pytest.mark.parametrize(
    ("own", "of_all", "expected"),
    [(None, 0, 20), (None, 5, 5), (7, 5, 7), (3, 0, 3), (0, 5, 20)],
)
def test_what_is_its_own_wins_over_the_setting(
    clock: Clock, own: int | None, of_all: int, expected: int
) -> None:
    """A key's or a bucket's own limit counts, 0 lifts the setting's, and none leaves it."""
    of_keys = Rates(RateTable(2), 0, per_key=of_all)
    assert served(of_keys, key(1, own), bucket(1), 20) == expected
    of_buckets = Rates(RateTable(2), 0, per_bucket=of_all)
    assert served(of_buckets, key(1), bucket(1, own), 20) == expected
    assert served(of_buckets, None, bucket(2, own), 20) == expected


def test_another_second_is_another_count(clock: Clock) -> None:
    """A limit holds for each second by itself."""
    limited = Rates(RateTable(1), 0, per_key=3)
    for _ in range(5):
        assert served(limited, key(1), None, 10) == 3
        clock.now += 1


def test_the_refusal_says_when_to_come_again(clock: Clock) -> None:
    """One too many gets SlowDown, as AWS's, and the end of the second."""
    limited = Rates(RateTable(1), 0, per_key=1)
    assert served(limited, key(1), None, 1) == 1
    with pytest.raises(S3Error) as refused:
        limited.count(key(1), None)
    assert (refused.value.code, refused.value.status) == ("SlowDown", 503)
    assert refused.value.headers == {"Retry-After": "1"}


def test_keys_and_buckets_are_counted_apart(clock: Clock) -> None:
    """Neither another key nor a bucket of the same number takes anything of a key's limit."""
    limited = Rates(RateTable(1), 0, per_key=3, per_bucket=5)
    assert served(limited, key(1), None, 10) == 3
    assert served(limited, key(2), bucket(1), 10) == 3
    assert served(limited, key(3), bucket(1), 10) == 2
    assert served(limited, None, bucket(2), 10) == 5


def test_what_is_refused_counts_for_nobody(clock: Clock) -> None:
    """A key that asks too much of one bucket has its limit left for another."""
    limited = Rates(RateTable(1), 0, per_key=10, per_bucket=4)
    assert served(limited, key(1), bucket(1), 50) == 4
    assert served(limited, key(1), bucket(2), 50) == 4
    assert served(limited, key(1), bucket(3), 50) == 2


def test_a_session_of_the_console_has_no_key(clock: Clock) -> None:
    """Who comes without a key is limited by no key's limit."""
    limited = Rates(RateTable(1), 0, per_key=1)
    assert served(limited, key(0), bucket(1), 10) == served(limited, None, bucket(1), 10) == 10


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2 * ROWS)), max_size=60),
    st.integers(1, 9),
)
def test_columns_add_up(asked: list[tuple[int, int]], limit: int) -> None:
    """Whoever counts, a row never comes to more than its limit, and to that if asked for."""
    table = RateTable(4)
    workers = [Rates(table, column, per_bucket=limit) for column in range(4)]
    with pytest.MonkeyPatch.context() as patch:
        Clock(rates, patch)
        total: dict[int, list[int]] = {}
        for column, number in asked:
            counts = total.setdefault(number % (ROWS // 2), [0, 0])
            counts[0] += 1
            counts[1] += served(workers[column], None, bucket(number), 1)
    for wanted, got in total.values():
        assert got == min(wanted, limit)


def test_processes_share_the_table() -> None:
    """What a forked process counts, the others see, without a lock or a file."""
    table = RateTable(2)
    with pytest.MonkeyPatch.context() as patch:
        Clock(rates, patch)
        pid = os.fork()
        if pid == 0:
            done = served(Rates(table, 1, per_key=10), key(1), None, 6)
            os._exit(0 if done == 6 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert served(Rates(table, 0, per_key=10), key(1), None, 20) == 4
