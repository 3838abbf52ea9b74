"""Lifecycle over HTTP: rules, what they would do, what they did, and doing it now."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from buckets.configuration import Lifecycle
from buckets.services import configure_bucket, create_bucket, find_bucket
from iam.keyring import RoleName
from iam.models import AuditEntry
from storage_engine import DAY_MS, LifecycleRule
from tests.calling import Program
from tests.people import person
from tests.s4project.api.filling import put

if TYPE_CHECKING:
    from iam.models import User

PATH = "/admin/buckets/photos/lifecycle"
GONE = LifecycleRule(id="gone", prefix="old/", expire_at_ms=18_000 * DAY_MS)
NOTHING = {
    "is_enabled": True,
    "prefix": "",
    "tags": {},
    "size_above": None,
    "size_below": None,
    "expire_days": None,
    "expire_at": None,
    "expires_markers": False,
    "noncurrent_days": None,
    "noncurrent_kept": None,
    "abort_days": None,
}


@pytest.fixture
def program(ada: User) -> Program:
    """Make a bucket, and a program of its owner."""
    create_bucket("photos", ada.canonical_id)
    return Program(ada)


def set_up(*rules: LifecycleRule) -> None:
    """Set the bucket's rules past the API."""
    configure_bucket(find_bucket("photos").id, lifecycle=Lifecycle(rules=rules))


def test_rules_are_set_read_and_taken_off(program: Program) -> None:
    """Every field comes back as it was sent, what was not sent as nothing; an id is made up."""
    full = {
        "id": "all é",
        "is_enabled": False,
        "prefix": "a/",
        "tags": {"k": "v"},
        "size_above": 0,
        "size_below": 10,
        "expire_at": "2030-01-31",
        "noncurrent_days": 3,
        "noncurrent_kept": 100,
    }
    small = {"expires_markers": True, "abort_days": 7}
    assert program.get(PATH).body == {"rules": []}
    assert program.put(PATH, {"rules": [full, small]}).status == 204
    shown, other = program.get(PATH).body["rules"]
    assert shown == NOTHING | full
    assert other.pop("id")
    assert other == NOTHING | small
    assert program.put(PATH, {"rules": [{"id": "x", "expire_days": 1}]}).status == 204
    assert [rule["id"] for rule in program.get(PATH).body["rules"]] == ["x"]
    assert program.send("DELETE", PATH).status == 204
    assert program.get(PATH).body == {"rules": []}


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        ([], "rules: Ensure this field has at least 1 elements."),
        ([{}], "At least one action needs to be specified in a rule."),
        (
            [{"expire_days": 1, "expire_at": "2030-01-01"}],
            "Objects expire after days, or from a date on, or only markers do.",
        ),
        (
            [{"abort_days": 1, "tags": {"a": "b"}}],
            "AbortIncompleteMultipartUpload cannot be specified with Tags.",
        ),
        (
            [{"id": "a", "expire_days": 1}] * 2,
            "Rule ID must be unique. Found same ID for more than one rule.",
        ),
        ([{"expire_days": 0}], "rules.0.expire_days: "),
        ([{"expire_days": "1"}], "rules.0.expire_days: "),
        ([{"expire_at": "1969-12-31"}], "'Date' must be later than 1970-01-01."),
        ([{"expire_at": "soon"}], "rules.0.expire_at: "),
        ([{"transition": 1}], "rules.0.transition: There is no such field."),
        (
            [{"noncurrent_kept": 1}],
            "Versions are only kept by a rule that removes others, after some days.",
        ),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(
    program: Program, rules: list[dict[str, Any]], error: str
) -> None:
    """People are told what is wrong, not that a document is malformed; nothing is saved."""
    told = program.put(PATH, {"rules": rules})
    assert told.status == 400
    assert told.error.startswith(error)
    assert program.post(f"{PATH}/preview", {"rules": rules}).error.startswith(error)
    assert program.get(PATH).body == {"rules": []}


