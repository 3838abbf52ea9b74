"""Tokens: good for their user as he was when they were made, and for nothing else."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from iam import services
from iam.api.tokens import make_token, signing_key
from iam.keyring import RoleName
from iam.models import User
from tests.calling import Program
from tests.people import PASSWORD, browser, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

DAY_SECONDS = 86_400  # longer than from the gathering of the tests to this one's turn


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)


def claims_of(user: User, **changes: Any) -> dict[str, Any]:
    """Write the claims of a token, some of them otherwise; None takes one off."""
    made = make_token(user).payload | changes
    return {name: value for name, value in made.items() if value is not None}


def is_refused(token: str) -> bool:
    """Tell whether a token opens nothing, in the form of every refusal."""
    told = Program(token=token).get("/admin/me")
    assert told.status in {200, 401}
    if told.status == 401:
        assert told.error
        assert told.headers["WWW-Authenticate"].startswith("Bearer")
    return told.status == 401


def test_signing_in_gives_a_token_that_opens_the_api(boss: User) -> None:
    """Name and password give a token and its end; the token tells who asks."""
    told = Program().post("/admin/login", {"username": "boss", "password": PASSWORD})
    assert told.status == 200
    assert set(told.body) == {"token", "expires_at"}
    assert told.body["expires_at"].endswith("Z")
    assert told.headers["Cache-Control"] == "no-store"
    assert Program(token=told.body["token"]).get("/admin/me").body["username"] == "boss"


def test_a_token_holds_what_is_documented(boss: User) -> None:
    """Its claims are the user, his name, role and version, its id and its times; no secret."""
    claims = jwt.decode(str(make_token(boss)), signing_key(), algorithms=["HS256"])
    assert set(claims) == {"sub", "username", "role", "ver", "jti", "iat", "exp", "token_type"}
    assert claims["exp"] - claims["iat"] == 24 * 3600


@pytest.mark.parametrize(
    "body",
    [
        {"username": "boss", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "keys-only", "password": PASSWORD},
        {"username": "gone", "password": PASSWORD},
    ],
)
def test_wrong_credentials_are_401_and_do_not_say_what_is_wrong(
    boss: User, body: dict[str, str]
) -> None:
    """An unknown user, a wrong password, none and a disabled user are refused in one sentence."""
    services.create_user("keys-only", RoleName.READER)
    services.set_active(person("gone", RoleName.READER).pk, active=False)
    told = Program().post("/admin/login", body)
    assert (told.status, told.error) == (401, "The user name or the password is wrong.")


@pytest.mark.parametrize(
    "change",
    [
        lambda user: services.set_active(user.pk, active=False),
        lambda user: services.set_role(user.pk, RoleName.WRITER),
        lambda user: services.set_password(user.pk, "another horse of mine"),
        lambda user: services.delete_user(user.pk),
        lambda user: services.end_tokens(user.pk),
        lambda user: Program(user).post("/admin/logout"),
        lambda user: User.objects.filter(pk=user.pk).update(role_id=RoleName.WRITER),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    ],
)
def test_a_token_dies_with_what_it_was_made_for(
    boss: User, rita: User, change: Callable[[User], Any]
) -> None:
    """Whatever is done to the user, his token opens nothing from then on."""
    token = str(make_token(rita))
    assert not is_refused(token)
    change(rita)
    assert is_refused(token)


def test_a_disabled_user_who_is_enabled_again_signs_in_anew(boss: User, rita: User) -> None:
    """A token from before does not come back to life."""
    token = str(make_token(rita))
    services.set_active(rita.pk, active=False)
    services.set_active(rita.pk, active=True)
    assert is_refused(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(time.time()) + DAY_SECONDS},
        {"nbf": int(time.time()) + DAY_SECONDS},
        {"jti": None},
        {"sub": None},
        {"sub": "0x1"},
        {"sub": "9" * 40},
        {"sub": "²"},
        {"ver": None},
        {"ver": 1},
        {"role": "SuperUser"},
        {"role": None},
        {"token_type": "refresh"},
    ],
)
def test_claims_that_are_not_ours_are_refused(rita: User, changes: dict[str, Any]) -> None:
    """Signed by our key, a token still needs every claim, each as it must be."""
    token = jwt.encode(claims_of(rita, **changes), signing_key(), algorithm="HS256")
    assert is_refused(token)


def test_algorithms_other_than_ours_are_refused(rita: User) -> None:
    """Neither no signature nor another algorithm passes, whatever the header says."""
    claims = claims_of(rita)
    key = signing_key()
    for algorithm in ("HS384", "HS512"):
        assert is_refused(jwt.encode(claims, key, algorithm=algorithm))
    assert is_refused(jwt.encode(claims, None, algorithm="none"))
    good = jwt.encode(claims, key, algorithm="HS256")
    assert not is_refused(good)
    head, body, signature = good.split(".")
    for name in ("none", "None", "RS256", "HS512", "", 7):
        written = json.dumps({"alg": name, "typ": "JWT"}).encode()
        other = base64.urlsafe_b64encode(written).decode().rstrip("=")
        for ending in (signature, ""):
            assert is_refused(f"{other}.{body}.{ending}")
    assert is_refused(f"{head}.{body}.")
    assert is_refused(f"{head}.{body}")


def test_a_token_of_another_key_is_refused(rita: User, settings: SettingsWrapper) -> None:
    """Only the configured key signs: another secret, or the derived one beside it, does not."""
    token = str(make_token(rita))
    settings.S4 = replace(settings.S4, jwt_secret="s" * 32)
    assert is_refused(token)
    assert not is_refused(str(make_token(rita)))
    assert is_refused(jwt.encode(claims_of(rita), "t" * 32, algorithm="HS256"))


def test_what_is_no_token_is_refused(rita: User) -> None:
    """Whatever stands behind Bearer, it is 401 and no trouble."""
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode()
    for text in ("x", "a.b.c", "..", "é.é.é", f"{deep}.e30.x", "A" * 10_000, "one two"):
        assert is_refused(text)


def test_who_shows_nothing_is_asked_to_sign_in(store: StorageEngine) -> None:
    """Without a token, or with another scheme, every call but login is 401."""
    assert Program().get("/admin/me").status == 401
    assert Program().get("/admin/users", headers={"Authorization": "Basic eDp5"}).status == 401
    assert Program().get("/admin/users?token=x").status == 401


def test_a_session_of_the_console_may_look_but_must_prove_where_changes_come_from(
    boss: User,
) -> None:
    """A browser that is signed in reads; what changes anything is refused without a CSRF token."""
    program = Program()
    program.client = browser("boss")
    program.client.handler.enforce_csrf_checks = True
    assert program.get("/admin/me").status == 200
    told = program.post("/admin/logout")
    assert told.status == 403
    assert "CSRF" in told.error


def test_my_password_needs_the_one_before(boss: User, rita: User) -> None:
    """Another password is taken with the current one alone, and ends every token."""
    program = Program(rita)
    wrong = {"current_password": "wrong", "new_password": "another horse of mine"}
    assert program.put("/admin/me/password", wrong).status == 401
    weak = {"current_password": PASSWORD, "new_password": "short"}
    told = program.put("/admin/me/password", weak)
    assert told.status == 400
    assert "password" in told.error
    right = {"current_password": PASSWORD, "new_password": "another horse of mine"}
    assert program.put("/admin/me/password", right).status == 204
    assert program.get("/admin/me").status == 401
    signed_in = {"username": "rita", "password": "another horse of mine"}
    assert Program().post("/admin/login", signed_in).status == 200
