"""Lets a form know what it was filled in with: nobody's change is overwritten unseen."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEEN: Final = "seen"
DIGITS: Final = 12  # of each digest: enough to tell one value from another
CHARACTERS_MAX: Final = 4096


class SeenField(forms.CharField):
    """What each field was when the page was made; nobody changes it."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=CHARACTERS_MAX, widget=forms.HiddenInput())

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Leave it out of what the history says was changed."""
        del initial, data
        return False


class SeenForm:
    """A form of a row that says which fields another has changed meanwhile; mixed into one."""

    fields: dict[str, Any]
    initial: dict[str, Any]
    data: Any
    add_error: Callable[[str | None, str], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = {name: _digest(self.initial.get(name)) for name in self.fields}
        self.fields[SEEN] = SeenField()
        self.initial[SEEN] = json.dumps(self.now)

    def full_clean(self) -> None:
        """Compare what was seen with what is now; who saves again has been told."""
        super().full_clean()  # type: ignore[misc]  # of the form that this is mixed into
        seen = _read(self.data.get(SEEN, ""))
        other = [name for name in self.now if seen.get(name, self.now[name]) != self.now[name]]
        if not other:
            return
        names = [str(self.fields[name].label or name).lower() for name in other]
        self.add_error(
            None,
            _(
                "Somebody else has changed this since you opened the page: %(names)s. What you see "
                "below is yours: save it again to put it in the place of theirs, or open the page "
                "anew to see theirs."
            )
            % {"names": get_text_list(names, _("and"))},
        )
        self.data = self.data.copy()
        self.data[SEEN] = self.initial[SEEN]


def _digest(value: Any) -> str:
    """Tell a value from others: rows by their keys."""
    if isinstance(value, list | tuple | set):
        value = sorted(str(getattr(each, "pk", each)) for each in value)
    return sha256(json.dumps(value or "", default=str).encode()).hexdigest()[:DIGITS]


def _read(text: str) -> Mapping[str, Any]:
    """Read what a form was filled in with; of what is no such text, nothing is known."""
    try:
        found = json.loads(text[:CHARACTERS_MAX])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
