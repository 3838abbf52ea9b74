"""Form fields of the console for policies: a document, and a choice of rows by name."""

# ruff: noqa: D106  # Media is Django's word
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from unfold.widgets import TEXTAREA_CLASSES

from iam.policy_templates import FOR_KEYS, TEMPLATES
from iam.services.documents import KEY_CHARACTERS_MAX, MANAGED_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.utils.safestring import SafeString

    from iam.policy_templates import Template

ROWS: Final = 20


class PolicyEditor(forms.Textarea):
    """A text area for JSON, with documents to start from; works without scripts too."""

    class Media:
        js = ("s4/policy_editor.js",)

    def __init__(
        self,
        templates: Sequence[Template],
        characters_max: int,
        *,
        counts_spaces: bool = False,
        rows: int = ROWS,
    ) -> None:
        self.templates = templates
        super().__init__(
            {
                "class": " ".join([*TEXTAREA_CLASSES, "policy-text"]),
                "rows": rows,
                "spellcheck": "false",
                "autocapitalize": "off",
                "autocomplete": "off",
                "data-policy-characters-max": characters_max,
                "data-policy-counts-spaces": "1" if counts_spaces else "",
            }
        )

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Draw the text area and what belongs to it."""
        context = {
            "id": self.get_context(name, value, attrs)["widget"]["attrs"].get("id", name),
            "name": name,
            "templates": self.templates,
            "textarea": super().render(name, value, attrs, renderer),
        }
        return render_to_string("admin/iam/policy_editor.html", context)


class DocumentField(forms.CharField):
    """The document of a policy, kept as it was typed."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", PolicyEditor(TEMPLATES, MANAGED_CHARACTERS_MAX))
        super().__init__(**options)

    def to_python(self, value: Any) -> str:
        """Take a browser's line ends for plain ones: limits count characters."""
        return (super().to_python(value) or "").replace("\r\n", "\n")


def narrowing_field() -> DocumentField:
    """Make the field for an access key's own policy."""
    return DocumentField(
        label=_("Narrowing policy"),
        required=False,
        widget=PolicyEditor(FOR_KEYS, KEY_CHARACTERS_MAX, counts_spaces=True, rows=ROWS // 2),
        help_text=_(
            "What is left of all that the user may. It only takes away: what the user may "
            "not do, no policy of his key lets it do. Empty: all of it. A key for one bucket "
            "alone is made faster on the bucket's page, under Access."
        ),
    )
