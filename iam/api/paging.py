"""Pages of lists: how many rows at most, and an opaque token that says where the next one begins.

A page costs what it holds, wherever it begins: the token is the last row's place in the order.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db.models import Model
from rest_framework import serializers

from iam.api.fields import Given, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

PAGE_MAX: Final = 1000
TOKEN_CHARACTERS_MAX: Final = 2048
ID_DIGITS_MAX: Final = 18  # fits in 63 bits

Row = TypeVar("Row", bound=Model)


class PageQuery(Given):
    """Which page of a list is wanted."""

    limit = serializers.IntegerField(
        min_value=1, max_value=PAGE_MAX, default=PAGE_MAX, help_text="How many rows at most."
    )
    token = Text(
        required=False,
        max_length=TOKEN_CHARACTERS_MAX,
        help_text="`next_token` of the page before; without it the list begins.",
    )


class Page(serializers.Serializer[Any]):
    """What every page says beside its rows."""

    next_token = serializers.CharField(
        allow_null=True, help_text="Asks for the next page; null when this is the last."
    )


def write_token(place: str) -> str:
    """Make the token of the page that begins behind `place`."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_token(token: str | None, field: str = "token") -> str:
    """Read a token, "" when there is none; ValidationError for one that never was."""
    if token is None:
        return ""
    try:
        place = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = place.decode()
    except (binascii.Error, ValueError) as error:
        raise serializers.ValidationError({field: ["There is no such page."]}) from error
    if not text or "\0" in text or write_token(text) != token:
        raise serializers.ValidationError({field: ["There is no such page."]})
    return text


def read_number(token: str | None) -> int | None:
    """Read a token that stands for a row's id, None when there is none; ValidationError."""
    if token is None:
        return None
    text = read_token(token)
    if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX):
        raise serializers.ValidationError({"token": ["There is no such page."]})
    return int(text)


def page_of(rows: QuerySet[Row], order: str, query: dict[str, Any]) -> tuple[list[Row], str | None]:
    """Take a page of rows in the order of a unique text column; and the next page's token."""
    after = read_token(query.get("token"))
    if after:
        rows = rows.filter(**{f"{order}__gt": after})
    return cut(list(rows.order_by(order)[: query["limit"] + 1]), order, query["limit"])


def cut(found: Sequence[Row], order: str, limit: int) -> tuple[list[Row], str | None]:
    """Cut a page out of rows of which there may be one more; and the next page's token."""
    page = list(found[:limit])
    more = len(found) > limit
    return page, write_token(getattr(page[-1], order)) if more else None
