"""Users and access keys over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from buckets.services import create_bucket
from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey, User
from iam.passwords import PasswordHasher
from tests.calling import Program
from tests.people import person

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)


def test_a_user_is_made_shown_changed_and_deleted(boss: User) -> None:
    """The life of a user, each call with its own status, never a password or a secret in sight."""
    program = Program(boss)
    body = {"username": "ada", "password": "engines of analysis", "role": "Writer"}
    made = program.post("/admin/users", body)
    assert made.status == 201
    assert made.body["username"] == "ada"
    assert made.body["role"] == "Writer"
    assert made.body["is_active"] is True
    assert "password" not in made.body
    assert "secret_key" not in made.body
    path = f"/admin/users/{made.body['id']}"
    assert program.get(path).body == made.body
    changed = program.put(path, {"role": "Reader", "is_active": False, "email": "a@example.org"})
    assert changed.status == 200
    assert changed.body["updated_at"] > made.body["updated_at"]
    assert changed.body == made.body | {
        "updated_at": changed.body["updated_at"],
        "role": "Reader",
        "is_active": False,
        "email": "a@example.org",
    }
    assert program.delete(path).status == 204
    assert program.get(path).status == 404


class Watched(PasswordHasher):
    """Hashes, but not while a transaction holds the lock that all who write wait for."""

    def encode(self, password: str, salt: str) -> str:
        """Hash a password."""
        assert not connection.in_atomic_block
        return super().encode(password, salt)


def test_nobody_waits_for_a_password_to_be_hashed(boss: User, settings: SettingsWrapper) -> None:
    """Users are made and changed in transactions that have their passwords' hashes already."""
    settings.PASSWORD_HASHERS = [f"{Watched.__module__}.{Watched.__name__}"]
    program = Program(boss)
    services.create_group("team")
    body = {"username": "ada", "password": "engines of analysis", "groups": ["team"]}
    made = program.post("/admin/users", body)
    assert (made.status, made.body["groups"]) == (201, ["team"])
    change = {"password": "other engines", "display_name": "Ada"}
    assert program.put(f"/admin/users/{made.body['id']}", change).status == 200
    refused = {**body, "username": "eve", "groups": ["nobody's"]}
    assert program.post("/admin/users", refused).status == 404
    assert not User.objects.filter(username="eve").exists()


def test_a_user_list_comes_in_pages_and_can_be_narrowed(boss: User, rita: User) -> None:
    """Pages follow each other without gap or repetition; filters leave out the others."""
    for number in range(5):
        services.create_user(f"user-{number}", RoleName.WRITER)
    program, names, token = Program(boss), [], ""
    while True:
        page = program.get(f"/admin/users?limit=3{token}").body
        names += [user["username"] for user in page["users"]]
        if page["next_token"] is None:
            break
        token = f"&token={page['next_token']}"
    assert names == ["boss", "rita", *(f"user-{number}" for number in range(5))]

    def found(query: str) -> list[str]:
        return [user["username"] for user in program.get(f"/admin/users?{query}").body["users"]]

    assert found("role=SuperUser") == ["boss"]
    assert found("search=ITA") == ["rita"]
    assert found("is_active=false") == []


def test_others_see_themselves_alone(boss: User, rita: User) -> None:
    """A Reader's list is himself; others are 404 to him, and what only SuperUsers do is 403."""
    program = Program(rita)
    listed = program.get("/admin/users").body["users"]
    assert [user["username"] for user in listed] == ["rita"]
    assert program.get(f"/admin/users/{rita.pk}").status == 200
    for method, path in (
        ("GET", f"/admin/users/{boss.pk}"),
        ("GET", "/admin/users/999999"),
        ("GET", f"/admin/users/{boss.pk}/keys"),
        ("POST", f"/admin/users/{boss.pk}/credentials"),
        ("DELETE", f"/admin/users/{boss.pk}/credentials"),
    ):
        told = program.send(method, path)
        assert (told.status, "There is no user" in told.error) == (404, True)
    assert program.post("/admin/users", {}).status == 403
    assert program.put(f"/admin/users/{rita.pk}", {"role": "SuperUser"}).status == 403
    assert program.delete(f"/admin/users/{rita.pk}").status == 403


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "username: This field is required"),
        ({"username": "x", "role": "Wizard"}, "role"),
        ({"username": "x y", "role": "Reader"}, "user name has only letters"),
        ({"username": "x", "role": "Reader", "password": "short"}, "password"),
        ({"username": "x", "role": "Reader", "is_admin": True}, "is_admin: There is no such field"),
        ({"username": 7, "role": "Reader"}, "username: Not a valid string"),
        ({"username": "\ud800", "role": "Reader"}, "username: Not a valid string"),
        ({"username": "a\0b", "role": "Reader"}, "username"),
        ({"username": "x" * 151, "role": "Reader"}, "username"),
        ({"username": "x", "role": "Reader", "email": "nowhere"}, "email"),
        ([], "dictionary"),
        (None, "username"),
        ("text", "dictionary"),
    ],
)
def test_a_user_who_cannot_be_is_refused_in_a_sentence(boss: User, body: Any, words: str) -> None:
    """What is wrong is named, the status is 400, and nobody was made."""
    told = Program(boss).post("/admin/users", body)
    assert told.status == 400
    assert words in told.error
    assert User.objects.count() == 1


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b""])
def test_malformed_json_is_400(boss: User, body: bytes) -> None:
    """What is no JSON is refused like any other bad input."""
    assert Program(boss).post("/admin/users", body).status == 400


