"""The console's form for a lifecycle rule, both ways; `buckets.lifecycle` says what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from iam.forms_sizes import SizeField
from storage_engine import LifecycleRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django_stubs_ext import StrPromise

TAGS_MAX: Final = 10  # as many as an object has
INT_MAX: Final = 2**31 - 1
NEVER: Final = _("Empty: never.")
PLAIN: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def _days(label: StrPromise, help_text: StrPromise = NEVER) -> forms.IntegerField:
    widget = UnfoldAdminIntegerFieldWidget({"min": "1", "class": "narrow-field"})
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=INT_MAX,
        widget=widget,
        help_text=help_text,
    )


def day_field(**options: Any) -> forms.DateField:
    """Make a field for a day: the browser's own."""
    widget = forms.DateInput(
        {"type": "date", "class": " ".join([*INPUT_CLASSES, "narrow-field"])}, format="%Y-%m-%d"
    )
    return forms.DateField(required=False, widget=widget, input_formats=["%Y-%m-%d"], **options)


def day_ms(day: date) -> int:
    """Tell when a day begins, UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def moment_field() -> forms.DateField:
    """Make a field for the day on which rules are tried."""
    return day_field(label=_("Day"))


class MomentForm(forms.Form):
    """When rules are tried."""

    at = moment_field()


class RuleForm(forms.Form):
    """A lifecycle rule: which objects it is about, and what becomes of them; when to try it."""

    id = forms.CharField(
        label=_("Name"),
        max_length=255,
        widget=UnfoldAdminTextInputWidget(PLAIN),
        help_text=_("S3 calls it the rule's ID."),
    )
    is_enabled = forms.BooleanField(
        label=_("Enabled"), required=False, widget=UnfoldBooleanWidget()
    )
    key_prefix = forms.CharField(
        label=_("Keys begin with"),
        required=False,
        strip=False,
        max_length=1024,
        widget=UnfoldAdminTextInputWidget({**PLAIN, "placeholder": "logs/"}),
    )
    size_above = SizeField(label=_("Larger than"))
    size_below = SizeField(label=_("Smaller than"))
    expire_days = _days(_("Expire current versions, days after they were written"))
    expire_on = day_field(
        label=_("Or expire them from a day on"),
        help_text=_("From its beginning, UTC, whatever their age. Empty: from none."),
    )
    expires_markers = forms.BooleanField(
        label=_("Remove delete markers that hide nothing any more"),
        required=False,
        widget=UnfoldBooleanWidget(),
    )
    noncurrent_days = _days(_("Remove noncurrent versions, days after they were superseded"))
    noncurrent_kept = _days(_("But keep of them the newest"), _("At most 100. Empty: none."))
    abort_days = _days(_("Abort unfinished uploads, days after they were begun"))

    at = moment_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(TAGS_MAX):
            for part, label in (("key", gettext("Tag")), ("value", gettext("Value"))):
                attributes = {**PLAIN, "aria-label": f"{label} {number + 1}", "placeholder": label}
                self.fields[f"tag_{part}_{number}"] = forms.CharField(
                    label=label,
                    required=False,
                    strip=False,
                    max_length=256,
                    widget=UnfoldAdminTextInputWidget(attributes),
                )

    def tag_rows(self) -> Iterator[tuple[forms.BoundField, forms.BoundField]]:
        """Pair the fields of each tag."""
        for number in range(TAGS_MAX):
            yield self[f"tag_key_{number}"], self[f"tag_value_{number}"]

    def clean(self) -> dict[str, Any]:
        """Refuse tags that stand for nothing, or twice; the rest is judged as a rule."""
        cleaned = super().clean() or self.cleaned_data
        tags: dict[str, str] = {}
        for number in range(TAGS_MAX):
            name = f"tag_key_{number}"
            key, value = cleaned.get(name, ""), cleaned.get(f"tag_value_{number}", "")
            if value and not key:
                self.add_error(name, gettext("A tag has a name."))
            if key in tags:
                self.add_error(name, gettext("The tag %(key)s stands here twice.") % {"key": key})
            if key:
                tags[key] = value
        cleaned["tags"] = tags
        return cleaned

    @property
    def rule(self) -> LifecycleRule:
        """The rule that was asked for, by fields that were found right."""
        given = self.cleaned_data
        day = given["expire_on"]
        return LifecycleRule(
            id=given["id"],
            is_enabled=given["is_enabled"],
            prefix=given["key_prefix"],
            tags=given["tags"],
            size_above=given["size_above"],
            size_below=given["size_below"],
            expire_days=given["expire_days"] or 0,
            expire_at_ms=day_ms(day) if day else 0,
            expires_markers=given["expires_markers"],
            noncurrent_days=given["noncurrent_days"] or 0,
            noncurrent_kept=given["noncurrent_kept"] or 0,
            abort_days=given["abort_days"] or 0,
        )


def rule_fields(rule: LifecycleRule) -> dict[str, Any]:
    """Fill the form in with a rule."""
    moment = rule.expire_at_ms / 1000
    tags: dict[str, str] = {}
    for number, (key, value) in enumerate(rule.tags.items()):
        tags |= {f"tag_key_{number}": key, f"tag_value_{number}": value}
    return {
        "id": rule.id,
        "is_enabled": rule.is_enabled,
        "key_prefix": rule.prefix,
        "size_above": rule.size_above,
        "size_below": rule.size_below,
        "expire_days": rule.expire_days or None,
        "expire_on": datetime.fromtimestamp(moment, UTC).date() if moment else None,
        "expires_markers": rule.expires_markers,
        "noncurrent_days": rule.noncurrent_days or None,
        "noncurrent_kept": rule.noncurrent_kept or None,
        "abort_days": rule.abort_days or None,
        **tags,
    }