def test_a_preview_goes_page_by_page_and_does_nothing(program: Program) -> None:
    """Rules that are set, or proposed, are tried on every key, by now or by some time."""
    set_up(GONE)
    put("photos", "new", "old/a", "old/b", "old/c", data=b"bytes")
    at = {"at": "2100-01-01T00:00:00Z"}
    listed, token = [], None
    for _ in range(9):
        asked = {**at, "limit": 2} | ({"token": token} if token else {})
        page = program.post(f"{PATH}/preview", asked).body
        fields = ("rule_id", "action", "key", "size")
        listed += [tuple(map(row.get, fields)) for row in page["deeds"]]
        if (token := page["next_token"]) is None:
            break
    assert listed == [("gone", "expire", f"old/{name}", 5) for name in "abc"]
    proposed = at | {"rules": [{"id": "proposed", "prefix": "new", "expire_days": 1}]}
    page = program.post(f"{PATH}/preview", proposed).body
    assert [(row["rule_id"], row["key"]) for row in page["deeds"]] == [("proposed", "new")]
    assert page["deeds"][0]["due_at"] > time.time_ns()
    assert page["deeds"][0]["is_kept"] is False
    assert page["keys"] == 4
    assert program.post(f"{PATH}/preview", proposed | {"at": "1900-01-01"}).body["deeds"] == []
    assert program.post(f"{PATH}/preview", {"token": "???"}).status == 400
    assert program.post(f"{PATH}/preview", {"at": "soon"}).status == 400
    assert find_bucket("photos").configuration.lifecycle == Lifecycle(rules=(GONE,))


def test_rules_are_tried_by_who_may_set_them(program: Program) -> None:
    """With rules of his own, one who may only look could ask what tags there are."""
    set_up(GONE)
    put("photos", "old/a")
    eve = person("eve", RoleName.READER)
    rights = ["s3:GetLifecycleConfiguration", "s3:ListBucket", "s3:ListBucketVersions"]
    later = {"at": "2100-01-01T00:00:00Z"}
    proposed = {"rules": [{"tags": {"team": "lab"}, "expire_days": 1}]}
    for action, status in (("s3:GetObject", 403), ("s3:PutLifecycleConfiguration", 200)):
        allowed = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{eve.account_id}:user/eve"},
            "Action": [*rights, action],
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        configure_bucket(find_bucket("photos").id, policy=policy)
        assert len(Program(eve).post(f"{PATH}/preview", later).body["deeds"]) == 1
        assert Program(eve).post(f"{PATH}/preview", proposed).status == status


def test_a_run_now_is_counted_by_rule(program: Program, boss: User) -> None:
    """What is due is done at once, told to who asked, in the audit log, and in the status."""
    set_up(GONE, LifecycleRule(id="off", is_enabled=False, expire_days=1))
    put("photos", "new")
    before = program.get(f"{PATH}/status").body
    assert [rule["id"] for rule in before["rules"]] == ["gone", "off"]
    assert before["rules"][0] == {
        **dict.fromkeys(("expired", "expired_markers", "expired_noncurrent"), 0),
        **dict.fromkeys(("aborted_uploads", "bytes", "kept"), 0),
        "id": "gone",
        "is_enabled": True,
        "last_at": None,
    }
    assert before["is_catching_up"] is True
    told = Program(boss).post("/admin/lifecycle/run?seconds=5").body
    assert told["is_complete"] is True
    assert (told["expired"], told["bytes"]) == (0, 0)
    after = program.get(f"{PATH}/status").body
    assert (after["is_catching_up"], after["next_at"]) == (False, None)
    put("photos", "old/a")
    assert program.get(f"{PATH}/status").body["next_at"] > time.time_ns()
    assert not AuditEntry.objects.filter(action="s4:RunLifecycle").exists()
    assert Program(boss).post("/admin/lifecycle/run?seconds=99").status == 400