def test_other_media_are_415(boss: User) -> None:
    """A form or a text is not read."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "nonsense"):
        told = Program(boss).post("/admin/users", b"username=x", content_type=kind)
        assert (told.status, bool(told.error)) == (415, True)


def test_a_name_that_is_taken_is_409(boss: User, rita: User) -> None:
    """There is one user of a name."""
    told = Program(boss).post("/admin/users", {"username": "rita", "role": "Reader"})
    assert (told.status, told.error) == (409, "There is already a user named rita.")


def test_nobody_shuts_himself_out(boss: User) -> None:
    """A SuperUser neither demotes nor disables nor deletes himself, even beside another."""
    person("other", RoleName.SUPERUSER)
    program, path = Program(boss), f"/admin/users/{boss.pk}"
    told = [
        program.put(path, {"role": "Writer"}),
        program.put(path, {"is_active": False}),
        program.delete(path),
    ]
    assert [each.status for each in told] == [409, 409, 409]
    assert all("himself" in each.error for each in told)
    assert program.put(path, {"role": "SuperUser", "is_active": True}).status == 200


def test_the_root_user_and_owners_of_buckets_stay(boss: User, ada: User) -> None:
    """Who must stay is 409 with the reason, and a change refused in one part is not made at all."""
    create_bucket("adas", ada.canonical_id)
    program = Program(boss)
    told = program.delete(f"/admin/users/{ada.pk}")
    assert (told.status, told.error) == (409, "ada owns buckets: delete them first.")
    half = program.put(f"/admin/users/{ada.pk}", {"display_name": "New", "password": "short"})
    assert half.status == 400
    ada.refresh_from_db()
    assert ada.display_name == "Ada L."


def test_credentials_are_one_key_that_is_made_anew(boss: User, ada: User) -> None:
    """POST gives a key and ends the one before; DELETE ends it; other keys stay."""
    other = services.create_key(ada.pk, name="backup")
    program, path = Program(boss), f"/admin/users/{ada.pk}"
    first = program.post(f"{path}/credentials")
    assert first.status == 201
    assert set(first.body) == {"access_key", "secret_key"}
    assert program.get(path).body["access_key"] == first.body["access_key"]
    second = program.post(f"{path}/credentials").body
    keyring = services.load_keyring()
    assert keyring.find(first.body["access_key"]) is None
    found = keyring.find(second["access_key"])
    assert found is not None
    assert found.secret_key == second["secret_key"]
    assert program.delete(f"{path}/credentials").status == 204
    assert program.delete(f"{path}/credentials").status == 404
    assert program.get(path).body["access_key"] is None
    assert services.load_keyring().find(other.access_key) is not None


def test_keys_are_made_listed_changed_and_deleted_by_their_user(rita: User, boss: User) -> None:
    """A user looks after his own keys; a secret is in the first answer alone."""
    program, path = Program(rita), f"/admin/users/{rita.pk}/keys"
    expires = (timezone.now() + timedelta(days=1)).isoformat()
    made = program.post(path, {"name": "laptop", "expires_at": expires})
    assert made.status == 201
    assert len(made.body["secret_key"]) == 40
    key = {name: value for name, value in made.body.items() if name != "secret_key"}
    assert program.get(path).body == {"keys": [key], "next_token": None}
    one = f"{path}/{key['access_key']}"
    changed = program.put(one, {"expires_at": None, "is_enabled": False})
    assert changed.body == key | {"expires_at": None, "is_enabled": False}
    assert Program(boss).get(one).body == changed.body
    assert program.delete(one).status == 204
    assert program.get(one).status == 404
    assert not AccessKey.objects.filter(user=rita).exists()


def test_a_key_that_cannot_be_is_refused(rita: User, boss: User, ada: User) -> None:
    """A key that has expired, a wrong type, another's key: each with its own status."""
    program, path = Program(rita), f"/admin/users/{rita.pk}/keys"
    past = program.post(path, {"expires_at": "2020-01-01T00:00:00Z"})
    assert (past.status, "before it is made" in past.error) == (400, True)
    assert program.post(path, {"expires_at": 7}).status == 400
    assert program.post(path, {"name": "x" * 101}).status == 400
    assert program.post(path, {"secret_key": "mine"}).status == 400
    theirs = services.create_key(ada.pk)
    assert program.get(f"{path}/{theirs.access_key}").status == 404
    assert program.delete(f"{path}/{theirs.access_key}").status == 404
    assert program.get(f"{path}?token=zzz").status == 400
    assert program.get(f"{path}?limit=0").status == 400
    assert program.get(f"{path}?lmit=1").error == "lmit: There is no such field."


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/admin",
        "/admin/users/",
        "/admin/users/0",
        "/admin/users/x",
        "/admin/users/-1",
        "/admin/users/99999999999999999999",
        "/admin/users/1/../2",
        "/admin/users/1/keys/a%2Fb",
        "/admin/users/%00",
    ],
)
def test_an_address_that_is_none_is_404_in_json(boss: User, path: str) -> None:
    """There is one form of refusal, under every address."""
    told = Program(boss).get(path)
    assert (told.status, bool(told.error)) == (404, True)


def test_a_method_that_is_none_is_405(boss: User) -> None:
    """The answer says which there are."""
    told = Program(boss).send("PATCH", "/admin/users")
    assert told.status == 405
    assert told.error
    assert set(told.headers["Allow"].split(", ")) >= {"GET", "POST"}
    assert Program(boss).send("OPTIONS", "/admin/users").status == 405
