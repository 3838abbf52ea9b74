"""The console's first page: what there is now, what needs attention, and the charts of the past.

Each figure is counted by the engine, the database, the file system or the workers; the note at a
function says by which.
"""

from __future__ import annotations

import heapq
import os
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from buckets import services as bucket_services
from buckets.admin_use import alerts_panel, meters
from buckets.usage import holding_of_user
from iam.console import is_superuser, signed_in
from iam.console_meters import fullest
from iam.console_panels import Panel, link
from iam.sizes import size_text
from s4project import charts
from s4project.alerts import alerts
from s4project.meters.columns import FAILED, RECEIVED, SENT, STATUSES, Kind
from s4project.meters.gauges import look
from s4project.meters.ring import NAME
from s4project.meters.series import TENS, Span, columns, recall
from s4project.operations_jobs import job_rows
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest

    from buckets.registry import BucketState
    from iam.models import User

SHOWN_BUCKETS: Final = 8
MINUTE: Final = Span(60, TENS, 10)
TENTHS_BELOW: Final = 100


class Figure(NamedTuple):
    """One card: what it is, how much, and a word of explanation."""

    title: str
    value: str
    note: str


def context(request: HttpRequest) -> dict[str, Any]:
    """Gather what the page shows to who asks."""
    user = signed_in(request)
    if user is None:
        return {}
    is_for_all = is_superuser(request)
    registry = bucket_services.load_registry()
    shown = registry.all() if is_for_all else registry.owned_by(user.canonical_id)
    near = alerts_panel(user)
    found = {
        "figures": figures(request),
        "panels": [
            *([] if near is None else [near]),
            largest(shown),
            *([jobs()] if is_for_all else []),
        ],
        "alerts": alerts() if is_for_all else [],
    }
    return found | (_past(request) if is_for_all else {})


def _past(request: HttpRequest) -> dict[str, Any]:
    """Say which part of the past the charts show, and which others there are."""
    asked, now = charts.asked(request), int(time.time())
    return {
        "charts": charts.CHARTS,
        "spans": [(f"?range={key}", text, key == asked.name) for key, text in _spans()],
        "asked": asked,
        "earlier": asked.moved(-1, now),
        "later": asked.moved(1, now),
        "kinds": [(kind.name.lower(), text) for kind, text in charts.KIND_NAMES.items()],
    }


def _spans() -> list[tuple[str, Any]]:
    return list(charts.SPAN_NAMES.items())


def over_time(request: HttpRequest) -> JsonResponse:
    """Answer the charts of a span and the figures of now: the page asks while it is open."""
    if not is_superuser(request):
        raise PermissionDenied
    directory, asked = settings.S4.data_dir, charts.asked(request)
    told = charts.told(
        directory / NAME, asked, int(time.time()), lambda: look(get_engine(), directory)
    )
    return JsonResponse(told | {"figures": [figure._asdict() for figure in figures(request)]})


def figures(request: HttpRequest) -> list[Figure]:
    """Count what the user may see: the whole store, or his own buckets."""
    user = signed_in(request)
    if user is None:
        return []
    registry = bucket_services.load_registry()
    if is_superuser(request):
        return [*_of_the_store(registry.all()), _room(), *_of_the_last_minute()]
    return _of_one(user, registry.owned_by(user.canonical_id))


