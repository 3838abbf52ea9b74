"""Forms of the console for the settings of a bucket. They validate; the services write."""

# ruff: noqa: D106  # Meta is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanWidget,
)

from buckets import services
from buckets.configuration import DefaultRetention, ObjectLockConfiguration
from buckets.models import Bucket
from iam.forms_quotas import QuotaFields, quota_from
from iam.rates import RATE_MAX
from storage_engine import LockMode, Versioning

if TYPE_CHECKING:  # generic in the stubs only
    from collections.abc import Iterator, Mapping

    from buckets.configuration import BucketConfiguration

    BaseBucketForm = forms.ModelForm[Bucket]
else:
    BaseBucketForm = forms.ModelForm

# "The maximum retention period is 100 years": Amazon S3 User Guide, "Object Lock considerations".
PERIODS_MAX: Final = {"days": 36_500, "years": 100}
NOTHING: Final = _("None: a version is retained only if whoever writes it says so.")
GOVERNANCE: Final = _(
    "Governance: only who may bypass governance retention, and asks to, removes a version before "
    "its time."
)
COMPLIANCE: Final = _(
    "Compliance: nobody removes a version before its time, no SuperUser either, and nobody "
    "shortens it."
)
MODES: Final = [
    (LockMode.NONE.value, NOTHING),
    (LockMode.GOVERNANCE.value, GOVERNANCE),
    (LockMode.COMPLIANCE.value, COMPLIANCE),
]


class OwnBucketForm(BaseBucketForm):
    """A new bucket; nothing of one that is there is changed by it."""

    keeps_versions = forms.BooleanField(
        label=_("Keep versions"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=_("What is overwritten or deleted stays as an older version."),
    )
    is_locked = forms.BooleanField(
        label=_("Object Lock"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=_(
            "Versions can be retained, or held, so that nobody removes them. It is for ever, "
            "and versions are kept."
        ),
    )

    class Meta:
        model = Bucket
        fields: ClassVar = ["name", "owner"]


class BucketForm(QuotaFields, OwnBucketForm):
    """A new bucket, and what it may hold."""


def new_bucket(cleaned: Mapping[str, Any]) -> BucketConfiguration:
    """Make the configuration that the form for a new bucket asks for."""
    is_locked = cleaned["is_locked"]
    is_versioned = is_locked or cleaned["keeps_versions"]
    return msgspec.structs.replace(
        services.new_configuration(),
        versioning=Versioning.ENABLED if is_versioned else Versioning.UNVERSIONED,
        object_lock=ObjectLockConfiguration() if is_locked else None,
        quota=quota_from(cleaned),
    )


def actions_of(wanted: BucketConfiguration) -> Iterator[str]:
    """Name what policies must allow whoever makes such a bucket: API_CreateBucket, "Permissions".

    There versions come with Object Lock alone; here they may be asked for as S3 asks afterwards.
    """
    yield "s3:CreateBucket"
    if wanted.versioning is Versioning.ENABLED:
        yield "s3:PutBucketVersioning"
    if wanted.object_lock is not None:
        yield "s3:PutBucketObjectLockConfiguration"


class RetentionForm(forms.Form):
    """How long new versions are retained of which nothing is said."""

    mode = forms.ChoiceField(
        label=_("Default retention of new versions"),
        choices=MODES,
        required=False,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    period = forms.IntegerField(
        label=_("For"),
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget({"min": "1", "class": "narrow-field"}),
    )
    unit = forms.ChoiceField(
        label=_("Days or years"),
        choices=[("days", _("days")), ("years", _("years of 365 days"))],
        required=False,
        widget=UnfoldAdminSelectWidget({"class": "narrow-field"}),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse half a retention."""
        cleaned = super().clean() or self.cleaned_data
        mode, period = cleaned.get("mode"), cleaned.get("period")
        unit = cleaned.get("unit") or "days"
        if mode and not period and "period" not in self.errors:
            self.add_error("period", gettext("Say for how long."))
        if period and unit in PERIODS_MAX and period > PERIODS_MAX[unit]:
            bound = gettext("At most %(count)s years.")
            if unit == "days":
                bound = gettext("At most %(count)s days.")
            self.add_error("period", bound % {"count": f"{PERIODS_MAX[unit]:,}"})
        if period and not mode:
            self.add_error("mode", gettext("Choose a mode, or leave the period empty."))
        return cleaned

    @property
    def retention(self) -> DefaultRetention | None:
        """What was asked for; None: nothing is retained by default."""
        mode, period = self.cleaned_data["mode"], self.cleaned_data["period"]
        if not mode:
            return None
        unit = self.cleaned_data["unit"] or "days"
        return DefaultRetention(mode=LockMode(mode), **{unit: period})


def retention_fields(retention: DefaultRetention | None) -> dict[str, Any]:
    """Fill the form in with what is set."""
    if retention is None:
        return {}
    unit = "years" if retention.years else "days"
    return {"mode": retention.mode.value, "period": getattr(retention, unit), "unit": unit}


class LockingForm(RetentionForm):
    """Turns Object Lock on."""

    is_understood = forms.BooleanField(
        label=_(
            "I know that this is for ever: Object Lock is never turned off again, and versioning "
            "is never suspended in this bucket."
        ),
        widget=UnfoldBooleanWidget(),
        error_messages={"required": _("Confirm that you know.")},
    )


class QuotaForm(QuotaFields):
    """What a bucket may hold at most, and how many requests it gets."""

    requests_per_second = forms.IntegerField(
        label=_("Requests per second at most"),
        required=False,
        min_value=0,
        max_value=RATE_MAX,
        widget=UnfoldAdminIntegerFieldWidget({"min": "0", "class": "narrow-field"}),
        help_text=_("More are told to slow down. 0: no limit. Empty: as the settings say."),
    )
