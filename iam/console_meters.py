"""Bars of the console: how much of a quota is used. Every figure is the engine's or a setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.template.loader import render_to_string
from django.utils.translation import gettext

from iam.sizes import exact_size_text, size_text

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from iam.quotas import Quota


class Meter(NamedTuple):
    """How much of one bound is used; a bound of 0 is none, and is no meter."""

    what: str  # "bytes" or "objects"
    used: int
    bound: int
    warn_percent: int

    @property
    def percent(self) -> int:
        """The used share, rounded down: 100 is never said too early."""
        return self.used * 100 // self.bound

    @property
    def drawn_percent(self) -> int:
        """How far the bar goes: no further than to its end, though more may be held already."""
        return min(self.percent, 100)

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.used >= self.bound

    @property
    def is_warning(self) -> bool:
        """Whether the warning level is reached."""
        return self.used * 100 >= self.bound * self.warn_percent

    @property
    def state(self) -> str:
        """Whether it is time to act, in a word; "" while it is not."""
        if self.is_full:
            return gettext("full")
        return gettext("almost full") if self.is_warning else ""

    @property
    def label(self) -> str:
        """The colour of that word's label."""
        return "danger" if self.is_full else "warning"

    @property
    def text(self) -> str:
        """How much of how much."""
        if self.what == "bytes":
            return gettext("%(used)s of %(bound)s") % {
                "used": size_text(self.used),
                "bound": exact_size_text(self.bound),
            }
        return gettext("%(used)s of %(bound)s objects") % {
            "used": f"{self.used:,}",
            "bound": f"{self.bound:,}",
        }

    @property
    def exact(self) -> str:
        """The same in figures that nothing was rounded in."""
        words = (
            gettext("%(used)s of %(bound)s bytes")
            if self.what == "bytes"
            else gettext("%(used)s of %(bound)s objects")
        )
        return words % {"used": f"{self.used:,}", "bound": f"{self.bound:,}"}


def meters_of(quota: Quota | None, *, size: int, versions: int) -> list[Meter]:
    """Measure what is used of each bound of a quota, bytes first."""
    if quota is None:
        return []
    found = (("bytes", size, quota.bytes), ("objects", versions, quota.objects))
    return [Meter(what, used, bound, quota.warn_percent) for what, used, bound in found if bound]


def fullest(meters: list[Meter]) -> Meter | None:
    """Choose the meter that tells most: the one with least room left, in its share."""
    return max(meters, key=lambda meter: meter.used / meter.bound, default=None)


def draw(meter: Meter, *, is_short: bool = False) -> SafeString:
    """Draw a meter; shortly, for a row of a list."""
    context = {"meter": meter, "is_short": is_short}
    return render_to_string("admin/iam/panels/meter.html", context)
