"""The ledger of key uses: one line for each key, and none lost while the database is in trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey
from s4project import key_uses
from s4project.key_uses import KeyUses
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper


@pytest.fixture
def keys(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[list[str]]:
    """Open a store with some keys."""
    with opened(settings, tmp_path):
        user = services.create_user("ada", RoleName.WRITER)
        yield [services.create_key(user.pk).access_key for _ in range(5)]


def used(access_key: str) -> float | None:
    """Read when a key was last used, in epoch milliseconds."""
    moment = AccessKey.objects.get(access_key=access_key).last_used_at
    return None if moment is None else moment.timestamp() * 1000


def test_a_busy_key_is_one_line(keys: list[str]) -> None:
    """However often keys are used, each waits once, with its last use."""
    uses = KeyUses()
    for moment in range(1_000, 2_000):
        uses.note_use(keys[moment % 2], moment)
    assert uses.count() == 2
    assert uses.write_batch() is False
    assert (used(keys[0]), used(keys[1]), used(keys[2])) == (1_998, 1_999, None)


def test_many_keys_are_written_in_batches(keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction takes more than a batch of keys."""
    monkeypatch.setattr(key_uses, "BATCH_KEYS_MAX", 2)
    uses = KeyUses()
    for access_key in keys:
        uses.note_use(access_key, 1_000)
    assert [uses.write_batch() for _ in range(4)] == [True, True, False, False]
    assert [used(access_key) for access_key in keys] == [1_000] * 5


def test_it_rings_once_for_many_uses(keys: list[str]) -> None:
    """The scribe is woken by the first use after a rest, and by none that follows."""
    rings: list[int] = []
    uses = KeyUses()
    uses.attach(lambda: rings.append(1))
    for moment in range(5):
        uses.note_use(keys[0], moment)
    assert len(rings) == 1
    uses.write_batch()
    uses.rest()
    assert len(rings) == 1
    uses.note_use(keys[1], 7)
    assert len(rings) == 2


def test_what_could_not_be_written_is_kept_unless_a_later_use_came(keys: list[str]) -> None:
    """Trouble of the database loses no use, and takes the place of no later one."""
    uses = KeyUses()
    uses.note_use(keys[0], 1_000)
    uses.note_use(keys[1], 1_000)
    trouble = _Trouble(lambda: uses.note_use(keys[0], 2_000))
    with connection.execute_wrapper(trouble), pytest.raises(OSError, match="trouble"):
        uses.write_batch()
    assert uses.count() == 2
    uses.write_batch()
    assert (used(keys[0]), used(keys[1])) == (2_000, 1_000)


class _Trouble:
    """A database that fails, while requests go on."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def __call__(self, *_: object) -> None:
        self.meanwhile()
        raise OSError("trouble")
