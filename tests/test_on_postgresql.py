"""Each service writes to PostgreSQL what it writes to SQLite; the long form tests far more."""

from __future__ import annotations

import pytest

from tests import postgresql
from tests.on_postgresql import run

CHOSEN = ("tests/iam/test_service_entries.py", "tests/buckets/test_entries.py")


@pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed")
def test_every_service_does_there_what_it_does_in_sqlite() -> None:
    """Each service is called once, and its change and its entry are found in PostgreSQL."""
    assert run(["-q", "-p", "no:cacheprovider", *CHOSEN]) == 0
