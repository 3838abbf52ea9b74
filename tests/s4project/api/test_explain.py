"""Why, over HTTP: the decision of requests in words, of what is the asker's to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buckets.services import create_bucket
from iam import services
from tests.calling import Program

if TYPE_CHECKING:
    from iam.models import User

PATH = "/admin/explain"


def ask(user: User, action: str, resource: str, **more: Any) -> Any:
    """Ask, and answer what is told."""
    return Program(user).post(PATH, {"action": action, "resource": resource, **more})


def test_a_superuser_is_told_of_everybody(boss: User, ada: User, rita: User) -> None:
    """Allowed or denied, by which statement of which policy, and what to change."""
    create_bucket("photos", ada.canonical_id)
    allowed = ask(boss, "s3:PutObject", "photos/key", username="ada")
    assert allowed.status == 200
    assert allowed.body["outcome"] == "allowed"
    assert "Writer" in allowed.body["source"]
    denied = ask(boss, "s3:GetObject", "photos/key", username="rita").body
    assert (denied["outcome"], bool(denied["advice"])) == ("denied", True)
    assert [heard["effect"] for heard in denied["heard"]] == ["none"]
    nobody = ask(boss, "s3:ListBucket", "photos", is_anonymous=True).body
    assert (nobody["outcome"], nobody["who"]) == ("denied", "anonymous")
    key = services.create_key(ada.pk)
    by_key = ask(boss, "s3:ListBucket", "photos", access_key=key.access_key).body
    assert by_key["outcome"] == "allowed"
    context = {"aws:SourceIp": ["10.0.0.1"], "s3:prefix": "a/"}
    assert ask(boss, "s3:ListBucket", "photos", username="ada", context=context).status == 200


def test_others_are_told_of_themselves(boss: User, ada: User, rita: User) -> None:
    """For themselves, about buckets of their own; others and their buckets are not there."""
    create_bucket("photos", ada.canonical_id)
    assert ask(ada, "s3:PutObject", "photos/key").body["outcome"] == "allowed"
    assert ask(ada, "s3:ListAllMyBuckets", "*").body["outcome"] == "allowed"
    assert ask(rita, "s3:CreateBucket", "new-one").body["outcome"] == "denied"
    key = services.create_key(ada.pk)
    for more, sentence in (
        ({"username": "ada"}, "There is no user ada."),
        ({"access_key": key.access_key}, f"There is no access key {key.access_key}."),
        ({}, "There is no bucket photos."),
        ({"is_anonymous": True}, "There is no bucket photos."),
    ):
        told = ask(rita, "s3:ListBucket", "photos", **more)
        assert (told.status, told.error) == (404, sentence)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "s3:Nothing", "resource": "photos"},
        {"action": "s3:GetObject", "resource": "photos"},
        {"action": "s3:ListBucket", "resource": "*"},
        {"action": "s3:ListBucket", "resource": "photos", "context": {"aws:Nothing": "x"}},
        {"action": "s3:ListBucket", "resource": "photos", "context": {"aws:SourceIp": 7}},
        {"action": "s3:ListBucket", "resource": "photos", "context": "x"},
        {"action": "s3:ListBucket", "resource": "photos", "is_anonymous": True, "username": "a"},
        {"action": "s3:GetObject", "resource": "photos/" + "x" * 2100},
    ],
)
def test_a_question_that_means_nothing_is_400(boss: User, body: dict[str, Any]) -> None:
    """What is wrong with it is said in a sentence."""
    create_bucket("photos", boss.canonical_id)
    told = Program(boss).post(PATH, body)
    assert (told.status, bool(told.error)) == (400, True)


@pytest.mark.parametrize("body", [{"username": "nobody"}, {"access_key": "NOKEYATALL"}])
def test_who_is_not_there_is_404(boss: User, body: dict[str, Any]) -> None:
    """As is a bucket that there is not."""
    assert ask(boss, "s3:ListAllMyBuckets", "*", **body).status == 404
    assert ask(boss, "s3:ListBucket", "nowhere").status == 404
