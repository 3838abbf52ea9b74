"""Another server key takes the place of the first: what is sealed, and what a stop leaves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from django.db import connection

from iam import sealing, services
from iam.api.tokens import make_token
from iam.models import AccessKey, SealingMark
from iam.services import server_key
from tests.calling import Program
from tests.people import browser

if TYPE_CHECKING:
    from iam.models import User

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture
def secrets(boss: User) -> dict[str, str]:
    """Make some access keys."""
    made = [services.create_key(boss.pk) for _ in range(5)]
    return {key.access_key: key.secret_key for key in made}


def replace() -> int:
    """Replace the key; progress goes nowhere."""
    return services.replace_server_key(lambda *_: None)


def opened() -> dict[str, str]:
    """Read every secret as a worker does."""
    keyring = services.load_keyring()
    found = (keyring.find(row.access_key) for row in AccessKey.objects.all())
    return {key.access_key: key.secret_key for key in found if key is not None}


def assert_settled(tmp_path: Path, secrets: dict[str, str]) -> None:
    """Insist that there is one key, which is the marked one, and that it opens all."""
    assert not (tmp_path / sealing.NEXT_KEY_FILE).exists()
    assert SealingMark.objects.get().mark == sealing.load_server_key(tmp_path).mark
    key = sealing.load_server_key(tmp_path)
    for row in AccessKey.objects.all():
        aad = row.access_key.encode()
        assert key.unseal(bytes(row.sealed_secret), aad).decode() == secrets[row.access_key]


def test_all_is_sealed_under_another_key(tmp_path: Path, secrets: dict[str, str]) -> None:
    """Afterwards the new key opens every secret, the old one none, and nothing else changed."""
    old = sealing.load_server_key(tmp_path)
    told: list[tuple[int, int]] = []
    assert services.replace_server_key(lambda done, total: told.append((done, total))) == 5
    assert told == [(0, 5), (5, 5)]
    assert_settled(tmp_path, secrets)
    assert opened() == secrets
    for row in AccessKey.objects.all():
        with pytest.raises(sealing.WrongServerKey):
            old.unseal(bytes(row.sealed_secret), row.access_key.encode())
    assert (tmp_path / sealing.SERVER_KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_many_secrets_are_sealed_in_portions(
    boss: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str]
) -> None:
    """However the secrets fall into portions, each is sealed once."""
    monkeypatch.setattr(server_key, "RESEALED_AT_ONCE", 2)
    assert replace() == 5
    assert_settled(tmp_path, secrets)


def test_a_store_without_keys_has_its_key_replaced(boss: User, tmp_path: Path) -> None:
    """With nothing to seal the key is another all the same."""
    before = sealing.load_server_key(tmp_path).mark
    assert replace() == 0
    assert_settled(tmp_path, {})
    assert sealing.load_server_key(tmp_path).mark != before


def test_a_late_stop_is_settled_by_the_mark(
    boss: User, tmp_path: Path, secrets: dict[str, str]
) -> None:
    """Sealed anew but not renamed: all goes on, and the next start gives the key its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "adopt_next_key", lambda *_: None)
        replace()
    assert (tmp_path / sealing.NEXT_KEY_FILE).exists()
    made = services.create_key(boss.pk)
    secrets[made.access_key] = made.secret_key
    assert opened() == secrets
    services.settle_server_key()
    assert_settled(tmp_path, secrets)


@pytest.mark.parametrize("left", [b"", b"half", b"x" * 32])
def test_an_early_stop_is_taken_back(tmp_path: Path, secrets: dict[str, str], left: bytes) -> None:
    """A next key that nothing was sealed under, whole or not, is dropped, and never used."""
    path = tmp_path / sealing.NEXT_KEY_FILE
    path.write_bytes(left)
    path.chmod(0o600)
    before = sealing.load_server_key(tmp_path).mark
    assert opened() == secrets
    services.settle_server_key()
    assert_settled(tmp_path, secrets)
    assert sealing.load_server_key(tmp_path).mark == before


def test_a_failure_leaves_all_as_it_was(
    tmp_path: Path, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a secret does not open, or the database fails, nothing is sealed anew."""
    before = SealingMark.objects.get().mark
    damaged = AccessKey.objects.latest("pk")
    sealed, damaged.sealed_secret = damaged.sealed_secret, b"\1" + bytes(60)
    damaged.save()
    with pytest.raises(sealing.WrongServerKey, match=damaged.access_key):
        replace()
    assert SealingMark.objects.get().mark == before
    damaged.sealed_secret = sealed
    damaged.save()
    services.settle_server_key()
    assert_settled(tmp_path, secrets)


def test_a_strange_key_is_refused_before_anything_is_written(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    """A key that does not belong to the database neither becomes its key nor seals anything."""
    path = tmp_path / sealing.SERVER_KEY_FILE
    right = path.read_bytes()
    path.write_bytes(bytes(32))
    with pytest.raises(sealing.WrongServerKey, match="put back the one that belongs to it"):
        services.settle_server_key()
    with pytest.raises(sealing.WrongServerKey):
        services.create_key(AccessKey.objects.latest("pk").user_id)
    SealingMark.objects.all().delete()  # as in a database from before there were marks
    with pytest.raises(sealing.WrongServerKey):
        services.settle_server_key()
    assert not SealingMark.objects.exists()
    path.write_bytes(right)
    services.settle_server_key()
    assert_settled(tmp_path, secrets)


def test_sessions_and_tokens_end_with_their_key(boss: User, secrets: dict[str, str]) -> None:
    """What was signed under the old key is worth nothing at the next request of any worker."""
    client, program = browser("boss"), Program(token=str(make_token(boss)))
    assert client.get("/").status_code == 200
    assert program.get("/admin/me").status == 200
    replace()
    assert client.get("/").status_code == 302
    assert program.get("/admin/me").status == 401
    assert browser("boss").get("/").status_code == 200
    assert Program(boss).get("/admin/me").status == 200


def test_a_lost_key_is_given_up_by_the_lines_of_the_page(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    """Another key is refused until the statements that docs/troubleshooting.md tells are run."""
    services.settle_server_key()
    (tmp_path / sealing.SERVER_KEY_FILE).unlink()
    sealing.load_or_create_server_key(tmp_path)
    with pytest.raises(sealing.WrongServerKey):
        services.settle_server_key()
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    (statements,) = re.findall(r"^sqlite3 .* '(delete [^']*)'$", page, re.MULTILINE)
    with connection.cursor() as cursor:
        for statement in statements.strip(";").split(";"):
            cursor.execute(statement)
    services.settle_server_key()
    assert opened() == {}
    key = services.create_key(services.find_user("boss").pk)
    assert opened() == {key.access_key: key.secret_key}
