"""The overview of a bucket: what it holds, what is set, and where that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext

from buckets.admin_access import policy_words, public_access
from buckets.admin_lock import retention_words
from buckets.admin_use import meters
from buckets.console import TABS, address, configuration_of
from buckets.usage import holding_of_bucket
from iam.console_meters import draw
from iam.console_panels import FactsPanel
from iam.sizes import size_text
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buckets.models import Bucket


def overview(bucket: Bucket, links: Sequence[tuple[str, str]] = ()) -> list[FactsPanel]:
    """Tell of a bucket's content and settings; `links` lead to what can be done with the former."""
    return [_content(bucket, links), _settings(bucket)]


def _content(bucket: Bucket, links: Sequence[tuple[str, str]]) -> FactsPanel:
    """Tell what the engine counts."""
    counts = get_engine().namespace_counts(bucket.pk)
    uploads = f"{counts.uploads:,}"
    if counts.parts:
        uploads += gettext(" (parts: %(count)s, %(size)s)") % {
            "count": f"{counts.parts:,}",
            "size": size_text(counts.upload_bytes),
        }
    return FactsPanel(
        title=gettext("What it holds"),
        links=links,
        facts=[
            (gettext("Objects"), f"{counts.objects:,}"),
            (gettext("Versions, with older ones and delete markers"), f"{counts.versions:,}"),
            (gettext("Size of all versions"), size_text(counts.bytes)),
            (gettext("Unfinished uploads"), uploads),
        ],
    )


def _settings(bucket: Bucket) -> FactsPanel:
    """Tell what is set, each with a link to its section."""
    holding = holding_of_bucket(bucket)
    configuration = configuration_of(bucket)
    lock, lifecycle = configuration.object_lock, configuration.lifecycle
    kept = gettext("off")
    if lock is not None:
        kept = gettext("on; default retention: %(words)s") % {
            "words": retention_words(lock.retention)
        }
    rules = 0 if lifecycle is None else len(lifecycle.rules)
    told = {
        "versioning": bucket.get_versioning_display(),
        "object-lock": kept,
        "lifecycle": rules_words(rules),
        "quota": format_html_join("", "{}", ((draw(meter),) for meter in meters(holding)))
        or gettext("none"),
        "permissions": gettext("public access: %(words)s") % {"words": public_access(bucket)},
        "policy": policy_words(bucket),
        "cors": rules_words(len(configuration.cors)),
        "tags": tags_words(len(configuration.tags)),
    }
    facts = [
        (format_html('<a href="{}">{}</a>', address(bucket, tab.slug), tab.title), told[tab.slug])
        for tab in TABS
        if tab.slug in told
    ]
    return FactsPanel(gettext("What is set"), facts)


def rules_words(count: int) -> str:
    """Say how many rules there are."""
    words = ngettext("%(count)s rule", "%(count)s rules", count)
    return words % {"count": count} if count else gettext("no rules")


def tags_words(count: int) -> str:
    """Say how many tags there are."""
    words = ngettext("%(count)s tag", "%(count)s tags", count)
    return words % {"count": count} if count else gettext("no tags")
