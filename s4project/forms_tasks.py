"""Forms by which tasks are asked for: one for each kind. They validate; `tasks.ask` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from iam.sizes import exact_size_text
from s4project.models import Kind
from s4project.setting_values import parse_share, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT_CHARACTERS_MAX: Final = 20


class ParsedField(forms.CharField):
    """A text that one of the readers of settings takes; None where there is none."""

    def __init__(self, parse: Callable[[str], Any], placeholder: str, **options: Any) -> None:
        widget = UnfoldAdminTextInputWidget({"placeholder": placeholder, "autocomplete": "off"})
        options |= {"required": False, "max_length": TEXT_CHARACTERS_MAX, "widget": widget}
        super().__init__(**options)
        self._parse = parse

    def clean(self, value: Any) -> Any:
        """Read it."""
        text = super().clean(value)
        if not text:
            return None
        try:
            return self._parse(text)
        except ValueError as error:
            raise forms.ValidationError(str(error).capitalize() + ".") from error


def rate_field() -> ParsedField:
    """Ask how fast a task may go."""
    return ParsedField(
        parse_size,
        "64M",
        label=_("At most, in a second"),
        help_text=_("Such as 64M; empty: as fast as it goes, which slows requests down."),
    )


class TaskForm(forms.Form):
    """What a kind of task can be told; nothing."""

    is_dry_run = False

    def options(self) -> dict[str, Any]:
        """Show what was said as a task keeps it."""
        return {name: value for name, value in self.cleaned_data.items() if value}


class CompactForm(TaskForm):
    """How to compact."""

    threshold = ParsedField(parse_share, "", label=_("Share of dead bytes from which on"))
    rate = rate_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        share, rate = settings.S4.compaction_threshold, settings.S4.compaction_bytes_per_second
        own = exact_size_text(rate) if rate else _("any")
        self.fields["threshold"].help_text = _(
            "From 0 to 1; empty: %(share)s, as set. Small volumes are merged in any case."
        ) % {"share": share}
        self.fields["rate"].help_text = _(
            "Such as 64M; empty: as fast as it goes. The job of that name takes %(own)s."
        ) % {"own": own}

    def options(self) -> dict[str, Any]:
        """Keep a threshold of 0: it says something."""
        threshold = self.cleaned_data["threshold"]
        return super().options() | ({} if threshold is None else {"threshold": threshold})


class ScrubForm(TaskForm):
    """How to scrub."""

    rate = rate_field()
    is_hashed = forms.BooleanField(
        label=_("Compare SHA-256 too"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Not only the checksums of blocks; takes more of the processor."),
    )
    is_restarted = forms.BooleanField(
        label=_("Begin a pass anew"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Otherwise it goes on where the pass under way is."),
    )


class LifecycleForm(TaskForm):
    """Whether rules act, or only tell."""

    only_tell = forms.BooleanField(
        label=_("Dry run: only tell what would be done"),
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
    )

    def options(self) -> dict[str, Any]:
        """A dry run is a word of its own."""
        self.is_dry_run = self.cleaned_data["only_tell"]
        return {}


class AbortForm(TaskForm):
    """How old uploads are that are given up."""

    days = forms.IntegerField(
        label=_("Begun more than so many days ago"),
        min_value=1,
        max_value=3650,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def options(self) -> dict[str, Any]:
        """Keep hours, as the setting of that name does."""
        return {"hours": 24 * self.cleaned_data["days"]}


FORMS: Final[dict[Kind, type[TaskForm]]] = {
    Kind.COMPACT: CompactForm,
    Kind.SCRUB: ScrubForm,
    Kind.VERIFY: TaskForm,
    Kind.SNAPSHOT: TaskForm,
    Kind.LIFECYCLE: LifecycleForm,
    Kind.LOCATE: TaskForm,
    Kind.ABORT_UPLOADS: AbortForm,
}
