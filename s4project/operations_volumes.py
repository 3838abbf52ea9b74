"""The map of the volumes: what of each file is in use, what is dead, and what compaction would do.

All figures are the engine's: `volumes` (blocks of files, live bytes by the index), `stats` (the
index's size), the quarantine, and the plan of compaction, which moves nothing.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from iam.sizes import size_text
from s4project.forms_tasks import CompactForm
from s4project.models import Kind
from s4project.operations import Fact, for_superusers, show
from s4project.operations_jobs import offers, open_context
from storage_engine import CompactionOptions, HoldCause, VolumeState
from storage_engine.apps import get_engine
from storage_engine.program import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.http import HttpRequest, HttpResponse

    from storage_engine import Hold, VolumeInfo

ROWS: Final = 25
CELLS_MAX: Final = 600  # of the map; beyond, a cell stands for several volumes
PERCENT: Final = 100
ORDERS: Final[dict[str, tuple[Any, Callable[[VolumeRow], Any]]]] = {
    "dead": (gettext_lazy("most dead bytes"), lambda row: (-row.dead, row.id)),
    "share": (gettext_lazy("largest dead share"), lambda row: (-row.dead_percent, row.id)),
    "size": (gettext_lazy("largest"), lambda row: (-row.room, row.id)),
    "id": (gettext_lazy("oldest"), lambda row: row.id),
}
CAUSES: Final = {
    HoldCause.SALVAGE: gettext_lazy("the index was salvaged from them"),
    HoldCause.ACCEPT_LOSS: gettext_lazy("the index was rebuilt without all of its journal"),
    HoldCause.UNKNOWN_VOLUMES: gettext_lazy("the index met volumes that it did not know"),
}


class VolumeRow(NamedTuple):
    """A volume as the page shows it; of one being written what is not live is not dead yet."""

    id: int
    room: int
    live: int
    is_active: bool
    is_held: bool
    damaged: int
    is_planned: bool

    @property
    def dead(self) -> int:
        """What compaction could give back."""
        return 0 if self.is_active else max(0, self.room - self.live)

    @property
    def dead_percent(self) -> int:
        """The share of that."""
        return PERCENT * self.dead // self.room if self.room else 0

    @property
    def live_percent(self) -> int:
        """The share of what is in use."""
        return min(PERCENT, PERCENT * self.live // self.room) if self.room else 0

    @property
    def name(self) -> str:
        """The file's name, as commands write it."""
        return f"{self.id:08d}"

    @property
    def texts(self) -> tuple[str, str, str]:
        """Room, live and dead bytes in words."""
        return size_text(self.room), size_text(self.live), size_text(self.dead)


class Cell(NamedTuple):
    """One square of the map: a volume, or several that are next to each other."""

    title: str
    live: int  # per cent, from the bottom
    look: str


class Part(NamedTuple):
    """A part of the disk, as drawn: where it begins and how wide it is, of 1,000."""

    name: str
    size: str
    start: float
    width: float
    look: str


@for_superusers
def volumes_page(request: HttpRequest) -> HttpResponse:
    """Show the volumes."""
    engine = get_engine()
    form = CompactForm(request.GET, prefix=Kind.COMPACT.value, auto_id="plan-%s")
    threshold = form.cleaned_data.get("threshold") if form.is_valid() else None
    asked = settings.S4.compaction_threshold if threshold is None else threshold
    plans = engine.compact(CompactionOptions(threshold=asked, is_dry_run=True)).plans
    rows = read_rows(engine.volumes(), {plan.id for plan in plans})
    order = request.GET.get("sort", "")
    order = order if order in ORDERS else "dead"
    pages = Paginator(sorted(rows, key=ORDERS[order][1]), ROWS)
    hold = engine.hold()
    moved, gained = sum(p.moved_bytes for p in plans), sum(p.gained_bytes for p in plans)
    context = {
        "facts": facts(rows),
        "disk": list(disk_parts(rows)),
        "cells": cells(rows),
        "volumes": pages.get_page(request.GET.get("page")),
        "order": order,
        "orders": [(name, words) for name, (words, _key) in ORDERS.items()],
        "hold": hold and held_words(hold),
        "plan": {"count": len(plans), "moved": size_text(moved), "gained": size_text(gained)},
        "threshold": asked,
        "form": form,
        "offers": offers([Kind.COMPACT]),
        **open_context([Kind.COMPACT], "volumes"),
    }
    return show(request, "volumes", _("Volumes"), context)


