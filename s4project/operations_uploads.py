"""The page of uploads that nobody has finished: of all buckets, oldest first, to be aborted.

Its scripts abort over the console's S3 door, so that policies decide and the audit log has it. What
is old in every bucket is aborted by a task. Figures are the engine's rows of uploads and parts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.utils.translation import gettext as _

from buckets.services import bucket_names
from iam.models import User
from iam.sizes import size_text
from s4project.forms_tasks import AbortForm
from s4project.lifecycle import HOUR_MS
from s4project.models import Kind
from s4project.operations import Fact, for_superusers, show
from s4project.operations_jobs import open_context
from s4project.task_words import duration, moment
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from storage_engine import OpenUpload

ROWS: Final = 100
COUNTED_AT_ONCE: Final = 1000
COUNTED_MAX: Final = 100_000  # old uploads and parts that are counted before they are aborted
DAYS: Final = 7  # what is proposed


class UploadRow(NamedTuple):
    """An upload as the page shows it."""

    number: int  # among the page's
    bucket: str
    key: str
    begun: str
    age: str
    who: str
    parts: int
    size: str


class Old(NamedTuple):
    """What a task would abort, as counted now."""

    days: int
    uploads: int
    parts: int
    bytes: int
    is_more: bool  # than was counted

    @property
    def words(self) -> str:
        """Say what would be lost."""
        said = _("Uploads: %(uploads)s; parts: %(parts)s, %(size)s") % {
            "uploads": f"{self.uploads:,}",
            "parts": f"{self.parts:,}",
            "size": size_text(self.bytes),
        }
        return _("%(what)s, and more") % {"what": said} if self.is_more else said


@for_superusers
def uploads_page(request: HttpRequest) -> HttpResponse:
    """Show uploads, and what of them is old if that is asked."""
    engine = get_engine()
    found = engine.open_uploads(after_id=request.GET.get("after", ""), limit=ROWS)
    names = bucket_names() or {}
    form = AbortForm(request.GET if "days" in request.GET else None, initial={"days": DAYS})
    old = count_old(form.cleaned_data["days"]) if form.is_bound and form.is_valid() else None
    stats = engine.stats()
    context = {
        "facts": [
            Fact(_("Uploads in progress"), f"{stats.uploads:,}", _("in all buckets")),
            Fact(_("What they hold"), size_text(stats.upload_bytes), _("in parts")),
        ],
        "uploads": rows(found.uploads, names),
        "data": [_data(each, names) for each in found.uploads],
        "next_id": found.next_id,
        "is_first": "after" not in request.GET,
        "form": form,
        "old": old,
        **open_context([Kind.ABORT_UPLOADS], "uploads"),
    }
    return show(request, "uploads", _("Uploads in progress"), context)


def rows(uploads: Sequence[OpenUpload], names: dict[int, str]) -> list[UploadRow]:
    """Put uploads into words; who began one is found by his canonical id."""
    ids = {_initiator(each) for each in uploads}
    people = dict(User.objects.filter(canonical_id__in=ids).values_list("canonical_id", "username"))
    now_ms = time.time() * 1000
    return [
        UploadRow(
            number,
            names.get(each.upload.bucket_id, str(each.upload.bucket_id)),
            each.upload.key,
            moment(each.upload.initiated_ms / 1000),
            duration((now_ms - each.upload.initiated_ms) / 1000),
            people.get(_initiator(each), _initiator(each)[:12] or _("nobody")),
            each.parts,
            size_text(each.bytes),
        )
        for number, each in enumerate(uploads)
    ]


def _initiator(each: OpenUpload) -> str:
    attributes = each.upload.attributes
    return attributes.initiator or attributes.owner


def _data(each: OpenUpload, names: dict[int, str]) -> dict[str, Any]:
    """Tell the page's script which upload it is, and what is lost with it."""
    return {
        "bucket": names.get(each.upload.bucket_id, ""),
        "key": each.upload.key,
        "id": each.upload.upload_id,
        "parts": each.parts,
        "bytes": each.bytes,
    }


def count_old(days: int) -> Old:
    """Count what was begun so long ago."""
    engine, by_ms = get_engine(), time.time_ns() // 1_000_000 - 24 * days * HOUR_MS
    uploads = parts = size = 0
    after = ""
    while uploads + parts < COUNTED_MAX:
        page = engine.open_uploads(after_id=after, limit=COUNTED_AT_ONCE)
        for each in page.uploads:
            if each.upload.initiated_ms > by_ms:
                return Old(days, uploads, parts, size, is_more=False)
            uploads, parts, size = uploads + 1, parts + each.parts, size + each.bytes
        after = page.next_id
        if not after:
            return Old(days, uploads, parts, size, is_more=False)
    return Old(days, uploads, parts, size, is_more=True)
