"""The query string of a request, decoded once.

Strict: what cannot be decoded is refused, so that no two readers of a query can disagree.
"""

from __future__ import annotations

from typing import Final

from s3api.http import percent


def _parse(raw: bytes) -> list[tuple[str, str]]:
    """Split and decode; as AWS does, `+` is a space and a name may stand without `=`."""
    pairs = [piece.partition(b"=") for piece in raw.replace(b"+", b" ").split(b"&") if piece]
    return [(percent.decode(name), percent.decode(value)) for name, _, value in pairs]


class Query:
    """Names and values in the order sent; a broken escape is S3Error InvalidURI."""

    __slots__ = ("_first", "_items", "raw")

    raw: bytes

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._items = _parse(raw) if raw else []
        # Reversed, so that the first of several equal names wins.
        self._first = dict(reversed(self._items)) if raw else {}

    def get(self, name: str) -> str | None:
        """Answer the first value of a name; "" for a name without `=`; None when absent."""
        return self._first.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._first

    def __bool__(self) -> bool:
        return bool(self._items)

    def items(self) -> list[tuple[str, str]]:
        """List every (name, value), decoded, in the order sent."""
        return self._items


NO_QUERY: Final = Query(b"")