def read_rows(volumes: Sequence[VolumeInfo], planned: set[int]) -> list[VolumeRow]:
    """Put together what is known of each volume, oldest first."""
    damaged: dict[int, int] = {}
    for blob in get_engine().quarantined():
        damaged[blob.volume_id] = damaged.get(blob.volume_id, 0) + 1
    return [
        VolumeRow(
            volume.id,
            volume.room,
            volume.live_bytes,
            volume.state is VolumeState.ACTIVE,
            volume.is_held,
            damaged.get(volume.id, 0),
            volume.id in planned,
        )
        for volume in volumes
    ]


def sums(rows: Sequence[VolumeRow]) -> tuple[int, int, int]:
    """Add up what volumes take on the disk, what of it is live, and what is dead."""
    return (
        sum(row.room for row in rows),
        sum(row.live for row in rows),
        sum(row.dead for row in rows),
    )


def facts(rows: Sequence[VolumeRow]) -> list[Fact]:
    """Add the volumes up."""
    room, live, dead = (
        sum(getattr(row, what) for row in rows) for what in ("room", "live", "dead")
    )
    active = sum(row.is_active for row in rows)
    share = PERCENT * dead // room if room else 0
    damaged = sum(row.damaged for row in rows)
    found = [
        Fact(_("Volumes"), f"{len(rows):,}", _("%(count)s being written") % {"count": active}),
        Fact(_("On disk"), size_text(room), _("what the files take")),
        Fact(_("In use"), size_text(live), _("payloads that objects and uploads need")),
        Fact(_("Dead"), size_text(dead), _("%(share)s %%, for compaction") % {"share": share}),
    ]
    if damaged:
        found.append(Fact(_("Damaged"), f"{damaged:,}", _("payloads in quarantine"), "bad"))
    return found


def disk_parts(rows: Sequence[VolumeRow]) -> Iterator[Part]:
    """Draw what the store's disk holds, by `statvfs` and the engine's own figures."""
    disk = shutil.disk_usage(settings.S4.data_dir)
    room, live, dead = sums(rows)
    ahead = max(0, room - live - dead)
    index = get_engine().stats().index_bytes
    others = max(0, disk.used - live - dead - ahead - index)
    parts = (
        (_("in use"), live, "live"),
        (_("dead"), dead, "dead"),
        (_("being written"), ahead, "ahead"),
        (_("index"), index, "index"),
        (_("everything else"), others, "others"),
        (_("free"), disk.free, "free"),
    )
    total, start = sum(part[1] for part in parts) or 1, 0.0
    for name, size, look in parts:
        width = 1000 * size / total
        yield Part(name, size_text(size), round(start, 2), round(width, 2), look)
        start += width


def cells(rows: Sequence[VolumeRow]) -> list[Cell]:
    """Draw the map, oldest volume first."""
    several = -(-len(rows) // CELLS_MAX) or 1
    return [_cell(rows[start : start + several]) for start in range(0, len(rows), several)]


def _cell(rows: Sequence[VolumeRow]) -> Cell:
    room, live, dead = (
        sum(getattr(row, what) for row in rows) for what in ("room", "live", "dead")
    )
    name = rows[0].name if len(rows) == 1 else f"{rows[0].name}-{rows[-1].name}"
    look = "sealed"
    if any(row.damaged for row in rows):
        look = "damaged"
    elif any(row.is_held for row in rows):
        look = "held"
    elif all(row.is_active for row in rows):
        look = "active"
    title = _("%(name)s: %(live)s of %(room)s in use, %(dead)s dead") % {
        "name": name,
        "live": size_text(live),
        "room": size_text(room),
        "dead": size_text(dead),
    }
    return Cell(title, min(PERCENT, PERCENT * live // room) if room else 0, look)


def held_words(hold: Hold) -> str:
    """Say what is held, why, and how that ends."""
    since = datetime.fromtimestamp(hold.since_ms // 1000, UTC)
    return _(
        "Volumes up to %(last)s are held since %(since)s UTC, when %(cause)s: no room of theirs "
        "comes back before %(command)s."
    ) % {
        "last": f"{hold.last_volume:08d}",
        "since": f"{since:%Y-%m-%d %H:%M}",
        "cause": CAUSES[hold.cause],
        "command": command("rebuild_index --release"),
    }
