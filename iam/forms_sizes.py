"""A form field of the console for sizes in bytes: a number and its unit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from iam.sizes import STEP, UNITS, exact_size_text, split_size

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

SIZE_MAX: Final = 2**63 - 1  # what a column of a database holds
UNIT_NEW: Final = 3  # GiB, where nothing is set


class SizeWidget(forms.MultiWidget):
    """A number beside the choice of its unit."""

    def __init__(self) -> None:
        super().__init__(
            {
                "": UnfoldAdminDecimalFieldWidget(
                    {"min": "0", "step": "any", "inputmode": "decimal"}
                ),
                "unit": UnfoldAdminSelectWidget(
                    {"aria-label": _("Unit")}, choices=list(enumerate(UNITS))
                ),
            }
        )

    def decompress(self, value: int | None) -> list[Any]:
        """Show a size in the largest unit of which it is a whole number."""
        return list(split_size(value)) if value else [None, UNIT_NEW]

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Draw both side by side."""
        both = super().render(name, value, attrs, renderer)
        return format_html('<span class="size-field">{}</span>', both)

    def id_for_label(self, id_: str) -> str:
        """Let the label lead to the number."""
        return f"{id_}_0" if id_ else id_


class SizeField(forms.MultiValueField):
    """A size in bytes; None where no number is given."""

    def __init__(self, *, min_size: int = 0, **options: Any) -> None:
        self.min_size = min_size
        options.setdefault("widget", SizeWidget())
        options.setdefault("required", False)
        fields = (
            forms.DecimalField(min_value=0, required=False),
            forms.TypedChoiceField(choices=list(enumerate(UNITS)), coerce=int, required=False),
        )
        super().__init__(fields, require_all_fields=False, **options)

    def compress(self, data_list: list[Any]) -> int | None:
        """Count the bytes, which must be whole and fit what keeps them."""
        if not data_list or data_list[0] is None:
            return None
        number, power = data_list
        if number > SIZE_MAX:
            raise forms.ValidationError(gettext("This is more than can be kept."))
        size = number * Decimal(STEP) ** int(power or 0)
        if size > SIZE_MAX:
            raise forms.ValidationError(gettext("This is more than can be kept."))
        if size != int(size):
            raise forms.ValidationError(gettext("This is no whole number of bytes."))
        if size < self.min_size:
            raise forms.ValidationError(
                gettext("At least %(size)s.") % {"size": exact_size_text(self.min_size)}
            )
        return int(size)
