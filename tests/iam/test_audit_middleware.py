"""What the console and REST leave in the audit log: sign-ins, sign-outs, refusals, who acts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from iam import services
from iam.keyring import RoleName
from iam.models import AuditEntry, User
from iam.passwords import PasswordHasher
from iam.services.audit import search_entries
from iam.throttle import BY_NAME
from tests.calling import Program
from tests.people import PASSWORD, browser, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage_engine import StorageEngine

FROM = "192.0.2.77"


@pytest.fixture(autouse=True)
def cheap() -> Iterator[None]:
    """Hash with little work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "time_cost", 1)
        patch.setattr(PasswordHasher, "memory_cost", 64)
        yield


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)


def enter(client: Client, name: str, password: str) -> int:
    """Fill in the console's form; answer the status."""
    form = {"username": name, "password": password}
    return client.post("/login/?next=/", form, REMOTE_ADDR=FROM).status_code


def ask(path: str, body: dict[str, Any]) -> int:
    """Ask REST for something without a token; answer the status."""
    text = json.dumps(body)
    client = Client()
    return client.post(path, text, content_type="application/json", REMOTE_ADDR=FROM).status_code


def newest(count: int = 1) -> list[AuditEntry]:
    """Read the newest entries, the oldest of them first."""
    return search_entries(limit=count).entries[::-1]


def test_a_session_begins_and_ends_with_entries(boss: User) -> None:
    """Signing in and out of the console is noted with who, from where, and the session's mark."""
    client = Client()
    assert enter(client, "boss", PASSWORD) == 302
    key = client.session.session_key
    client.post("/logout/", REMOTE_ADDR=FROM)
    signed_in, signed_out = newest(2)
    assert (signed_in.action, signed_out.action) == ("s4:SignIn", "s4:SignOut")
    for entry in (signed_in, signed_out):
        assert (entry.actor, entry.actor_id) == ("boss", boss.canonical_id)
        assert (entry.via, entry.address, entry.outcome) == ("console", FROM, "allowed")
        assert entry.resource == f"arn:aws:iam::{boss.account_id}:user/boss"
    assert signed_out.credential.startswith("session:")
    assert key is not None
    assert key not in json.dumps([signed_in.as_dict(), signed_out.as_dict()])


def test_a_token_is_noted_with_its_mark(boss: User) -> None:
    """Signing in over REST is noted, and what the token does bears one mark and no token."""
    form = {"username": "boss", "password": PASSWORD}
    answer = Client().post("/api/admin/login", json.dumps(form), content_type="application/json")
    token = answer.json()["token"]
    (signed_in,) = newest()
    assert (signed_in.action, signed_in.actor, signed_in.via) == ("s4:SignIn", "boss", "rest")
    bearer = {"Authorization": f"Bearer {token}"}
    for name in ("one", "two"):
        body = json.dumps({"username": name, "role": "Reader"})
        made = Client().post(
            "/api/admin/users", body, content_type="application/json", headers=bearer
        )
        assert made.status_code == 201
        (entry,) = search_entries(limit=1).entries
        assert entry.request_id == made.headers["X-Request-ID"]
    first, second = newest(2)
    assert (first.action, first.actor, first.via) == ("iam:CreateUser", "boss", "rest")
    assert first.credential == second.credential
    assert first.credential.startswith("token:")
    text = json.dumps([entry.as_dict() for entry in newest(3)])
    assert not [part for part in token.split(".") if part in text]


@pytest.mark.parametrize("via", ["console", "rest"])
def test_who_is_not_let_in_is_noted_once(boss: User, via: str) -> None:
    """A wrong password is one entry that names the user, and never the password."""
    before = AuditEntry.objects.count()
    if via == "console":
        assert enter(Client(), "boss", "not his word") == 200
    else:
        form = {"username": "boss", "password": "not his word"}
        assert ask("/api/admin/login", form) == 401
    assert AuditEntry.objects.count() == before + 1
    (entry,) = newest()
    assert (entry.action, entry.outcome, entry.via) == ("s4:SignIn", "denied", via)
    assert (entry.actor, entry.address) == ("", FROM)
    assert entry.resource.endswith(":user/boss")
    assert entry.detail == {"reason": "wrong password"}
    assert "not his word" not in json.dumps(entry.as_dict())


def test_a_name_that_nobody_has_is_not_written_down(boss: User) -> None:
    """What was typed as a name may be a password: it stands in no entry."""
    enter(Client(), "hunter2-is-my-word", "x" * 10)
    (entry,) = newest()
    assert (entry.action, entry.outcome, entry.resource) == ("s4:SignIn", "denied", "")
    assert entry.detail == {"reason": "no such user"}
    assert "hunter2" not in json.dumps(entry.as_dict())


def test_who_may_not_enter_is_told_apart(boss: User, rita: User) -> None:
    """A disabled user's right password is denied, and the entry says why."""
    services.set_active(rita.pk, active=False)
    enter(Client(), "rita", PASSWORD)
    assert newest()[0].detail == {"reason": "disabled, or without a password"}


def test_who_must_wait_is_noted(boss: User) -> None:
    """An attempt that the throttle refuses is an entry with its own code."""
    for _ in range(BY_NAME.free + 1):
        enter(Client(), "boss", "not his word")
    assert enter(Client(), "boss", PASSWORD) == 429
    (entry,) = newest()
    assert (entry.action, entry.outcome, entry.address) == ("s4:SignIn", "denied", FROM)
    assert entry.detail["code"] == "TooManySignIns"


def test_what_the_console_denies_is_noted(boss: User, rita: User) -> None:
    """A page that is not for somebody leaves an entry with its address and who asked."""
    page = browser("rita")
    before = AuditEntry.objects.count()
    assert page.get("/iam/user/", REMOTE_ADDR=FROM).status_code == 403
    assert AuditEntry.objects.count() == before + 1
    (entry,) = newest()
    assert (entry.action, entry.resource) == ("s4:ConsoleRequest", "/iam/user/")
    assert (entry.actor, entry.outcome, entry.address) == ("rita", "denied", FROM)
    assert entry.detail == {"method": "GET", "status": 403, "view": "admin:iam_user_changelist"}


def test_what_rest_denies_is_noted(boss: User, rita: User) -> None:
    """A call that is refused leaves an entry, by whom it was asked or by nobody."""
    assert Program(rita).post("/admin/users", {"username": "eve"}).status == 403
    (entry,) = newest()
    assert (entry.action, entry.actor) == ("s4:RestRequest", "rita")
    assert (entry.resource, entry.via) == ("/api/admin/users", "rest")
    assert entry.credential.startswith("token:")
    assert ask("/api/admin/users", {"username": "eve"}) == 401
    (entry,) = newest()
    assert (entry.actor, entry.credential, entry.outcome) == ("", "", "denied")


def test_looking_leaves_nothing(boss: User) -> None:
    """Pages that are read and calls that only ask leave no entry."""
    page, program = browser("boss"), Program(boss)
    before = AuditEntry.objects.count()
    assert page.get("/iam/user/").status_code == 200
    assert page.get("/iam/auditentry/").status_code == 200
    assert program.get("/admin/users").status == 200
    assert AuditEntry.objects.count() == before
