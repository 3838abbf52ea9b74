"""The section of a bucket's page on lifecycle: its rules in words, what they did, what is next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext

from buckets import services
from buckets.configuration import Lifecycle
from buckets.console import Section, ask_policies, configuration_of
from buckets.lifecycle import LifecycleRefused, check_lifecycle
from buckets.lifecycle_words import (
    action_words,
    counts_words,
    filter_words,
    is_about_everything,
    moment_text,
)
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket
    from storage_engine import LifecycleCounts, LifecycleRule, LifecycleStatus

    Rules = tuple[LifecycleRule, ...]

ID_CHARACTERS_MAX: Final = 255
ACTION: Final = "s3:PutLifecycleConfiguration"  # AWS asks the same of who takes the rules away


class NoSuchRule(services.BucketError):
    """There is no such rule, or not any more."""

    def __init__(self, rule_id: str) -> None:
        name = Truncator(rule_id).chars(ID_CHARACTERS_MAX)
        super().__init__(f"There is no rule {name}: was it deleted meanwhile?")


class RuleRow(NamedTuple):
    """A rule as the list shows it."""

    rule: LifecycleRule
    address: str
    filters: list[str]
    is_about_everything: bool
    actions: list[str]
    done: list[str]


class LifecycleSection(Section):
    """Lists the rules; puts them in order, disables and deletes them."""

    slug = "lifecycle"
    template = "admin/buckets/lifecycle.html"
    refusals = (*Section.refusals, LifecycleRefused)

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        return {
            "up": partial(
                self._change, partial(_move, by=-1), gettext("The rule %(name)s was moved up.")
            ),
            "down": partial(
                self._change, partial(_move, by=1), gettext("The rule %(name)s was moved down.")
            ),
            "enable": partial(
                self._change,
                partial(_enable, is_enabled=True),
                gettext("The rule %(name)s was enabled."),
            ),
            "disable": partial(
                self._change,
                partial(_enable, is_enabled=False),
                gettext("The rule %(name)s was disabled."),
            ),
            "delete": partial(self._change, _delete, gettext("The rule %(name)s was deleted.")),
        }

    def context(self, request: HttpRequest, bucket: Bucket) -> dict[str, Any]:
        """Show the rules and how they stand."""
        del request
        status = get_engine().lifecycle(bucket.pk)
        lifecycle = configuration_of(bucket).lifecycle or Lifecycle(rules=())
        rules = lifecycle.rules
        return {
            "rows": [_row(bucket, rule, status.counts.get(rule.id)) for rule in rules],
            "facts": _standing(status, rules) if rules else [],
        }

    def _change(
        self,
        change: Callable[[Rules, LifecycleRule], Rules],
        said: str,
        request: HttpRequest,
        bucket: Bucket,
    ) -> HttpResponse:
        """Change one rule among the others."""
        rule_id = request.POST.get("rule", "")

        def make() -> None:
            change_rules(request, bucket, lambda rules: change(rules, find_rule(rules, rule_id)))

        return self.save(request, bucket, make, said % {"name": rule_id})


def rules_of(bucket: Bucket) -> Rules:
    """Read the rules that are set; NoSuchBucket."""
    lifecycle = configuration_of(bucket).lifecycle
    return () if lifecycle is None else lifecycle.rules


def find_rule(rules: Rules, rule_id: str) -> LifecycleRule:
    """Find a rule by its id; NoSuchRule."""
    found = next((rule for rule in rules if rule.id == rule_id), None)
    if found is None:
        raise NoSuchRule(rule_id)
    return found


def change_rules(request: HttpRequest, bucket: Bucket, change: Callable[[Rules], Rules]) -> None:
    """Make other rules of those that are set, as PutBucketLifecycleConfiguration would.

    NotAllowed, LifecycleRefused, NoSuchBucket, and what `change` raises.
    """
    ask_policies(request, ACTION, bucket.name)
    services.change_lifecycle(bucket.pk, partial(_changed, change=change))


def _changed(before: Lifecycle | None, change: Callable[[Rules], Rules]) -> Lifecycle | None:
    """Change rules; those that are not changed stay as they were put. LifecycleRefused."""
    old = before or Lifecycle(rules=())
    rules = change(old.rules)
    if not rules:
        return None
    said = [_enabled(rule) for rule in old.rules]
    same = {rule.id for rule in rules if _enabled(rule) in said}
    is_bare = {rule.id for rule in rules} <= old.bare & same  # S3 refuses both forms in one
    lifecycle = msgspec.structs.replace(
        old,
        rules=rules,
        bare=old.bare if is_bare else frozenset(),
        blank=old.blank & same,
        idle=old.idle & same,
    )
    check_lifecycle(lifecycle)
    return lifecycle


def rule_address(bucket: Bucket, rule_id: str = "") -> str:
    """Tell where a rule is edited, or a new one."""
    address = reverse("admin:buckets_bucket_rule", args=[bucket.pk])
    return f"{address}?{urlencode({'rule': rule_id})}" if rule_id else address


def _row(bucket: Bucket, rule: LifecycleRule, counts: LifecycleCounts | None) -> RuleRow:
    return RuleRow(
        rule,
        rule_address(bucket, rule.id),
        filter_words(rule),
        is_about_everything(rule),
        action_words(rule),
        counts_words(counts),
    )


def _standing(status: LifecycleStatus, rules: Rules) -> list[tuple[str, str]]:
    """Say what lifecycle is about to do."""
    if status.rules != rules:  # a crash came between the two, see `buckets.alignment`
        state = gettext("not in force yet: the engine is told of these rules within the hour")
    elif status.is_catching_up:
        state = gettext("catching up: the rules are new, and not every key was looked at since")
    elif status.next_ms is None:
        state = gettext("nothing waits")
    else:
        state = gettext("up to date")
    next_look = "-" if status.next_ms is None else moment_text(status.next_ms)
    return [("State", state), (gettext("Next look at a key"), next_look)]


def _move(rules: Rules, rule: LifecycleRule, by: int) -> Rules:
    """Put a rule before its neighbour, or behind it."""
    others = [each for each in rules if each is not rule]
    others.insert(max(0, rules.index(rule) + by), rule)
    return tuple(others)


def _enabled(rule: LifecycleRule, *, is_enabled: bool = True) -> LifecycleRule:
    return msgspec.structs.replace(rule, is_enabled=is_enabled)


def _enable(rules: Rules, rule: LifecycleRule, *, is_enabled: bool) -> Rules:
    changed = _enabled(rule, is_enabled=is_enabled)
    return tuple(changed if each is rule else each for each in rules)


def _delete(rules: Rules, rule: LifecycleRule) -> Rules:
    return tuple(each for each in rules if each is not rule)
