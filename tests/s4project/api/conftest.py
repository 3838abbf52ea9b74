"""Fixtures of the API's tests: a store, and people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam.keyring import RoleName
from s4project.s3side import close_s3_app
from tests.people import person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from iam.models import User
    from storage_engine import StorageEngine


@pytest.fixture
def store(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> Iterator[StorageEngine]:
    """Open a store of the test's own, with a database whose transactions are real."""
    with opened(settings, tmp_path) as engine:
        yield engine
        close_s3_app()


@pytest.fixture
def boss(store: StorageEngine) -> User:
    """Make a SuperUser."""
    return person("boss", RoleName.SUPERUSER)


@pytest.fixture
def ada(store: StorageEngine) -> User:
    """Make a Writer."""
    return person("ada", RoleName.WRITER)


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader."""
    return person("rita", RoleName.READER)
