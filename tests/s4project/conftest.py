"""Fixtures of the tests of a bucket's page: a bucket, and a browser of whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buckets import services
from buckets.configuration import BucketConfiguration
from iam.keyring import RoleName
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from buckets.registry import BucketState


@pytest.fixture
def box(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[BucketState]:
    """Make a bucket of the Writer wilma's, of which nothing is said."""
    with opened(settings, tmp_path):
        wilma = person("wilma", RoleName.WRITER)
        plain = BucketConfiguration(ownership=None, public_access_block=None)
        yield services.create_bucket("box", wilma.canonical_id, configuration=plain)


@pytest.fixture
def console(box: BucketState) -> Client:
    """Sign in as the Writer."""
    return browser("wilma")
