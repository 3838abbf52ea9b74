"""Fixtures of the bucket tests: a store, and people in it."""

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
    """Make a SuperUser who can sign in."""
    return person("boss", RoleName.SUPERUSER)


@pytest.fixture
def ada(store: StorageEngine) -> User:
    """Make a Writer who can sign in and has a name to show."""
    user = person("ada", RoleName.WRITER)
    services.update_profile(user.pk, display_name="Ada L.", email="")
    return user


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)
