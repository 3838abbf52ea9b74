"""A row of the matrix, and how one is made."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.e2e.matrix.rule import Need, Place

OK: Final = 200
NO_CONTENT: Final = 204
LIST: Final = "listing:ListBucket"
MISSING: Final = "no such key"
PUT: Final = "object:PutObject"
COPY: Final = {"CopySource": "{bucket}/{key}"}


class Row(NamedTuple):
    """One request. `flavour` names what its bucket is like, `changes`: it does when allowed."""

    operation: str
    note: str
    needs: tuple[Need, ...]
    params: dict[str, Any]
    answer: tuple[int, str]
    flavour: str
    changes: bool

    def __str__(self) -> str:
        return f"{self.operation} {self.note}".strip()


def row(
    operation: str,
    needs: str,
    params: dict[str, Any] | None = None,
    /,
    note: str = "",
    *,
    answer: int = OK,
    code: str = "",
    flavour: str = "plain",
    changes: bool = False,
) -> Row:
    """Make a row; `needs` are places and actions, such as "object:GetObject", between blanks."""
    pairs = (need.partition(":") for need in needs.split())
    parsed = tuple(Need(Place(place), action) for place, _, action in pairs)
    return Row(operation, note, parsed, params or {}, (answer, code), flavour, changes)


def change(operation: str, needs: str, *arguments: Any, **options: Any) -> Row:
    """Make the row of a request that changes something."""
    return row(operation, needs, *arguments, changes=True, **options)


def keyed(name: str = "{key}", **params: Any) -> dict[str, Any]:
    """Write the arguments of what is done to a key."""
    return {"Key": name, **params}


def new_key(**params: Any) -> dict[str, Any]:
    """Write the arguments of what makes a new key."""
    return keyed("{new}", **params)
