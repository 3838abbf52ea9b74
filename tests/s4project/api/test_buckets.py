"""Buckets over HTTP: decided as requests to S3 are, and told to nobody who may not see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from buckets.services import configure_bucket, create_bucket, load_registry
from iam import services
from s4project.api import buckets as calls
from storage_engine import Versioning
from storage_engine.apps import get_engine
from tests.calling import Program
from tests.s4project.api.filling import put

if TYPE_CHECKING:
    from iam.models import User


def allow(action: str | list[str], resource: str | list[str]) -> str:
    """Write a policy with one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def give(user: User, name: str, document: str) -> None:
    """Attach a policy to a user."""
    services.create_policy(name, document)
    services.set_policies(user.pk, [name])


def test_a_bucket_is_made_counted_and_deleted(ada: User) -> None:
    """The life of a bucket, in S4 Core's paths and fields."""
    program = Program(ada)
    made = program.put("/admin/buckets/photos")
    assert (made.status, made.body) == (201, {"name": "photos"})
    put("photos", "a", "b/c", data=b"four")
    stats = program.get("/admin/bucket-stats").body
    (row,) = stats["buckets"]
    state = load_registry().find("photos")
    assert state is not None
    assert row == {
        "name": "photos",
        "objects_count": 2,
        "storage_used_bytes": 8,
        "created_at": state.created_ms * 1_000_000,
        "owner": ada.canonical_id,
        "versions_count": 2,
        "uploads_count": 0,
    }
    assert (stats["total_storage_bytes"], stats["next_token"]) == (8, None)
    assert program.get("/admin/buckets/photos").body == row
    refused = program.delete("/admin/buckets/photos")
    assert refused.status == 409
    assert "empty" in refused.error
    assert program.delete("/admin/buckets/photos?force=true").status == 204
    assert program.get("/admin/buckets/photos").status == 404
    assert program.delete("/admin/buckets/photos").status == 404


def test_who_may_make_buckets_is_decided_as_in_s3(boss: User, ada: User, rita: User) -> None:
    """A Reader is denied, a policy changes that; a SuperUser makes one for another."""
    assert Program(rita).put("/admin/buckets/ritas").status == 403
    give(rita, "makers", allow("s3:CreateBucket", "*"))
    assert Program(rita).put("/admin/buckets/ritas").status == 201
    assert Program(boss).put("/admin/buckets/adas", {"owner": "ada"}).status == 201
    state = load_registry().find("adas")
    assert state is not None
    assert state.owner_canonical_id == ada.canonical_id
    for owner, asker in (("boss", ada), ("nobody", boss)):
        told = Program(asker).put("/admin/buckets/more", {"owner": owner})
        assert (told.status, told.error) == (404, f"There is no user {owner}.")
    give(boss, "none", allow("s3:CreateBucket", "*").replace("Allow", "Deny"))
    for body in ({}, {"owner": "ada"}):
        assert Program(boss).put("/admin/buckets/more", body).status == 403


@pytest.mark.parametrize("name", ["UPPER", "ab", "a..b", "192.168.0.1", "xn--a", "a" * 64, "a%00b"])
def test_a_name_that_no_bucket_may_have_is_400(boss: User, name: str) -> None:
    """The rules are AWS's; the sentence says which one is broken."""
    told = Program(boss).put(f"/admin/buckets/{name}")
    assert (told.status, bool(told.error)) == (400, True)


def test_a_name_that_is_taken_is_409_to_who_may_make_buckets(ada: User, rita: User) -> None:
    """One who may not make any is not told which names are taken."""
    create_bucket("photos", ada.canonical_id)
    assert Program(ada).put("/admin/buckets/photos").status == 409
    assert Program(rita).put("/admin/buckets/photos").status == 403
    assert Program(rita).put("/admin/buckets/others").status == 403


def test_buckets_of_others_are_not_there(boss: User, ada: User, rita: User) -> None:
    """Whatever one asks of a bucket he may not see, it is answered as if there were none."""
    create_bucket("adas", ada.canonical_id)
    create_bucket("ritas", rita.canonical_id)
    program = Program(rita)
    listed = program.get("/admin/bucket-stats").body["buckets"]
    assert [row["name"] for row in listed] == ["ritas"]
    for name in ("adas", "nowhere"):
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("DELETE", "?force=true"),
            ("GET", "/objects"),
        ):
            told = program.send(method, f"/admin/buckets/{name}{path}")
            assert (told.status, told.error) == (404, f"There is no bucket {name}.")
    assert program.delete("/admin/buckets/ritas").status == 403
    everything = Program(boss).get("/admin/bucket-stats").body["buckets"]
    assert [row["name"] for row in everything] == ["adas", "ritas"]


