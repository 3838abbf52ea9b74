"""The console's door and the API's: one count of wrong passwords, sessions with an end."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from iam import services, sessions
from iam.errors import WrongPassword
from iam.keyring import RoleName
from iam.models import User
from iam.passwords import PasswordHasher
from iam.session_store import stored
from iam.throttle import BY_NAME
from s4project.jobs import forget
from tests.calling import Program
from tests.people import PASSWORD, browser, person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponse
    from pytest_django.fixtures import SettingsWrapper

WRONG = "The user name or the password is wrong."
ANOTHER = "battery staple"
TOO_MANY = r"Too many attempts to sign in\. Try again in [1-5] seconds?\."


@pytest.fixture(autouse=True)
def cheap() -> Iterator[None]:
    """Hash with little work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "time_cost", 1)
        patch.setattr(PasswordHasher, "memory_cost", 64)
        yield


class Clock:
    """A clock that sessions go by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = sessions.time.time()
        monkeypatch.setattr(sessions.time, "time", lambda: self.now)

    def passes(self, *, minutes: float) -> None:
        """Let time pass."""
        self.now += minutes * 60


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Make a clock that stands still."""
    return Clock(monkeypatch)


def enter(client: Client, password: str = PASSWORD, name: str = "boss") -> HttpResponse:
    """Send the form of the login page."""
    return client.post("/login/", {"username": name, "password": password})


def is_in(client: Client) -> bool:
    """Whether the console knows who asks."""
    return client.get("/").status_code == 200


def test_a_wrong_password_is_told_in_one_sentence(boss: User) -> None:
    """The page says that name or password are wrong, for every reason there is."""
    services.create_user("keyless", RoleName.READER)
    for name in ("boss", "nobody", "keyless"):
        response = enter(Client(), "wrong", name)
        assert response.status_code == 200
        assert WRONG in response.content.decode()


def test_who_must_wait_is_told_how_long(boss: User) -> None:
    """Beyond the free attempts console and API answer 429 with Retry-After, and count together."""
    program = Program()
    for number in range(BY_NAME.free):
        if number % 2:
            assert enter(Client(), "wrong").status_code == 200
        else:
            told = program.post("/admin/login", {"username": "boss", "password": "wrong"})
            assert (told.status, told.error) == (401, WRONG)
            assert told.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    response = enter(Client())
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 5
    page = response.content.decode()
    assert re.search(TOO_MANY, page)
    assert PASSWORD not in page
    told = program.post("/admin/login", {"username": "boss", "password": PASSWORD})
    assert told.status == 429
    assert 1 <= int(told.headers["Retry-After"]) <= 5
    assert re.fullmatch(TOO_MANY, told.error)


def test_signing_in_makes_session_and_form_token_anew(boss: User) -> None:
    """A session that was there before one signed in is none afterwards, nor is its form token."""
    client = Client()
    client.get("/login/")
    before = client.session
    before["planted"] = "by a stranger"
    before.save()
    client.cookies["s4_session"] = planted = before.session_key
    token = client.cookies["s4_csrf"].value
    assert enter(client).status_code == 302
    cookie = client.cookies["s4_session"]
    assert cookie.value != planted
    assert client.cookies["s4_csrf"].value != token
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not Session.objects.filter(session_key=stored(planted)).exists()
    stranger = Client()
    stranger.cookies["s4_session"] = planted
    assert not is_in(stranger)


def test_the_table_of_sessions_opens_none(boss: User) -> None:
    """What stands in SQL for a session is not its key, and as a key opens nothing."""
    client = Client()
    enter(client)
    key = client.cookies["s4_session"].value
    (row,) = Session.objects.all()
    assert key not in row.session_key + row.session_data
    stranger = Client()
    stranger.cookies["s4_session"] = row.session_key
    assert not is_in(stranger)
    assert is_in(client)


def test_signing_out_ends_the_session(boss: User) -> None:
    """The key of a session that was left opens nothing any more."""
    client = browser("boss")
    kept = client.cookies["s4_session"].value
    client.post("/logout/")
    stranger = Client()
    stranger.cookies["s4_session"] = kept
    assert not is_in(stranger)


