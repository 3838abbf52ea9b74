"""Claims about docs/access-matrix.md: it is the table that the server is held against."""

from __future__ import annotations

import os

from tests.e2e.matrix.page import COLUMNS, DEAD, write
from tests.e2e.matrix.rows import ROWS
from tests.e2e.matrix.rule import CALLERS
from tests.e2e.server import ROOT

PAGE = ROOT / "docs" / "access-matrix.md"


def test_the_page_is_the_table() -> None:
    """docs/access-matrix.md says what the table says; S4_WRITE_DOCS=1 (`make pages`) writes it."""
    if os.environ.get("S4_WRITE_DOCS"):
        PAGE.write_text(write(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == write()


def test_no_row_stands_for_another() -> None:
    """Each row has a name of its own."""
    assert len({str(row) for row in ROWS}) == len(ROWS)


def test_one_column_stands_for_keys_that_do_not_count() -> None:
    """The callers who share a column are answered alike."""
    columns = {
        tuple(caller.verdict(row.needs) for row in ROWS)
        for caller in CALLERS
        if caller.name in DEAD
    }
    assert len(columns) == 1
    assert len(COLUMNS) == len(CALLERS) - len(DEAD) + 1
