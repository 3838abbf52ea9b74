"""What all tests share: a store, how thoroughly properties are searched, everyday or long form.

S4_TEST_LONG asks for the long form. It is a setting of the tests and not of S4, which refuses
variables it does not know: it is never handed to a server.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as searching

from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

# No deadline, nor one for making examples: how long one takes says more of the neighbours than of
# the code.
searching.register_profile("everyday", deadline=None, suppress_health_check=[HealthCheck.too_slow])
searching.register_profile("long", searching.get_profile("everyday"), max_examples=2000)
searching.load_profile("long" if os.environ.get("S4_TEST_LONG") else "everyday")

# Whoever is started in the background by a shell ignores it, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def store(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> Iterator[StorageEngine]:
    """Open a store of the test's own, with a database whose transactions are real."""
    with opened(settings, tmp_path) as engine:
        yield engine
