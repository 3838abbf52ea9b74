"""How much of their quotas buckets and users use, as the console's pages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from buckets.models import Bucket
from buckets.usage import HolderKind, Holding, alerts, holding_of_bucket, holding_of_user
from iam.console_meters import Meter, draw, fullest, meters_of
from iam.console_panels import FactsPanel, Panel, first, link
from iam.sizes import size_text
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from iam.models import User

SIZE: Final = _("Size of all versions and unfinished parts")
COUNT: Final = _("Objects, with older versions and delete markers")
KINDS: Final = {HolderKind.BUCKET: _("bucket"), HolderKind.USER: _("user")}
PAGES: Final = {HolderKind.BUCKET: "buckets_bucket_quota", HolderKind.USER: "iam_user_change"}


def meters(holding: Holding) -> list[Meter]:
    """Measure what is used of each bound."""
    return meters_of(holding.quota, size=holding.used.bytes, versions=holding.used.versions)


def draw_use(bucket: Bucket) -> str:
    """Draw the bound of a bucket that has least room left."""
    meter = fullest(meters(holding_of_bucket(bucket)))
    return gettext("none") if meter is None else draw(meter, is_short=True)


def use_facts(holding: Holding) -> list[tuple[Any, Any]]:
    """Show both measures, each as a bar where it is bounded."""
    used = holding.used
    drawn = {meter.what: draw(meter) for meter in meters(holding)}
    return [
        (
            SIZE,
            drawn.get("bytes") or gettext("%(used)s, no bound") % {"used": size_text(used.bytes)},
        ),
        (
            COUNT,
            drawn.get("objects") or gettext("%(used)s, no bound") % {"used": f"{used.versions:,}"},
        ),
    ]


def use_panel(user: User) -> FactsPanel:
    """Show what the buckets of a user hold together, for his page."""
    return FactsPanel(
        gettext("What all his buckets hold together"), use_facts(holding_of_user(user))
    )


def buckets_panel(user: User) -> Panel:
    """List the buckets that a user owns, for his page."""
    owned, note = first(Bucket.objects.filter(owner=user).order_by("name"))
    return Panel(
        title=gettext("Buckets"),
        headers=(gettext("Name"), gettext("Objects"), gettext("Size"), gettext("Quota")),
        rows=[
            (
                link(bucket, "buckets_bucket_change", bucket.pk),
                (counts := get_engine().namespace_counts(bucket.pk)).objects,
                size_text(counts.bytes),
                draw_use(bucket),
            )
            for bucket in owned
        ],
        empty=gettext("None."),
        note=note,
    )


def alerts_panel(user: User) -> Panel | None:
    """List what is near its quota, of what one may see; None: nothing is."""
    found = alerts(None if user.is_superuser else user)
    rows = []
    for holding in found:
        meter = fullest(meters(holding))
        assert meter is not None, "what has no bound is near none"
        is_linked = user.is_superuser or holding.kind is HolderKind.BUCKET
        page = link(holding.name, PAGES[holding.kind], holding.id) if is_linked else holding.name
        rows.append((page, KINDS[holding.kind], draw(meter)))
    if not rows:
        return None
    return Panel(
        gettext("Near their quotas"),
        (gettext("Name"), gettext("What"), gettext("Used")),
        rows,
        empty="",
    )
