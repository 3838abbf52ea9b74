"""The page that empties a bucket and deletes it: what would be lost, confirmed by the name.

A script empties it by S3's own requests; what is deleted here is an empty bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from buckets.console import address, tabs
from buckets.models import Bucket
from iam.sizes import size_text
from storage_engine import Versioning
from storage_engine.apps import get_engine

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class ConfirmForm(forms.Form):
    """Whoever deletes a bucket types its name."""

    confirmed = forms.CharField(
        label=gettext_lazy("The name of the bucket"),
        required=False,
        widget=UnfoldAdminTextInputWidget(PLAIN),
    )

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirmed"].help_text = _("To go on, type %(name)s.") % {"name": name}

    def clean_confirmed(self) -> str:
        """Refuse another name."""
        typed: str = self.cleaned_data["confirmed"]
        if typed != self.name:
            raise forms.ValidationError(
                _("Type the name of the bucket: %(name)s.") % {"name": self.name}
            )
        return typed


def confirmation(request: HttpRequest, bucket: Bucket, form: ConfirmForm) -> HttpResponse:
    """Ask for the name, and tell what would be lost."""
    counts = get_engine().namespace_counts(bucket.pk)
    things = counts.versions + counts.uploads
    overview = address(bucket, "change")
    context = {
        **admin.site.each_context(request),
        "title": bucket.name,
        "opts": Bucket._meta,  # noqa: SLF001  # Django's public name
        "original": bucket,
        "tabs": tabs(bucket, "change"),
        "form": form,
        "things": things,
        "locked": counts.locked,
        "overview_address": overview,
        "facts": [
            (_("Objects"), f"{counts.objects:,}"),
            (_("Versions, with older ones and delete markers"), f"{counts.versions:,}"),
            (_("Size of all versions"), size_text(counts.bytes)),
            (_("Unfinished uploads"), f"{counts.uploads:,}"),
            (_("Versions with a retention or a legal hold"), f"{counts.locked:,}"),
        ],
        "script_facts": {
            "name": bucket.name,
            "things": things,
            "has_versions": bucket.versioning != Versioning.UNVERSIONED,
            "address": overview,
        },
    }
    return TemplateResponse(request, "admin/buckets/delete.html", context)
