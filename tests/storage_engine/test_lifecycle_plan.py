"""When something falls due, and by which rule: what answers to clients are made of."""

from __future__ import annotations

import pytest

from storage_engine import DAY_MS, Fall, LifecycleRules
from tests.storage_engine.lifecycle_steps import rule

HOUR_MS = DAY_MS // 24
NOON_MS = 100 * DAY_MS + 12 * HOUR_MS


def expiry(*rules: object, modified_ms: int = NOON_MS, key: str = "key") -> Fall | None:
    """Ask for an object of ten bytes with one tag."""
    asked = LifecycleRules(rules)  # type: ignore[arg-type]  # rules
    return asked.expiry(key, 10, {"a": "1"}, modified_ms)


@pytest.mark.parametrize(
    ("modified_ms", "due_ms"),
    [
        (100 * DAY_MS, 104 * DAY_MS),
        (100 * DAY_MS + 1, 104 * DAY_MS),
        (NOON_MS, 104 * DAY_MS),
        (101 * DAY_MS - 1, 104 * DAY_MS),
    ],
)
def test_days_end_at_the_next_midnight(modified_ms: int, due_ms: int) -> None:
    """Three days from whatever hour of a day end at the midnight that follows, as AWS counts."""
    assert expiry(rule(expire_days=3), modified_ms=modified_ms) == Fall(due_ms, "rule")


def test_a_date_is_the_date_itself() -> None:
    """What is written later is there until its own midnight."""
    by_date = rule(expire_at_ms=105 * DAY_MS)
    assert expiry(by_date) == Fall(105 * DAY_MS, "rule")
    assert expiry(by_date, modified_ms=NOON_MS + 9 * DAY_MS) == Fall(110 * DAY_MS, "rule")


def test_the_earliest_rule_counts_and_of_equals_the_first() -> None:
    """Rules that are off, or about others, count for nothing."""
    rules = [
        rule("off", is_enabled=False, expire_days=1),
        rule("elsewhere", prefix="x", expire_days=1),
        rule("other tag", tags={"a": "2"}, expire_days=1),
        rule("larger", size_above=10, expire_days=1),
        rule("smaller", size_below=10, expire_days=1),
        rule("late", expire_days=9),
        rule("first", expire_days=3, tags={"a": "1"}),
        rule("second", prefix="k", expire_days=3),
    ]
    assert expiry(*rules) == Fall(104 * DAY_MS, "first")
    assert expiry(*reversed(rules)) == Fall(104 * DAY_MS, "second")
    assert expiry(*rules[:5]) is None


def test_uploads_are_about_keys_alone() -> None:
    """A rule with tags or sizes is not about uploads."""
    rules = LifecycleRules(
        [rule("tag", abort_days=1, tags={"a": "1"}), rule("plain", abort_days=2, prefix="k")]
    )
    assert rules.upload_expiry("key", NOON_MS) == Fall(103 * DAY_MS, "plain")
    assert rules.upload_expiry("other", NOON_MS) is None


def test_short_days_round_to_their_hours() -> None:
    """A test with days of a minute need not wait for two of them."""
    rules = LifecycleRules([rule(expire_days=2)], 60_000)
    assert rules.expiry("key", 0, {}, 6_000_000 + 100) == Fall(6_122_500, "rule")


def test_prefixes_cover_each_other() -> None:
    """Everything the rules are about lies below these prefixes, and below no two of them."""
    rules = [rule(prefix=prefix) for prefix in ("logs/", "tmp/x", "logs/a/", "tmp/", "tmp0")]
    assert LifecycleRules(rules).prefixes() == ["logs/", "tmp/", "tmp0"]
    assert LifecycleRules([*rules, rule()]).prefixes() == [""]
    assert LifecycleRules([rule(is_enabled=False)]).prefixes() == []
