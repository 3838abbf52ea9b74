"""The overview of a bucket: what it holds, what is set, and where that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.html import format_html, format_html_join

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
        uploads += f" (parts: {counts.parts:,}, {size_text(counts.upload_bytes)})"
    return FactsPanel(
        title="What it holds",
        links=links,
        facts=[
            ("Objects", f"{counts.objects:,}"),
            ("Versions, with older ones and delete markers", f"{counts.versions:,}"),
            ("Size of all versions", size_text(counts.bytes)),
            ("Unfinished uploads", uploads),
        ],
    )


def _settings(bucket: Bucket) -> FactsPanel:
    """Tell what is set, each with a link to its section."""
    holding = holding_of_bucket(bucket)
    configuration = configuration_of(bucket)
    lock, lifecycle = configuration.object_lock, configuration.lifecycle
    kept = "off" if lock is None else f"on; default retention: {retention_words(lock.retention)}"
    rules = 0 if lifecycle is None else len(lifecycle.rules)
    told = {
        "versioning": bucket.versioning,
        "object-lock": kept,
        "lifecycle": counted(rules, "rule"),
        "quota": format_html_join("", "{}", ((draw(meter),) for meter in meters(holding)))
        or "none",
        "permissions": f"public access: {public_access(bucket)}",
        "policy": policy_words(bucket),
        "cors": counted(len(configuration.cors), "rule"),
        "tags": counted(len(configuration.tags), "tag"),
    }
    facts = [
        (format_html('<a href="{}">{}</a>', address(bucket, tab.slug), tab.title), told[tab.slug])
        for tab in TABS
        if tab.slug in told
    ]
    return FactsPanel("What is set", facts)


def counted(count: int, noun: str) -> str:
    """Say how many there are."""
    return f"1 {noun}" if count == 1 else f"{count or 'no'} {noun}s"