def _of_the_last_minute() -> list[Figure]:
    """Show what the workers counted in the last six times ten seconds that are over."""
    now = int(time.time())
    series = recall(settings.S4.data_dir / NAME, MINUTE, now, now)
    count = series.total(*columns(*range(STATUSES)))
    failed = series.total(*columns(FAILED))
    slow = series.percentile(0.95, Kind)
    sent, received = series.total(*columns(SENT)), series.total(*columns(RECEIVED))
    said = _("none failed") if not failed else _("%(count)s failed") % {"count": f"{failed:,}"}
    quick = "" if slow is None else _("; 95 of 100 answered in %(time)s") % {"time": _time(slow)}
    return [
        Figure(_("Requests"), f"{_tenths(count / 60)}/s", f"{said}{quick}"),
        Figure(
            _("Traffic"),
            f"{size_text((sent + received) // 60)}/s",
            _("%(sent)s/s sent, %(received)s/s received")
            % {"sent": size_text(sent // 60), "received": size_text(received // 60)},
        ),
    ]


def _tenths(number: float) -> str:
    return f"{number:,.1f}" if 0 < number < TENTHS_BELOW else f"{number:,.0f}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _of_the_store(buckets: list[BucketState]) -> list[Figure]:
    """Show the engine's totals (`StorageEngine.stats`) and how many buckets SQL knows."""
    stats = get_engine().stats()
    uploads = ngettext("%(count)s unfinished upload", "%(count)s unfinished uploads", stats.uploads)
    versions = _("%(count)s versions") % {"count": f"{stats.versions:,}"}
    return [
        Figure(_("Buckets"), f"{len(buckets):,}", _("of all users")),
        Figure(
            _("Objects"),
            f"{stats.objects:,}",
            f"{versions}, {uploads % {'count': f'{stats.uploads:,}'}}",
        ),
        Figure(_("Stored"), size_text(stats.object_bytes), _("what clients see, all versions")),
        Figure(
            _("On disk"),
            size_text(stats.volume_bytes + stats.index_bytes),
            _("%(size)s to be reclaimed") % {"size": size_text(stats.dead_bytes)},
        ),
        _deduplication(stats.blobs, stats.blob_references),
    ]


def _deduplication(blobs: int, references: int | None) -> Figure:
    """Show how often a payload of 4 KiB or more is used: versions and parts for each one kept."""
    title = _("Deduplication")
    if references is None:
        return Figure(title, "-", _("counted from the next rebuild_index on"))
    words = {"uses": f"{references:,}", "kept": f"{blobs:,}"}
    note = _("%(uses)s uses of %(kept)s payloads of 4 KiB and more") % words
    return Figure(title, f"{references / blobs:.2f} ×" if blobs else "-", note)  # noqa: RUF001


def _room() -> Figure:
    """Show what the file system of the data directory has left for S4 (statvfs)."""
    disk = os.statvfs(settings.S4.data_dir)
    total = size_text(disk.f_blocks * disk.f_frsize)
    free = size_text(disk.f_bavail * disk.f_frsize)
    return Figure(_("Free"), free, _("of the disk's %(total)s") % {"total": total})


def _of_one(user: User, buckets: list[BucketState]) -> list[Figure]:
    """Show the totals of a user's own buckets, by the engine's counts of each."""
    counts = [get_engine().namespace_counts(bucket.id) for bucket in buckets]
    nearest = fullest(meters(holding_of_user(user)))
    own = _("in these buckets")
    return [
        Figure(_("Buckets"), f"{len(buckets):,}", _("of %(user)s") % {"user": user.username}),
        Figure(_("Objects"), f"{sum(count.objects for count in counts):,}", own),
        Figure(_("Stored"), size_text(sum(count.bytes for count in counts)), own),
        *([Figure(_("Quota"), f"{nearest.percent} %", nearest.text)] if nearest else []),
    ]


def jobs() -> Panel:
    """List what S4 did by itself, by the record that the jobs process keeps of each job."""
    rows = [row for row in job_rows() if row.failure or row.last]
    return Panel(
        title=_("Jobs"),
        headers=(_("Name"), _("State"), _("Next"), _("Did last")),
        rows=[(row.name, row.state, row.due, row.failure or row.result) for row in rows],
        empty=_("The jobs process does not run, or has just begun."),
        links=((_("All of it"), reverse("operations_jobs")),),
    )


def largest(buckets: list[BucketState]) -> Panel:
    """List the buckets that hold most, by the engine's counts of each (`namespace_counts`)."""
    engine = get_engine()
    counted = [(engine.namespace_counts(bucket.id), bucket) for bucket in buckets]
    whole = sum(counts.bytes for counts, _bucket in counted)
    first = heapq.nlargest(SHOWN_BUCKETS, counted, key=lambda pair: pair[0].bytes)
    return Panel(
        title=_("Largest buckets"),
        headers=(_("Name"), _("Objects"), _("Size"), _("Share")),
        rows=[
            (
                link(bucket.name, "buckets_bucket_change", bucket.id),
                f"{counts.objects:,}",
                size_text(counts.bytes),
                f"{100 * counts.bytes / whole:.0f} %" if whole else "-",
            )
            for counts, bucket in first
        ],
        empty=_("No bucket yet. Make one under Buckets, or with any S3 client."),
    )
