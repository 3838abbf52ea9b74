"""What lifecycle rules come to, the slow and obvious way, from what a listing shows of one key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from storage_engine import DAY_MS, LockMode, Versioning

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage_engine import LifecycleRule, ObjectInfo, UploadInfo

NEW_MARKER = "a new marker"


class Deed(NamedTuple):
    """What is done to which version, and in the name of which rule."""

    rule_id: str
    action: str
    key: str
    id: str


class Verdict(NamedTuple):
    """What is due of a key, and what is left of it then: ids of versions, newest first."""

    deeds: list[Deed]
    left: list[str]


def midnight(at_ms: int) -> int:
    """Return the midnight after a moment."""
    return (at_ms // DAY_MS + 1) * DAY_MS


def is_about(rule: LifecycleRule, info: ObjectInfo) -> bool:
    """Tell whether a rule is about a version."""
    if not rule.is_enabled or not info.key.startswith(rule.prefix):
        return False
    if info.is_marker:
        return not rule.tags and rule.size_above is None and rule.size_below is None
    if rule.size_above is not None and info.size <= rule.size_above:
        return False
    if rule.size_below is not None and info.size >= rule.size_below:
        return False
    return set(rule.tags.items()) <= set(info.attributes.tags.items())


def is_kept(info: ObjectInfo, now_ms: int) -> bool:
    """Tell whether a lock keeps a version until the next midnight at least."""
    lock = info.lock
    is_retained = lock.mode is not LockMode.NONE and midnight(lock.retain_until_ms) > now_ms
    return bool(lock.has_hold) or is_retained


def expiry(rule: LifecycleRule, info: ObjectInfo) -> int | None:
    """Tell when a rule lets a current version expire, or a marker that is alone."""
    if not is_about(rule, info):
        return None
    times = []
    if rule.expire_days:
        times.append(midnight(info.modified_ms + rule.expire_days * DAY_MS))
    if rule.expire_at_ms:
        times.append(max(rule.expire_at_ms, midnight(info.modified_ms)))
    if rule.expires_markers and info.is_marker:
        times.append(midnight(info.modified_ms))
    return min(times, default=None)


def first_rule(
    rules: Sequence[LifecycleRule], now_ms: int, due: Callable[[LifecycleRule], int | None]
) -> str | None:
    """Return the id of the rule by which something was due first, if it is by now."""
    found = [(at_ms, n) for n, rule in enumerate(rules) if (at_ms := due(rule)) is not None]
    at_ms, number = min(found, default=(now_ms + 1, 0))
    return rules[number].id if at_ms <= now_ms else None


def superseded_due(
    rule: LifecycleRule, behind: Sequence[ObjectInfo], number: int, successor_ms: int
) -> int | None:
    """Tell when a rule removes one of the versions behind the current one, if it does."""
    info = behind[number]
    newer = [other for other in behind[:number] if is_about(rule, other)]
    if not rule.noncurrent_days or not is_about(rule, info) or len(newer) < rule.noncurrent_kept:
        return None
    since_ms = behind[number - 1].modified_ms if number else successor_ms
    return midnight(max(info.modified_ms, since_ms) + rule.noncurrent_days * DAY_MS)


def abort_due(rule: LifecycleRule, upload: UploadInfo) -> int | None:
    """Tell when a rule aborts an upload, if it does."""
    is_filtered = rule.tags or rule.size_above is not None or rule.size_below is not None
    if not rule.is_enabled or not rule.abort_days or is_filtered:
        return None
    if not upload.key.startswith(rule.prefix):
        return None
    return midnight(upload.initiated_ms + rule.abort_days * DAY_MS)


def judge(
    rules: Sequence[LifecycleRule],
    versions: Sequence[ObjectInfo],
    now_ms: int,
    versioning: Versioning,
) -> Verdict:
    """Tell what is due of the versions of one key, newest first.

    Unversioned is a bucket that never was anything else.
    """
    current, behind, deeds = versions[0], list(versions[1:]), []
    head, successor_ms = [current.version_id], current.modified_ms
    gone = [info for info in versions if info.version_id == "null"]
    if versioning is Versioning.ENABLED:
        gone = []
    rule_id = first_rule(rules, now_ms, partial(expiry, info=current))
    if rule_id and not current.is_marker and not any(is_kept(info, now_ms) for info in gone):
        deeds.append(Deed(rule_id, "expire", current.key, current.version_id))
        if versioning is Versioning.UNVERSIONED:
            return Verdict(deeds, [])
        behind = [info for info in versions if info not in gone]
        head, successor_ms = [NEW_MARKER], now_ms
    left = []
    for number, info in enumerate(behind):
        due = partial(superseded_due, behind=behind, number=number, successor_ms=successor_ms)
        by_rule = first_rule(rules, now_ms, due)
        if by_rule and not is_kept(info, now_ms):
            deeds.append(Deed(by_rule, "expire-noncurrent", info.key, info.version_id))
        else:
            left.append(info.version_id)
    if rule_id and current.is_marker and not left:
        deeds.append(Deed(rule_id, "expire-marker", current.key, current.version_id))
        head = []
    return Verdict(deeds, head + left)


def judge_uploads(
    rules: Sequence[LifecycleRule], uploads: Sequence[UploadInfo], now_ms: int
) -> Verdict:
    """Tell which open uploads of a key are aborted."""
    deeds, left = [], []
    for upload in uploads:
        rule_id = first_rule(rules, now_ms, partial(abort_due, upload=upload))
        if rule_id:
            deeds.append(Deed(rule_id, "abort-upload", upload.key, upload.upload_id))
        else:
            left.append(upload.upload_id)
    return Verdict(deeds, left)
