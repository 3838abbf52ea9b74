"""Services write to PostgreSQL what they write to SQLite; `make test-postgresql` tests far more."""

from __future__ import annotations

import os

import pytest

from tests import postgresql
from tests.on_postgresql import run

# All services together take minutes on a busy machine: every day those of buckets and keys' uses.
EVERYDAY = ("tests/buckets/test_entries.py", "tests/iam/test_last_use.py")
LONG = ("tests/iam/test_service_entries.py",) if os.environ.get("S4_TEST_LONG") else ()


@pytest.mark.timeout(900 if LONG else 300)
@pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed")
def test_services_do_there_what_they_do_in_sqlite() -> None:
    """A service is called, and its change and its entry are found in PostgreSQL."""
    assert run(["-q", "-p", "no:cacheprovider", *EVERYDAY, *LONG]) == 0
