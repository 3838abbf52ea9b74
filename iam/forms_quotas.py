"""Form fields of the console for a quota: of a bucket, or of all buckets of a user together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from iam.forms_sizes import SIZE_MAX, SizeField
from iam.quotas import Quota

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_QUOTA: Final = Quota()
QUOTA_FIELDS: Final = ("quota_bytes", "quota_objects", "quota_warn_percent")


class QuotaFields(forms.Form):
    """Asks for a quota; mixed into forms that ask for more."""

    quota_bytes = SizeField(
        label=_("Size at most"),
        min_size=1,
        help_text=_("Of all versions, and of the parts of unfinished uploads. Empty: no bound."),
    )
    quota_objects = forms.IntegerField(
        label=_("Objects at most"),
        required=False,
        min_value=1,
        max_value=SIZE_MAX,
        widget=UnfoldAdminIntegerFieldWidget({"min": "1", "class": "narrow-field"}),
        help_text=_("Older versions and delete markers count too. Empty: no bound."),
    )
    quota_warn_percent = forms.IntegerField(
        label=_("Warn from, in percent"),
        required=False,
        min_value=1,
        max_value=100,
        widget=UnfoldAdminIntegerFieldWidget({"min": "1", "max": "100", "class": "narrow-field"}),
        help_text=format_lazy(
            _("Of either bound. Empty: {percent}."), percent=NO_QUOTA.warn_percent
        ),
    )


def fields_of(quota: Quota | None) -> dict[str, Any]:
    """Fill the fields in with a quota."""
    if quota is None:
        return {}
    return {
        "quota_bytes": quota.bytes or None,
        "quota_objects": quota.objects or None,
        "quota_warn_percent": quota.warn_percent,
    }


def quota_from(cleaned: Mapping[str, Any]) -> Quota | None:
    """Read a quota from fields that were found right; None where they bound nothing."""
    found = Quota(
        bytes=cleaned.get("quota_bytes") or 0,
        objects=cleaned.get("quota_objects") or 0,
        warn_percent=cleaned.get("quota_warn_percent") or NO_QUOTA.warn_percent,
    )
    return found if found.bytes or found.objects else None
