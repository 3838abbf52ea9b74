"""A key for one bucket, made in one step on its page: what it may, and who gets it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from buckets import services
from buckets.explaining import explain_access
from iam.keyring import RoleName
from iam.models import AccessKey, AuditEntry, User
from tests.people import browser, person
from tests.s4project.editing import at, text

if TYPE_CHECKING:
    from django.test import Client

    from buckets.registry import BucketState

KEY = "permissions/key"
# What each choice lets a key do below a/, in the bucket.
MAY = {
    "read": {"s3:ListBucket", "s3:GetObject"},
    "both": {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
    "write": {"s3:PutObject"},
}
OF_BUCKET = {"s3:ListBucket", "s3:PutBucketCORS"}
ASKED = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutBucketCORS")


def make(console: Client, box: BucketState, **fields: Any) -> AccessKey:
    """Make a key by its form."""
    page = text(console.post(at(box, KEY), {"do": "make", **fields}))
    found = re.search(r'id="access-key"[^>]*>(\w+)<', page)
    assert found is not None, page
    assert re.search(r'id="secret-key"[^>]*>\w{40}<', page)
    return AccessKey.objects.get(access_key=found[1])


def may(key: AccessKey, name: str = "box", prefix: str = "a/") -> set[str]:
    """List what a key may do in a bucket, of what is asked."""
    return {
        action
        for action in ASKED
        if explain_access(
            action,
            name if action in OF_BUCKET else f"{name}/{prefix}x",
            access_key=key.access_key,
            context={"s3:prefix": prefix} if action == "s3:ListBucket" else {},
        ).outcome
        == "allowed"
    }


@pytest.fixture
def boss(box: BucketState) -> Client:
    """Sign in as a SuperUser; there is another bucket of the Writer's."""
    services.create_bucket("other", box.owner_canonical_id)
    person("boss", RoleName.SUPERUSER)
    return browser("boss")


@pytest.mark.parametrize("rights", MAY)
def test_a_user_of_its_own_has_one_bucket_and_nothing_else(
    boss: Client, box: BucketState, rights: str
) -> None:
    """In one step there is a user without a role, and a key that reaches this bucket alone."""
    key = make(boss, box, rights=rights, username="backup")
    assert key.user.username == "backup"
    assert key.user.role_id is None
    assert not key.user.has_usable_password()
    assert may(key) == MAY[rights]
    assert may(key, "other") == set()
    assert {"iam:CreateUser", "iam:CreateAccessKey"} <= set(
        AuditEntry.objects.values_list("action", flat=True)
    )


@pytest.mark.parametrize("rights", MAY)
def test_a_key_reaches_a_prefix_alone(boss: Client, box: BucketState, rights: str) -> None:
    """Below a prefix the key may all of it, elsewhere in the bucket nothing."""
    key = make(boss, box, rights=rights, username="backup", below="a/", days="7")
    assert may(key) == MAY[rights]
    assert may(key, prefix="b/") == set()
    assert key.expires_at is not None


def test_a_writer_makes_a_key_of_his_own(console: Client, box: BucketState) -> None:
    """A Writer's key is narrowed to the bucket; he makes no users."""
    services.create_bucket("other", box.owner_canonical_id)
    assert 'name="username"' not in text(console.get(at(box, KEY)))
    key = make(console, box, rights="all", username="ghost")
    assert key.user.username == "wilma"
    assert may(key) == set(ASKED)
    assert may(key, "other") == set()
    assert not User.objects.filter(username="ghost").exists()


REFUSED = [
    ({"rights": "read", "username": "wilma"}, "already"),
    ({"rights": "read", "username": "no name"}, "name"),
    ({"rights": "fly"}, "valid choice"),
    ({"rights": "read", "below": "a*"}, "a meaning of their own"),
    ({"rights": "all", "below": "a/"}, "leave this empty"),
    ({"rights": "read", "days": "99999"}, "valid choice"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_makes_neither_user_nor_key(
    boss: Client, box: BucketState, fields: dict[str, str], words: str
) -> None:
    """A form that cannot be is shown again with the reason, and nothing is half made."""
    users = set(User.objects.values_list("username", flat=True))
    page = html.unescape(text(boss.post(at(box, KEY), {"do": "make", **fields})))
    assert words in page
    assert "secret-key" not in page
    assert not AccessKey.objects.exists()
    assert set(User.objects.values_list("username", flat=True)) == users
