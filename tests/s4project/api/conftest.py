"""Fixtures of the API's tests: a store, and people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam.keyring import RoleName
from s4project.s3side import close_s3_app
from tests.people import person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam.models import User
    from storage_engine import StorageEngine


@pytest.fixture
def store(store: StorageEngine) -> Iterator[StorageEngine]:
    """Close what the API opened over the store, before that is closed."""
    yield store
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
