"""The query string of a request, decoded once."""

from __future__ import annotations


class Query:
    """Names and values in the order sent; `+` is a space, as AWS decodes it."""

    __slots__ = ("_first", "_items", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._items: list[tuple[str, str]] = []
        self._first: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """Answer the first value of a name; "" for a name without `=`; None when absent."""
        return self._first.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def __bool__(self) -> bool:
        return bool(self._items)

    def items(self) -> list[tuple[str, str]]:
        """List every (name, value), decoded, in the order sent."""
        return self._items
