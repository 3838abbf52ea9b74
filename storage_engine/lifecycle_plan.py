"""What lifecycle rules make of one key at some time, and when they next make anything of it.

Pure evaluation, the same for the run, for what it would do, and for when to look again: rules, the
versions and open uploads of a key, a time. Nothing is known here of transactions or the disk.
Sources: Amazon S3 User Guide, "Lifecycle configuration elements" and "Expiring objects".
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from storage_engine import rows
from storage_engine.lifecycle_rules import LifecycleAction, LifecycleDeed
from storage_engine.limits import (
    LIFECYCLE_ASKED,
    LIFECYCLE_KEPT_ASKED_MAX,
    LIFECYCLE_KEPT_WALK_MAX,
)
from storage_engine.options import DAY_MS
from storage_engine.values import NO_ATTRIBUTES, Versioning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from storage_engine.lifecycle_rules import LifecycleRule


class Fall(NamedTuple):
    """When something falls due, and by which rule."""

    due_ms: int
    rule_id: str


class LifecycleRules:
    """Rules as they are asked: those that are enabled, by what they do, in their order."""

    def __init__(self, rules: Sequence[LifecycleRule], day_ms: int = DAY_MS) -> None:
        self._day_ms = day_ms
        # Shorter days, for tests, have no midnight: they round to their hours, or a rule of one day
        # would take nearly two.
        self._round_ms = day_ms if day_ms == DAY_MS else max(1, day_ms // 24)
        self._enabled = [rule for rule in rules if rule.is_enabled]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._enabled)

    def midnight_before(self, at_ms: int) -> int:
        """Return the midnight (UTC) before a moment."""
        return at_ms // self._round_ms * self._round_ms

    def midnight_after(self, at_ms: int) -> int:
        """Return the midnight that follows a moment; at midnight, the next."""
        return self.midnight_before(at_ms) + self._round_ms

    def prefixes(self) -> list[str]:
        """Return prefixes below which everything lies that the rules are about; none twice."""
        found: list[str] = []
        for prefix in sorted({rule.prefix for rule in self._enabled}):
            if not found or not prefix.startswith(found[-1]):
                found.append(prefix)
        return found

    # --- when something falls due ---------------------------------------------------------------

    def expiry(self, key: str, size: int, tags: Mapping[str, str], modified_ms: int) -> Fall | None:
        """Tell when an object expires that is the current version of its key, if ever.

        The earliest expiry wins, of equal ones the first rule's.
        """
        rules = (
            rule
            for rule in self._expiring
            if key.startswith(rule.prefix) and _matches(rule, size, tags)
        )
        return _first(rules, lambda rule: self._expires(rule, modified_ms))

    def marker_expiry(self, key: str, modified_ms: int) -> Fall | None:
        """Tell when a delete marker goes that is all there is of its key, if ever."""
        rules = (rule for rule in self._marking if key.startswith(rule.prefix))
        return _first(
            rules,
            lambda rule: (
                self.midnight_after(modified_ms)
                if rule.expires_markers
                else self._expires(rule, modified_ms)
            ),
        )

    def upload_expiry(self, key: str, initiated_ms: int) -> Fall | None:
        """Tell when an upload is aborted if it is still open then, if ever."""
        rules = (rule for rule in self._aborting if key.startswith(rule.prefix))
        return _first(rules, lambda rule: self._after(initiated_ms, rule.abort_days))

    def noncurrent(self, key: str) -> list[LifecycleRule]:
        """Return the rules on versions that were superseded."""
        return [rule for rule in self._superseding if key.startswith(rule.prefix)]

    def noncurrent_due(self, rule: LifecycleRule, since_ms: int) -> int:
        """Tell when a version goes that was superseded at some time."""
        return self._after(since_ms, rule.noncurrent_days)

    def _after(self, at_ms: int, days: int) -> int:
        return self.midnight_after(at_ms + days * self._day_ms)

    def _expires(self, rule: LifecycleRule, modified_ms: int) -> int:
        """Tell when a rule lets expire what was written at some time.

        What is written after the rule's date is there until midnight at least.
        """
        due = []
        if rule.expire_days:
            due.append(self._after(modified_ms, rule.expire_days))
        if rule.expire_at_ms:
            due.append(max(rule.expire_at_ms, self.midnight_after(modified_ms)))
        return min(due)

    @cached_property
    def _expiring(self) -> list[LifecycleRule]:
        return [rule for rule in self._enabled if rule.expire_days or rule.expire_at_ms]

    @cached_property
    def _marking(self) -> list[LifecycleRule]:
        return [
            rule
            for rule in self._enabled
            if (rule.expires_markers or rule.expire_days or rule.expire_at_ms)
            and not _is_filtered(rule)
        ]

    @cached_property
    def _superseding(self) -> list[LifecycleRule]:
        return [rule for rule in self._enabled if rule.noncurrent_days]

    @cached_property
    def _aborting(self) -> list[LifecycleRule]:
        return [rule for rule in self._enabled if rule.abort_days and not _is_filtered(rule)]


def _first(rules: Iterable[LifecycleRule], due: Callable[[LifecycleRule], int]) -> Fall | None:
    falls = [Fall(due(rule), rule.id) for rule in rules]
    return min(falls, key=lambda fall: fall.due_ms, default=None)


def _is_filtered(rule: LifecycleRule) -> bool:
    """Tell whether a rule asks for what only an object has: markers and uploads never match."""
    return bool(rule.tags) or rule.size_above is not None or rule.size_below is not None


def _matches(rule: LifecycleRule, size: int, tags: Mapping[str, str]) -> bool:
    """Tell whether a rule is about an object of that size with those tags."""
    if rule.size_above is not None and size <= rule.size_above:
        return False
    if rule.size_below is not None and size >= rule.size_below:
        return False
    return all(tags.get(name) == value for name, value in rule.tags.items())


def _matches_version(rule: LifecycleRule, entry: rows.Entry) -> bool:
    if entry.is_marker:
        return not _is_filtered(rule)
    return _matches(rule, entry.size, entry.attributes.tags)


# --- one key -----------------------------------------------------------------------------------


class OpenUpload(NamedTuple):
    """An unfinished upload."""

    id: str
    initiated_ms: int


class KeyState(Protocol):
    """What there is of one key; walks are lazy, for there may be very much of it."""

    key: str
    current: rows.Entry | None

    def newest_first(self) -> Iterator[rows.Entry]:
        """Walk the versions behind the current one."""

    def oldest_first(self, after: int | None) -> Iterator[rows.Entry]:
        """Walk them the other way, from the one after that number."""

    def behind(self, number: int) -> rows.Entry | None:
        """Return the one of that number."""

    def uploads(self) -> Iterator[OpenUpload]:
        """Walk the open uploads, oldest first."""

    def parts_of(self, upload_id: str) -> tuple[int, int]:
        """Return how many parts an upload has, and what their sizes add up to."""


@dataclass(slots=True)
class Allowance:
    """How much more may be looked at, and removed, before others have their turn."""

    versions: int = sys.maxsize
    parts: int = sys.maxsize

    @property
    def is_left(self) -> bool:
        """Tell whether there is any left."""
        return self.versions > 0 and self.parts > 0

    def take(self, parts: int = 0, asked: int = 0) -> bool:
        """Take one version or upload with its parts; False when nothing was left.

        `asked` is how many rules are asked about it.
        """
        if not self.is_left:
            return False
        self.versions -= 1
        self.parts -= parts
        self.ask(asked)
        return True

    def ask(self, asked: int) -> None:
        """Count what was asked of rules, whether anything was left or not."""
        self.versions -= asked // LIFECYCLE_ASKED


class Plan(NamedTuple):
    """What becomes of one key."""

    deeds: list[LifecycleDeed]  # in the order in which they are carried out
    next_ms: int | None  # once they are: when anything else of the key falls due
    is_complete: bool = True  # False: the allowance came to its end before the key did
    after: int | None = None  # then it goes on after the version of this number


def evaluate(  # all that a plan depends on
    rules: LifecycleRules,
    state: KeyState,
    now_ms: int,
    versioning: Versioning,
    allowance: Allowance,
    after: int | None = None,
) -> Plan:
    """Tell what is due of a key, and when something next is; `after` is of an earlier plan."""
    evaluation = _Evaluation(rules, state, now_ms, versioning, allowance)
    evaluation.expire()
    evaluation.remove_noncurrent(after)
    evaluation.remove_marker()
    evaluation.abort_uploads()
    return evaluation.plan()


@dataclass(slots=True)
class _Race:
    """A rule that may still have something due among the newer versions."""

    rule: LifecycleRule
    below: int | None  # versions from this number on are among those it keeps


class _Evaluation:
    """One evaluation under way: deeds so far, and the key as they leave it."""

    def __init__(
        self,
        rules: LifecycleRules,
        state: KeyState,
        now_ms: int,
        versioning: Versioning,
        allowance: Allowance,
    ) -> None:
        self._rules = rules
        self._state = state
        self._now_ms = now_ms
        self._versioning = versioning
        self._allowance = allowance
        self._deeds: list[LifecycleDeed] = []
        self._next_ms: int | None = None
        self._is_complete = True
        self._after: int | None = None
        self._head = state.current  # the current version, as it will be
        self._hidden: rows.Entry | None = None  # what will be the newest behind it
        self._gone: rows.Entry | None = None  # what goes for good as another takes its place
        self._is_alone = False  # nothing will be behind the current version
        self._walked = 0  # versions that were looked at for what is kept
        self._asked = 0  # and questions to rules about them

    def plan(self) -> Plan:
        """Return what was found; what was looked at besides is taken from what others may."""
        self._allowance.versions -= self._walked
        self._allowance.ask(self._rules.count + self._asked)
        return Plan(self._deeds, self._next_ms, self._is_complete, self._after)

    # --- the current version --------------------------------------------------------------------

    def expire(self) -> None:
        """Do as a DELETE would that names no version."""
        current = self._state.current
        if current is None or current.is_marker:
            return
        tags, key = current.attributes.tags, self._state.key
        fall = self._rules.expiry(key, current.size, tags, current.modified_ms)
        if fall is None or not self._is_due(fall.due_ms):
            return
        gone = self._replaced(current)
        size, parts = (0, 0) if gone is None else (gone.size, gone.part_count)
        if self._keeps(gone, fall, LifecycleAction.EXPIRE, current.version_id, size):
            return
        self._allowance.take(parts)  # without asking: there is some left when a key's turn comes
        self._gone = gone
        is_erased = self._versioning is Versioning.UNVERSIONED and not current.object_id
        self._head = None if is_erased else _marker(self._now_ms)
        self._hidden = None if gone is current else current

    def _replaced(self, current: rows.Entry) -> rows.Entry | None:
        """Return the version that goes as a marker comes: the null version, or none."""
        if self._versioning is Versioning.ENABLED:
            return None
        if current.is_null:
            return current
        return None if current.null_behind is None else self._state.behind(current.null_behind)

    # --- those behind it ------------------------------------------------------------------------

    def remove_noncurrent(self, after: int | None) -> None:
        """Go from the oldest on, as far as anything can be due."""
        if self._head is None:
            return
        races = self._races()
        if not races and not self._head.is_marker:
            return
        self._is_alone, self._after = after is None, after
        for entry, newer in pairwise(chain(self._oldest_first(after), [self._head])):
            if not races:
                self._is_alone = False
                return
            if not self._allowance.take(entry.part_count, len(races)):
                self._is_alone = self._is_complete = False
                return
            self._after = entry.version
            # Neither does a clock that was set back make it any older.
            since_ms = max(entry.modified_ms, newer.modified_ms)
            fall = self._superseded(races, entry, since_ms)
            action, name = LifecycleAction.EXPIRE_NONCURRENT, entry.version_id
            if fall is None or self._keeps(entry, fall, action, name, entry.size):
                self._is_alone = False

    def _superseded(self, races: list[_Race], entry: rows.Entry, since_ms: int) -> Fall | None:
        """Tell which rule removes a version now; drop those that remove no newer one either."""
        falls = []
        for race in tuple(races):
            if race.below is not None and entry.version >= race.below:
                races.remove(race)
            elif _matches_version(race.rule, entry):
                due_ms = self._rules.noncurrent_due(race.rule, since_ms)
                if self._is_due(due_ms):
                    falls.append(Fall(due_ms, race.rule.id))
                else:
                    races.remove(race)
        return min(falls, key=lambda fall: fall.due_ms, default=None)

    def _races(self) -> list[_Race]:
        """Return the rules that may remove something, each with what it keeps."""
        rules = self._rules.noncurrent(self._state.key)
        below = self._kept_from(rules)
        return [
            _Race(rule, below.get(place))
            for place, rule in enumerate(rules)
            if not rule.noncurrent_kept or place in below
        ]

    def _kept_from(self, rules: Sequence[LifecycleRule]) -> dict[int, int]:
        """Return the number of the oldest version that a rule keeps, by the rule's place.

        Those that are not in it keep all: what they are about is so rare that not enough of it was
        found among the newest.
        """
        sought = {place: rule.noncurrent_kept for place, rule in enumerate(rules)}
        sought = {place: kept for place, kept in sought.items() if kept}
        below: dict[int, int] = {}
        if not sought:
            return below
        for entry in islice(self._newest_first(), LIFECYCLE_KEPT_WALK_MAX):
            self._walked += 1
            self._asked += len(sought)
            for place in [place for place in sought if _matches_version(rules[place], entry)]:
                sought[place] -= 1
                if not sought[place]:
                    below[place] = entry.version
                    del sought[place]
            if not sought or self._asked >= LIFECYCLE_KEPT_ASKED_MAX:
                break
        return below

    def _newest_first(self) -> Iterator[rows.Entry]:
        if self._hidden is not None:
            yield self._hidden
        for entry in self._state.newest_first():
            if not self._is_gone(entry):
                yield entry

    def _oldest_first(self, after: int | None) -> Iterator[rows.Entry]:
        for entry in self._state.oldest_first(after):
            if not self._is_gone(entry):
                yield entry
        if self._hidden is not None:
            yield self._hidden

    def _is_gone(self, entry: rows.Entry) -> bool:
        return self._gone is not None and entry.version == self._gone.version

    # --- what is left ---------------------------------------------------------------------------

    def remove_marker(self) -> None:
        """Remove a delete marker that hides nothing."""
        head = self._head
        if head is None or not head.is_marker or not self._is_alone:
            return
        fall = self._rules.marker_expiry(self._state.key, head.modified_ms)
        if fall is not None and self._is_due(fall.due_ms):
            self._keeps(head, fall, LifecycleAction.EXPIRE_MARKER, head.version_id, 0)

    def abort_uploads(self) -> None:
        """Abort those that are open for too long."""
        for upload in self._state.uploads():
            fall = self._rules.upload_expiry(self._state.key, upload.initiated_ms)
            if fall is None or not self._is_due(fall.due_ms):
                return  # those begun later are due later
            parts, size = self._state.parts_of(upload.id)
            if not self._allowance.take(parts):
                self._is_complete = False
                return
            self._keeps(None, fall, LifecycleAction.ABORT_UPLOAD, upload.id, size)

    def _is_due(self, at_ms: int) -> bool:
        """Tell whether a time has come; if not, it is one to look again at."""
        if at_ms <= self._now_ms:
            return True
        if self._next_ms is None or at_ms < self._next_ms:
            self._next_ms = at_ms
        return False

    def _keeps(
        self, entry: rows.Entry | None, fall: Fall, action: LifecycleAction, name: str, size: int
    ) -> bool:
        """Note a deed; tell whether a lock keeps its version from it."""
        is_kept, due_ms = False, fall.due_ms
        if entry is not None and entry.is_locked:
            if entry.retain_mode:
                due_ms = max(due_ms, self._rules.midnight_after(entry.retain_until_ms))
            is_kept = entry.has_hold or not self._is_due(due_ms)
        deed = LifecycleDeed(fall.rule_id, action, self._state.key, name, size, due_ms, is_kept)
        self._deeds.append(deed)
        return is_kept


def _marker(modified_ms: int) -> rows.Entry:
    return rows.Entry(0, modified_ms, None, 0, NO_ATTRIBUTES, is_marker=True)
