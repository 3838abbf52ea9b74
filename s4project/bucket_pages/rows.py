"""A form of as many equal rows as somebody wants: rules, tags, grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.forms import Form
    from django.http import HttpRequest, HttpResponse

    from buckets.models import Bucket

COUNT: Final = "rows"
MARK: Final = "row"  # of its own name each: "row2-key"
READ_MAX: Final = 1000  # more than S3 takes of anything, so that S3 says what is too much


class RowsForm:
    """Rows of one form, each under a prefix of its own; what is wrong with all stands above."""

    row_class: ClassVar[type[Form]]
    rows_max: ClassVar[int]

    def __init__(
        self, data: Mapping[str, Any] | None = None, initial: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.errors: list[str] = []
        count = len(initial) if data is None else row_number(data.get(COUNT)) or 0
        if data is not None and count > READ_MAX:
            self.errors.append(_("At most %(most)d are read.") % {"most": READ_MAX})
            count = READ_MAX
        self.rows = [
            self.row_class(
                data,
                prefix=f"{MARK}{number}",
                initial=None if data is not None else initial[number],
            )
            for number in range(count)
        ]

    def is_valid(self) -> bool:
        """Whether every row is right."""
        return all(row.is_valid() for row in self.rows) and not self.errors

    def add_error(self, field: str | None, error: str) -> None:
        """Say what is wrong with all of it."""
        assert field is None, "a row says itself what is wrong with it"
        self.errors.append(error)

    @property
    def cleaned(self) -> list[dict[str, Any]]:
        """The rows that were found right."""
        return [row.cleaned_data for row in self.rows]

    @property
    def has_room(self) -> bool:
        """Whether one more may be added."""
        return len(self.rows) < self.rows_max


def row_number(text: str | None) -> int | None:
    """Read a number of rows, or of one of them; None: it is none."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 5):  # noqa: PLR2004
        return None
    return int(text)


def without(data: Any, number: int) -> Any:
    """Take a row out of what was sent; those behind it move up."""
    count = row_number(data.get(COUNT)) or 0
    left = data.copy()
    for row in range(number, count):
        for name in [name for name in left if name.startswith(f"{MARK}{row}-")]:
            del left[name]
        after = f"{MARK}{row + 1}-"
        for name in [name for name in data if name.startswith(after)]:
            left.setlist(f"{MARK}{row}-{name.removeprefix(after)}", data.getlist(name))
    left[COUNT] = str(max(count - 1, 0)) if number < count else str(count)
    return left


def with_one_more(data: Any) -> Any:
    """Add an empty row to what was sent."""
    more = data.copy()
    more[COUNT] = str((row_number(data.get(COUNT)) or 0) + 1)
    return more


class RowsEditor:
    """What an editor whose form has rows can be asked for besides: one more, one less."""

    row_words: ClassVar[Any]
    add_words: ClassVar[Any]
    empty_words: ClassVar[Any]
    redraw: Callable[[HttpRequest, Bucket, Any], HttpResponse]
    bound: Callable[[Any, Bucket], Any]

    def actions(self) -> dict[str, Callable[[HttpRequest, Bucket], HttpResponse]]:
        """Name what can be asked for."""
        own: dict[str, Any] = super().actions()  # type: ignore[misc]  # of the editor it is mixed into
        return own | {"add": self._add, "remove": self._remove}

    def _add(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        return self.redraw(request, bucket, self.bound(with_one_more(request.POST), bucket))

    def _remove(self, request: HttpRequest, bucket: Bucket) -> HttpResponse:
        number = row_number(request.POST["do"].partition(" ")[2])
        data = request.POST if number is None else without(request.POST, number)
        return self.redraw(request, bucket, self.bound(data, bucket))
