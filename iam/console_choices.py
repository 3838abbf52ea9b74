"""Choices of rows that are found by typing. What is no row's number is no choice, nor an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple

from iam.models import AccessKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DIGITS_MAX: Final = 18  # what fits a row's number in any database
NO_ROW: Final = "0"


def is_row_number(text: object) -> bool:
    """Whether a text from a request can be a row's number; Django's queries trip over others."""
    text = str(text)
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX


class OneRow(AutocompleteSelect):
    """A choice of one row."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """Read the choice."""
        value = super().value_from_datadict(data, files, name)
        return value if not value or is_row_number(value) else NO_ROW

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        """Show the chosen row, which a link may have named."""
        return super().optgroups(name, list(filter(is_row_number, value)), attrs)


class SeveralRows(AutocompleteSelectMultiple):
    """A choice of several rows."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """Read the choices."""
        values: Iterable[Any] = super().value_from_datadict(data, files, name) or ()
        return [value if is_row_number(value) else NO_ROW for value in values]

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        """Show the chosen rows, which a link may have named."""
        return super().optgroups(name, list(filter(is_row_number, value)), attrs)


def of_users(widget: type[OneRow | SeveralRows], choices: Any = ()) -> OneRow | SeveralRows:
    """Make a choice of users for a form; any column that names users says where they are found."""
    column = AccessKey._meta.get_field("user")  # noqa: SLF001  # Django's public name
    return widget(column, admin.site, choices=choices)
