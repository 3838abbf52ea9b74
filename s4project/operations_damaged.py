"""The page of damaged payloads: which they are, what they are in, and what proves or heals them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.core.paginator import Paginator
from django.utils.translation import gettext as _

from iam.sizes import size_text
from s4project import tasks
from s4project.models import Kind, State
from s4project.operations import for_superusers, show
from s4project.operations_jobs import offers, open_context
from s4project.task_words import moment, result_panels, show_task
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from storage_engine import QuarantinedBlob

ROWS: Final = 100
KINDS: Final = (Kind.LOCATE, Kind.SCRUB, Kind.VERIFY)


class DamagedRow(NamedTuple):
    """A damaged payload as the page shows it."""

    sha256: str
    size: str
    uses: int
    found: str
    place: str
    reason: str


@for_superusers
def damaged_page(request: HttpRequest) -> HttpResponse:
    """Show what is in quarantine."""
    blobs = sorted(get_engine().quarantined(), key=lambda blob: -blob.found_ms)
    pages = Paginator([_row(blob) for blob in blobs], ROWS)
    located = tasks.newest(Kind.LOCATE)
    is_told = located is not None and located.state == State.DONE
    context = {
        "damaged": pages.get_page(request.GET.get("page")),
        "count": len(blobs),
        "scrub": scrub_facts(),
        "located": show_task(located) if located is not None and is_told else None,
        "panels": result_panels(located) if located is not None and is_told else [],
        "offers": offers(KINDS if blobs else KINDS[1:]),
        **open_context(KINDS, "damaged"),
    }
    return show(request, "damaged", _("Damaged payloads"), context)


def _row(blob: QuarantinedBlob) -> DamagedRow:
    return DamagedRow(
        blob.sha256.hex(),
        size_text(blob.size),
        blob.references,
        moment(blob.found_ms / 1000),
        _("volume %(volume)s at %(offset)s")
        % {"volume": f"{blob.volume_id:08d}", "offset": f"{blob.offset:,}"},
        blob.reason,
    )


def scrub_facts() -> list[tuple[str, str]]:
    """Tell how far the scrub is and when the last pass ended, as the engine notes it."""
    engine = get_engine()
    state, days = engine.scrub_state(), settings.S4.scrub_interval_days
    found = []
    if state.started_ms:
        read, total = size_text(state.bytes), size_text(engine.live_bytes())
        said = _("%(read)s of %(total)s since %(when)s")
        when = moment(state.started_ms / 1000)
        found.append(
            (_("Pass under way"), said % {"read": read, "total": total, "when": when}),
        )
    finished = moment(state.finished_ms / 1000) or _("none yet")
    by_itself = _("every %(days)s days") % {"days": days} if days else _("never (as set)")
    return [*found, (_("Last whole pass ended"), finished), (_("By itself"), by_itself)]
