"""What is set on buckets over HTTP: by the rules of S3, and decided as S3 decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buckets.configuration import Ownership
from buckets.services import configure_bucket, create_bucket, load_registry
from iam.acl import ALL_USERS
from storage_engine import Versioning
from tests.calling import Program

if TYPE_CHECKING:
    from iam.models import User

PATH = "/admin/buckets/photos"


@pytest.fixture
def program(ada: User) -> Program:
    """Make a bucket, and a program of its owner."""
    create_bucket("photos", ada.canonical_id)
    return Program(ada)


def set_up(**changes: Any) -> None:
    """Configure the bucket past the API."""
    state = load_registry().find("photos")
    assert state is not None
    configure_bucket(state.id, **changes)


def policy(principal: Any = "*", action: str = "s3:GetObject") -> dict[str, Any]:
    """Write a bucket's policy."""
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": "arn:aws:s3:::photos/*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


RULE = {
    "id": "one",
    "allowed_origins": ["https://*.example.org"],
    "allowed_methods": ["GET", "PUT"],
    "allowed_headers": ["*"],
    "expose_headers": ["etag"],
    "max_age_seconds": 60,
}
OFF = {
    "block_public_acls": False,
    "ignore_public_acls": False,
    "block_public_policy": False,
    "restrict_public_buckets": False,
}


@pytest.mark.parametrize(
    ("name", "put", "nothing"),
    [
        ("cors", {"rules": [RULE]}, {"rules": []}),
        ("tags", {"tags": {"team": "blue", "empty": ""}}, {"tags": {}}),
        ("ownership", {"ownership": "ObjectWriter"}, {"ownership": None}),
        ("public-access-block", OFF | {"block_public_acls": True}, OFF),
    ],
)
def test_what_is_put_is_read_and_taken_off(
    program: Program, name: str, put: dict[str, Any], nothing: dict[str, Any]
) -> None:
    """Each setting is kept as it was put; taken off, it is shown as nothing."""
    path = f"{PATH}/{name}"
    assert program.put(path, put).status == 204
    assert program.get(path).body == put
    assert program.delete(path).status == 204
    assert program.get(path).body == nothing


def test_versioning_is_set_and_never_unset(program: Program) -> None:
    """A new bucket has none; it is enabled and suspended, and cannot be taken off."""
    path = f"{PATH}/versioning"
    assert program.get(path).body == {"status": None}
    for status in ("Enabled", "Suspended"):
        assert program.put(path, {"status": status}).status == 204
        assert program.get(path).body == {"status": status}
    assert program.put(path, {"status": "Off"}).status == 400
    assert program.delete(path).status == 405


def test_object_lock_is_set_and_never_unset(program: Program) -> None:
    """It wants versions, which then stay, and has a default retention or none; no way back."""
    path = f"{PATH}/object-lock"
    assert program.get(path).body == {"is_enabled": False, "default_retention": None}
    assert program.put(path, {}).status == 409
    set_up(versioning=Versioning.ENABLED)
    for default in ({"mode": "GOVERNANCE", "days": 7}, {"mode": "COMPLIANCE", "years": 100}, None):
        assert program.put(path, {"default_retention": default}).status == 204
        shown = None if default is None else {"days": None, "years": None} | default
        assert program.get(path).body == {"is_enabled": True, "default_retention": shown}
    assert program.put(f"{PATH}/versioning", {"status": "Suspended"}).status == 409
    for wrong in (
        {"mode": "GOVERNANCE"},
        {"days": 1},
        {"mode": "GOVERNANCE", "days": 1, "years": 1},
        {"mode": "GOVERNANCE", "days": 0},
        {"mode": "GOVERNANCE", "days": 36_501},
        {"mode": "GOVERNANCE", "years": 101},
        {"mode": "governance", "days": 1},
    ):
        assert program.put(path, {"default_retention": wrong}).status == 400
    assert program.get(path).body == {"is_enabled": True, "default_retention": None}
    assert program.delete(path).status == 405


def test_a_policy_is_read_whole_or_refused(program: Program, rita: User) -> None:
    """A bucket's policy names users that are there; a public one is blocked with 403."""
    path = f"{PATH}/policy"
    assert program.get(path).body == {"policy": None, "is_public": False}
    named = policy({"AWS": f"arn:aws:iam::{rita.account_id}:user/rita"})
    assert program.put(path, {"policy": named}).status == 204
    assert program.get(path).body == {"policy": named, "is_public": False}
    public = program.put(path, {"policy": policy()})
    assert (public.status, bool(public.error)) == (403, True)
    for wrong in (
        {"policy": policy({"AWS": "arn:aws:iam::000000000000:user/nobody"})},
        {"policy": policy(action="s3:Nothing")},
        {"policy": {}},
        {"policy": "{}"},
        {},
        {"policy": policy(), "more": 1},
    ):
        told = program.put(path, wrong)
        assert (told.status, bool(told.error)) == (400, True)
    set_up(public_access_block=None)
    assert program.put(path, {"policy": policy()}).status == 204
    assert program.get(path).body["is_public"] is True
    assert program.delete(path).status == 204


def test_an_acl_is_set_where_acls_are_on(program: Program, ada: User, rita: User) -> None:
    """By a canned name or grant by grant; elsewhere it is refused as S3 refuses it."""
    path = f"{PATH}/acl"
    own = {"grantee": ada.canonical_id, "permission": "FULL_CONTROL"}
    assert program.get(path).body == {"owner": ada.canonical_id, "grants": [own]}
    assert program.put(path, {"canned": "public-read"}).status == 400
    set_up(ownership=Ownership.OBJECT_WRITER, public_access_block=None)
    assert program.put(path, {"canned": "public-read"}).status == 204
    public = {"grantee": ALL_USERS, "permission": "READ"}
    assert program.get(path).body["grants"] == [public, own]
    theirs = {"grantee": rita.canonical_id, "permission": "WRITE"}
    assert program.put(path, {"grants": [own, theirs]}).status == 204
    assert program.get(path).body["grants"] == [own, theirs]
    for wrong in (
        {},
        {"canned": "private", "grants": []},
        {"canned": "mine"},
        {"grants": [{"grantee": "0" * 64, "permission": "READ"}]},
        {"grants": [{"grantee": "nobody@example.org", "permission": "READ"}]},
        {"grants": [{"grantee": ada.canonical_id, "permission": "EVERYTHING"}]},
    ):
        told = program.put(path, wrong)
        assert (told.status, bool(told.error)) == (400, True)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("cors", {"rules": []}),
        ("cors", {"rules": [RULE] * 101}),
        ("cors", {"rules": [RULE | {"allowed_methods": ["PATCH"]}]}),
        ("cors", {"rules": [RULE | {"allowed_origins": ["*.*"]}]}),
        ("cors", {"rules": [RULE | {"allowed_origins": ["a\u0001b"]}]}),
        ("cors", {"rules": [RULE | {"max_age_seconds": "60"}]}),
        ("cors", {"rules": [RULE | {"colour": "red"}]}),
        ("cors", {"rules": "all"}),
        ("tags", {"tags": {"aws:team": "blue"}}),
        ("tags", {"tags": {"": "blue"}}),
        ("tags", {"tags": {"team": "\u0001"}}),
        ("tags", {"tags": {f"key-{number}": "x" for number in range(51)}}),
        ("tags", {"tags": [["team", "blue"]]}),
        ("ownership", {"ownership": "Mine"}),
        ("public-access-block", {"block_public_acls": "yes"}),
    ],
)
def test_a_setting_that_cannot_be_is_400(program: Program, name: str, body: dict[str, Any]) -> None:
    """The rules are those of S3, the sentence says which one is broken; nothing is changed."""
    before = program.get(f"{PATH}/{name}").body
    told = program.put(f"{PATH}/{name}", body)
    assert (told.status, bool(told.error)) == (400, True)
    assert program.get(f"{PATH}/{name}").body == before


@pytest.mark.parametrize(
    "name", ["versioning", "policy", "cors", "tags", "ownership", "public-access-block", "acl"]
)
def test_settings_of_others_are_not_there(program: Program, rita: User, name: str) -> None:
    """To one who may not see the bucket there is none; who may only read it does not set it."""
    told = Program(rita).get(f"{PATH}/{name}")
    assert (told.status, told.error) == (404, "There is no bucket photos.")
    create_bucket("ritas", rita.canonical_id)
    own = Program(rita)
    assert own.get(f"/admin/buckets/ritas/{name}").status == 200
    body = {
        "versioning": {"status": "Enabled"},
        "policy": {"policy": policy()},
        "cors": {"rules": [RULE]},
        "tags": {"tags": {}},
        "ownership": {"ownership": "ObjectWriter"},
        "public-access-block": {},
        "acl": {"canned": "private"},
    }[name]
    assert own.put(f"/admin/buckets/ritas/{name}", body).status == 403
