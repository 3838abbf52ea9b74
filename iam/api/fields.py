"""What calls take: JSON read strictly. An unknown field, or a number for a text, is refused."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

if TYPE_CHECKING:
    from collections.abc import Mapping


NAME_CHARACTERS_MAX: Final = 150
NAMES_MAX: Final = 1000
SEARCH_CHARACTERS_MAX: Final = 200
UNKNOWN: Final = _("There is no such field.")
QUERY_FLAGS: Final = {"true": True, "false": False}


class StrictJson(JSONParser):
    """Reads a body; one that nests too deep for any reader is malformed like any other."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Read it whole; ParseError."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("JSON parse error - it nests too deep") from error


class Given(serializers.Serializer[Any]):
    """What a call is given, by name; a name that means nothing is refused, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """Read what was sent; ValidationError."""
        if hasattr(data, "keys") and (unknown := set(data.keys()) - set(self.fields.keys())):
            raise serializers.ValidationError(
                {name: [UNKNOWN] for name in sorted(map(str, unknown))}
            )
        return super().to_internal_value(data)


def read(kind: type[Given], data: Any) -> dict[str, Any]:
    """Read what a call was given; ValidationError."""
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = dict(serializer.validated_data)
    return found


class Text(serializers.CharField):
    """A text, kept as it is sent; only what can be written in UTF-8 is one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Read it; ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            data.encode()
        except UnicodeEncodeError:  # half of a character, as JSON can spell it
            self.fail("invalid")
        return super().to_internal_value(data)


class Line(Text):
    """A text without control characters: it can stand in a header or a document of XML."""

    def to_internal_value(self, data: Any) -> str:
        """Read it; ValidationError."""
        text = super().to_internal_value(data)
        if not text.isprintable():
            self.fail("invalid")
        return text


class Names(serializers.ListField):
    """Names of things that there are; the list takes the place of the one before."""

    def __init__(self, **options: Any) -> None:
        child = Text(max_length=NAME_CHARACTERS_MAX)
        super().__init__(**{"child": child, "max_length": NAMES_MAX, **options})


class Flag(serializers.BooleanField):
    """True or false, and nothing that only resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        """Read it; ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class QueryFlag(serializers.BooleanField):
    """`true` or `false` in a query."""

    def to_internal_value(self, data: Any) -> bool:
        """Read it; ValidationError."""
        if data not in QUERY_FLAGS:
            self.fail("invalid", input=data)
        return QUERY_FLAGS[data]


class Whole(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: Any) -> int:
        """Read it; ValidationError."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Share(serializers.FloatField):
    """A number from 0 to 1, in a query."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": 1, **options})

    def to_internal_value(self, data: Any) -> float:
        """Read it; ValidationError: `nan` is no number that could be compared."""
        number = super().to_internal_value(data)
        if not math.isfinite(number):
            self.fail("invalid")
        return number


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Document(serializers.JSONField):
    """A policy: an object of JSON, kept as text; without white space where that counts."""

    def __init__(self, *, is_dense: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.is_dense = is_dense

    def to_internal_value(self, data: Any) -> Any:
        """Write what was sent as it will be kept; ValidationError."""
        if not isinstance(data, dict):
            self.fail("invalid")
        try:
            form: Any = {"separators": (",", ":")} if self.is_dense else {"indent": 2}
            text = json.dumps(data, ensure_ascii=False, **form)
            text.encode()
        except (UnicodeEncodeError, RecursionError):
            self.fail("invalid")
        return text

    def to_representation(self, value: Any) -> Any:
        """Show the text as the object it is."""
        return json.loads(value) if value else None