@pytest.mark.parametrize("end", ["disabled", "demoted", "password", "deleted", "tokens"])
def test_a_session_ends_with_what_it_was_given_for(boss: User, end: str) -> None:
    """A session is over at the next request when its user is not what he was."""
    ada = person("ada", RoleName.SUPERUSER)
    client = browser("ada")
    assert is_in(client)
    services.update_profile(ada.pk, display_name="Ada", email="")
    assert is_in(client)
    match end:
        case "disabled":
            services.set_active(ada.pk, active=False)
            assert not is_in(client)
            services.set_active(ada.pk, active=True)
        case "demoted":
            services.set_role(ada.pk, RoleName.READER)
        case "password":
            services.set_password(ada.pk, ANOTHER)
        case "deleted":
            services.delete_user(ada.pk)
        case "tokens":
            services.end_tokens(ada.pk)
    assert not is_in(client)


def test_a_session_at_rest_ends(boss: User, clock: Clock, settings: SettingsWrapper) -> None:
    """A session ends when nothing was asked for so long, and goes on while something is."""
    settings.S4 = dataclasses.replace(settings.S4, session_idle_minutes=10)
    client = Client()
    enter(client)
    for _ in range(4):
        clock.passes(minutes=9.5)
        assert is_in(client)
    clock.passes(minutes=10)
    assert not is_in(client)
    clock.passes(minutes=-10)
    assert not is_in(client)


def test_a_session_has_an_end(boss: User, clock: Clock, settings: SettingsWrapper) -> None:
    """However busy, a session ends so many hours after signing in; signing in again begins anew."""
    settings.S4 = dataclasses.replace(settings.S4, session_hours=2)
    client = Client()
    enter(client)
    clock.passes(minutes=59)
    assert is_in(client)
    enter(client)
    for _ in range(2):
        clock.passes(minutes=59)
        assert is_in(client)
    clock.passes(minutes=2)
    assert not is_in(client)


def test_a_busy_session_is_not_written_at_each_request(boss: User, clock: Clock) -> None:
    """Of requests within a minute only the first writes when it was."""
    client = Client()
    enter(client)
    clock.passes(minutes=1)
    assert is_in(client)
    row = Session.objects.get()
    clock.passes(minutes=0.9)
    assert is_in(client)
    assert Session.objects.get().session_data == row.session_data


def test_a_session_without_its_times_is_none(boss: User) -> None:
    """A session that does not say when it began, or says nonsense, is over."""
    for value in (None, "long ago"):
        client = Client()
        enter(client)
        session = client.session
        session[sessions.BEGAN] = value
        session.save()
        assert not is_in(client)


def test_sessions_that_are_over_are_deleted(boss: User) -> None:
    """The job deletes the rows of sessions that nobody can use any more, and no others."""
    client = Client()
    enter(client)
    assert forget() == {}
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    assert forget() == {"sessions": 1}


def change(client: Client, old: str, new: str) -> HttpResponse:
    """Send the form for another password of one's own."""
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post("/password_change/", form)


def test_an_own_password_is_changed_by_who_knows_the_old_one(boss: User) -> None:
    """With the old password one sets another; this session goes on, all others and tokens end."""
    client, other, program = browser("boss"), browser("boss"), Program(boss)
    assert change(client, PASSWORD, ANOTHER).status_code == 302
    assert is_in(client)
    assert not is_in(other)
    assert program.get("/admin/me").status == 401
    services.sign_in("boss", ANOTHER, "")
    with pytest.raises(WrongPassword):
        services.sign_in("boss", PASSWORD, "")


def test_a_session_alone_guesses_no_password(boss: User) -> None:
    """Wrong old passwords change nothing, are counted as at the door, and end in a wait."""
    client = browser("boss")
    for _ in range(BY_NAME.free):
        response = change(client, "wrong", ANOTHER)
        assert response.status_code == 200
        assert "This is not your password." in response.content.decode()
    response = change(client, PASSWORD, ANOTHER)
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 5
    assert User.objects.get(pk=boss.pk).password == boss.password


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "This password is too short. It must contain at least 8 characters."),
        ("password", "This password is too common."),
        ("x" * 1025, "A password has at most 1024 characters."),
    ],
)
def test_a_weak_password_is_refused_by_its_rule(boss: User, password: str, sentence: str) -> None:
    """Console and API say which rule a new password breaks, and change nothing."""
    page = change(browser("boss"), PASSWORD, password).content.decode()
    assert sentence in page
    told = Program(boss).put(
        "/admin/me/password", {"current_password": PASSWORD, "new_password": password}
    )
    assert told.status == 400
    services.sign_in("boss", PASSWORD, "")


def test_a_stranger_changes_no_password(boss: User) -> None:
    """Who is not signed in is led to the door."""
    response = change(Client(), PASSWORD, ANOTHER)
    assert response.status_code == 302
    assert "/login/" in response["Location"]
