"""Fixtures of the identity tests: a store, and people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam import services
from iam.keyring import RoleName
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


@pytest.fixture
def boss(store: StorageEngine) -> User:
    """Make the only SuperUser, who can sign in."""
    return person("boss", RoleName.SUPERUSER)


@pytest.fixture
def ada(store: StorageEngine) -> User:
    """Make a Writer."""
    return services.create_user(
        "ada", RoleName.WRITER, display_name="Ada L.", email="ada@example.org"
    )
