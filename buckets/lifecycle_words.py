"""Lifecycle rules, what they did and what they would do, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from iam.sizes import exact_size_text, size_text
from storage_engine import LifecycleAction

if TYPE_CHECKING:
    from storage_engine import LifecycleCounts, LifecycleRule

DEEDS: Final = {
    LifecycleAction.EXPIRE: _("expire the current version"),
    LifecycleAction.EXPIRE_MARKER: _("remove the delete marker"),
    LifecycleAction.EXPIRE_NONCURRENT: _("remove the noncurrent version"),
    LifecycleAction.ABORT_UPLOAD: _("abort the upload"),
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
        words.append(gettext("key begins with %(prefix)s") % {"prefix": rule.prefix})
    words += [
        gettext("tag %(key)s=%(value)s") % {"key": key, "value": value}
        for key, value in rule.tags.items()
    ]
    if rule.size_above is not None:
        words.append(gettext("larger than %(size)s") % {"size": exact_size_text(rule.size_above)})
    if rule.size_below is not None:
        words.append(gettext("smaller than %(size)s") % {"size": exact_size_text(rule.size_below)})
    return words or [gettext("every object")]


def action_words(rule: LifecycleRule) -> list[str]:
    """Say what becomes of them."""
    words = []
    if rule.expire_days:
        words.append(
            gettext("current versions expire %(days)s after they were written")
            % {"days": _days(rule.expire_days)}
        )
    if rule.expire_at_ms:
        words.append(
            gettext("current versions expire from %(moment)s on")
            % {"moment": moment_text(rule.expire_at_ms)}
        )
    if rule.expires_markers:
        words.append(gettext("delete markers that hide nothing are removed"))
    if rule.noncurrent_days:
        said = gettext("noncurrent versions are removed %(days)s after they were superseded")
        if rule.noncurrent_kept:
            said = gettext(
                "noncurrent versions are removed %(days)s after they were superseded, but the "
                "newest %(kept)s stay"
            )
        words.append(said % {"days": _days(rule.noncurrent_days), "kept": rule.noncurrent_kept})
    if rule.abort_days:
        words.append(
            gettext("unfinished uploads are aborted %(days)s after they were begun")
            % {"days": _days(rule.abort_days)}
        )
    return words


def counts_words(counts: LifecycleCounts | None) -> list[str]:
    """Say what a rule has done since it was first set."""
    if counts is None or not counts.last_ms:
        return [gettext("nothing yet")]
    figures = (
        (counts.expired, gettext("expired")),
        (counts.expired_noncurrent, gettext("noncurrent versions removed")),
        (counts.expired_markers, gettext("delete markers removed")),
        (counts.aborted_uploads, gettext("uploads aborted")),
        (counts.kept, gettext("kept by locks")),
    )
    words = [f"{number:,} {what}" for number, what in figures if number]
    if counts.bytes:
        words.append(gettext("%(size)s gone") % {"size": size_text(counts.bytes)})
    return [*words, gettext("last %(moment)s") % {"moment": moment_text(counts.last_ms)}]


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": f"{count:,}"}
