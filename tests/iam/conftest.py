"""Fixtures of the identity tests: a store, and people in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam import services
from iam.keyring import RoleName
from tests.people import person

if TYPE_CHECKING:
    from iam.models import User
    from storage_engine import StorageEngine


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
