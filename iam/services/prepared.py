"""Queries whose text Django makes once: to make it takes longer than to read a few rows.

For what every worker reads after every change. Values are as the database gives them: a column that
Django would have to convert is read as a text, by `Cast`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from django.db.models import QuerySet

Row = tuple[Any, ...]
TEXTS_MAX = 16  # for so many different numbers of rows


class Prepared:
    """A query for columns of rows, in one order: of all of them, or of some by their first column.

    `rows` makes the query, by `values_list`, without anything that is to be filled in.
    """

    def __init__(self, rows: Callable[[], QuerySet[Any, Row]], first: str) -> None:
        self._rows, self._first = rows, first
        self._text = lru_cache(TEXTS_MAX)(self._make_text)

    def read(self, numbers: Collection[int] | None = None) -> list[Row]:
        """Read the rows with these numbers in the first column; None: all."""
        return fetch(self._text(None if numbers is None else len(numbers)), *(numbers or ()))

    def _make_text(self, count: int | None) -> str:
        rows = self._rows()
        if count is not None:
            rows = rows.filter(**{f"{self._first}__in": range(count)})
        text, given = rows.query.sql_with_params()
        assert len(given) == (count or 0), "only numbers are filled in"
        return text


def fetch(text: str, *given: int) -> list[Row]:
    """Ask SQL, in words that both databases know."""
    with connection.cursor() as cursor:
        cursor.execute(text, given)
        rows: list[Row] = cursor.fetchall()
        return rows