def test_policies_open_and_close_buckets_here_too(ada: User, rita: User) -> None:
    """What a policy allows in another's bucket works; what a bucket's policy denies does not."""
    create_bucket("shared", ada.canonical_id)
    put("shared", "key")
    give(rita, "shared", allow("s3:ListBucket", "arn:aws:s3:::shared"))
    program = Program(rita)
    assert program.get("/admin/buckets/shared/objects").status == 200
    listed = program.get("/admin/bucket-stats").body["buckets"]
    assert [row["name"] for row in listed] == ["shared"]
    assert program.delete("/admin/buckets/shared?force=true").status == 403
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::shared",
        "Condition": {"StringLike": {"s3:prefix": "secret/*"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    state = load_registry().find("shared")
    assert state is not None
    configure_bucket(state.id, policy=document)
    assert program.get("/admin/buckets/shared/objects?prefix=open/").status == 200
    assert program.get("/admin/buckets/shared/objects?prefix=secret/").status == 403


def test_objects_come_in_pages_and_no_folder_comes_twice(ada: User) -> None:
    """Pages follow each other without gap or repetition, whatever lies in the folders."""
    create_bucket("photos", ada.canonical_id)
    keys = [f"folder-{number}/{name}" for number in range(4) for name in "abc"]
    put("photos", *keys, "zebra", "apple", "middle/of/it")
    program, names, token = Program(ada), [], ""
    while True:
        page = program.get(f"/admin/buckets/photos/objects?max-keys=2{token}").body
        names += [row["key"] for row in page["objects"]] + page["common_prefixes"]
        assert page["is_truncated"] == (page["next_continuation_token"] is not None)
        if not page["is_truncated"]:
            break
        token = f"&continuation-token={page['next_continuation_token']}"
    folders = [f"folder-{number}/" for number in range(4)]
    assert sorted(names) == sorted(["apple", *folders, "middle/", "zebra"])
    below = program.get("/admin/buckets/photos/objects?prefix=folder-1/").body
    assert [row["key"] for row in below["objects"]] == [f"folder-1/{name}" for name in "abc"]
    row = below["objects"][0]
    assert (row["size"], row["content_type"], row["etag"]) == (1, "text/plain", "e" * 32)
    assert row["last_modified"] > 10**18


@pytest.mark.parametrize(
    "query",
    [
        "max-keys=0",
        "max-keys=1001",
        "max-keys=x",
        "continuation-token=%21",
        "marker=a",
        "prefix=%00",
    ],
)
def test_a_page_that_is_none_is_400(ada: User, query: str) -> None:
    """What cannot be asked is refused in a sentence."""
    create_bucket("photos", ada.canonical_id)
    told = Program(ada).get(f"/admin/buckets/photos/objects?{query}")
    assert (told.status, bool(told.error)) == (400, True)


def test_buckets_come_in_pages(ada: User) -> None:
    """Pages of buckets follow each other by name, and can be narrowed by prefix."""
    for name in ("alpha", "beta-one", "beta-two", "gamma"):
        create_bucket(name, ada.canonical_id)
    program = Program(ada)
    first = program.get("/admin/bucket-stats?limit=3").body
    rest = program.get(f"/admin/bucket-stats?limit=3&token={first['next_token']}").body
    names = [row["name"] for row in first["buckets"] + rest["buckets"]]
    assert names == ["alpha", "beta-one", "beta-two", "gamma"]
    found = program.get("/admin/bucket-stats?prefix=beta-").body["buckets"]
    assert [row["name"] for row in found] == ["beta-one", "beta-two"]


def test_a_full_bucket_is_emptied_in_steps(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `force` every version goes; what takes long ends with 202, and is gone on with."""
    create_bucket("photos", ada.canonical_id)
    state = load_registry().find("photos")
    assert state is not None
    configure_bucket(state.id, versioning=Versioning.ENABLED)
    for _ in range(3):
        put("photos", *(f"key-{number}" for number in range(5)), is_versioned=True)
    monkeypatch.setattr(calls, "KEYS_MAX", 10)
    monkeypatch.setattr(calls, "EMPTYING_SECONDS", -1.0)
    program = Program(ada)
    told = program.delete("/admin/buckets/photos?force=true")
    assert (told.status, told.body) == (202, {"versions_left": 5})
    assert get_engine().namespace_counts(state.id).versions == 5
    assert program.delete("/admin/buckets/photos?force=true").status == 204
