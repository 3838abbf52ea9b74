"""Lifecycle rules, what they did and what they would do, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from iam.sizes import exact_size_text, size_text
from storage_engine import LifecycleAction

if TYPE_CHECKING:
    from storage_engine import LifecycleCounts, LifecycleRule

DEEDS: Final = {
    LifecycleAction.EXPIRE: "expire the current version",
    LifecycleAction.EXPIRE_MARKER: "remove the delete marker",
    LifecycleAction.EXPIRE_NONCURRENT: "remove the noncurrent version",
    LifecycleAction.ABORT_UPLOAD: "abort the upload",
}


def moment_text(ms: int) -> str:
    """Write a moment as the console does: UTC, to the minute."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def is_about_everything(rule: LifecycleRule) -> bool:
    """Whether no object of the bucket is left out."""
    return not (rule.prefix or rule.tags) and rule.size_above is None and rule.size_below is None


def filter_words(rule: LifecycleRule) -> list[str]:
    """Say which objects a rule is about: those for which all of this is true."""
    words = []
    if rule.prefix:
        words.append(f"key begins with {rule.prefix}")
    words += [f"tag {key}={value}" for key, value in rule.tags.items()]
    if rule.size_above is not None:
        words.append(f"larger than {exact_size_text(rule.size_above)}")
    if rule.size_below is not None:
        words.append(f"smaller than {exact_size_text(rule.size_below)}")
    return words or ["every object"]


def action_words(rule: LifecycleRule) -> list[str]:
    """Say what becomes of them."""
    words = []
    if rule.expire_days:
        words.append(f"current versions expire {_days(rule.expire_days)} after they were written")
    if rule.expire_at_ms:
        words.append(f"current versions expire from {moment_text(rule.expire_at_ms)} on")
    if rule.expires_markers:
        words.append("delete markers that hide nothing are removed")
    if rule.noncurrent_days:
        kept = f", but the newest {rule.noncurrent_kept} stay" if rule.noncurrent_kept else ""
        days = _days(rule.noncurrent_days)
        words.append(f"noncurrent versions are removed {days} after they were superseded{kept}")
    if rule.abort_days:
        days = _days(rule.abort_days)
        words.append(f"unfinished uploads are aborted {days} after they were begun")
    return words


def counts_words(counts: LifecycleCounts | None) -> list[str]:
    """Say what a rule has done since it was first set."""
    if counts is None or not counts.last_ms:
        return ["nothing yet"]
    figures = (
        (counts.expired, "expired"),
        (counts.expired_noncurrent, "noncurrent versions removed"),
        (counts.expired_markers, "delete markers removed"),
        (counts.aborted_uploads, "uploads aborted"),
        (counts.kept, "kept by locks"),
    )
    words = [f"{number:,} {what}" for number, what in figures if number]
    if counts.bytes:
        words.append(f"{size_text(counts.bytes)} gone")
    return [*words, f"last {moment_text(counts.last_ms)}"]


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"
