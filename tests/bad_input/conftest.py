"""A world for the bad requests: none of them changes it, so many share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.world import living

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from tests.fuzz.world import World


@pytest.fixture
def world(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[World]:
    """Make a store with people and objects in it, and the application over it."""
    with living(settings, tmp_path) as world:
        yield world
