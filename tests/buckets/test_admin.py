"""The console's pages for buckets, driven as a browser does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages

from buckets import services
from buckets.configuration import PublicAccessBlock
from buckets.models import Bucket
from iam import services as iam_services
from tests.buckets.contents import put
from tests.people import browser

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from iam.models import User
    from storage_engine import StorageEngine

BUCKETS = "/buckets/bucket/"


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.fixture
def console(boss: User) -> Client:
    """Sign in as the SuperUser."""
    return browser("boss")


def test_a_bucket_is_made_for_an_owner(console: Client, store: StorageEngine, ada: User) -> None:
    """A SuperUser makes a bucket for somebody, and the data path knows it at once."""
    before = store.generations().get("buckets", 0)
    response = console.post(f"{BUCKETS}add/", {"name": "photos", "owner": ada.pk})
    assert response.status_code == 302
    found = services.load_registry().find("photos")
    assert found is not None
    assert found.owner_canonical_id == ada.canonical_id
    assert store.generations()["buckets"] > before
    assert LogEntry.objects.get().object_id == str(found.id)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("Photos", "lower-case"), ("ab", "3 to 63"), ("taken", "already exists"), ("", "required")],
)
def test_a_wrong_name_comes_back_with_the_reason(
    console: Client, boss: User, name: str, complaint: str
) -> None:
    """A name that cannot be is refused at its field, and no bucket is made."""
    services.create_bucket("taken", boss.canonical_id)
    response = console.post(f"{BUCKETS}add/", {"name": name, "owner": boss.pk})
    assert response.status_code == 200
    assert complaint in text(response)
    assert Bucket.objects.count() == 1


def test_the_list_and_the_page_show_the_engines_figures(
    console: Client, store: StorageEngine, ada: User
) -> None:
    """The list and the page of a bucket show how many objects and bytes the engine counts."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    put(store, bucket.id, "a", b"x" * 3000)
    put(store, bucket.id, "b", b"y" * 1096)
    for address in (BUCKETS, f"{BUCKETS}{bucket.id}/change/"):
        page = text(console.get(address))
        assert "photos" in page
        assert "4.0 KiB" in page


def test_the_overview_says_who_is_let_in(console: Client, ada: User) -> None:
    """The overview says what is set, each in a word; nothing of it becomes markup."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    address = f"{BUCKETS}{bucket.id}/change/"
    page = text(console.get(address))
    for words in ("unversioned", "public access: blocked", "no rules", "no tags"):
        assert words in page
    rule = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/*",
    }
    services.configure_bucket(
        bucket.id,
        public_access_block=PublicAccessBlock(block_public_policy=True),
        policy=json.dumps({"Statement": [rule]}),
        tags={"team": "<i>lab"},
    )
    page = text(console.get(address))
    for words in ("block public policy", "<dd>public</dd>", "team=&lt;i&gt;lab", "1 tag"):
        assert words in page
    services.configure_bucket(bucket.id, public_access_block=None)
    assert "not blocked" in text(console.get(address))


def test_an_empty_bucket_is_deleted(console: Client, ada: User) -> None:
    """After confirmation an empty bucket is gone, and the history says so."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    address = f"{BUCKETS}{bucket.id}/delete/"
    assert console.get(address).status_code == 200
    response = console.post(address, {"confirmed": "photos"})
    assert response.status_code == 302
    assert response["Location"] == BUCKETS
    assert services.load_registry().find("photos") is None
    assert LogEntry.objects.get().object_repr == "photos"


def test_a_bucket_with_objects_stays_and_the_page_says_why(
    console: Client, store: StorageEngine, ada: User
) -> None:
    """Deleting a bucket that is not empty leaves it and its history alone, with a sentence."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    put(store, bucket.id, "cat.jpg")
    response = console.post(f"{BUCKETS}{bucket.id}/delete/", {"confirmed": "photos"})
    assert "photos is not empty" in said(response)
    assert services.load_registry().find("photos") is not None
    assert not LogEntry.objects.exists()


def test_a_bucket_is_deleted_by_who_types_its_name(
    console: Client, store: StorageEngine, ada: User
) -> None:
    """Nothing is deleted under another name; the page says what would be lost."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    address = f"{BUCKETS}{bucket.id}/delete/"
    for typed in ({}, {"confirmed": "photo"}, {"post": "yes"}):
        response = console.post(address, typed)
        assert response.status_code == 200
        assert "Type the name of the bucket: photos." in text(response)
    put(store, bucket.id, "cat.jpg", b"y" * 2048)
    page = text(console.get(address))
    assert "Empty and delete it" in page
    assert "<dd>2.0 KiB</dd>" in page
    assert services.load_registry().find("photos") is not None


def test_a_deletion_of_what_is_gone_leads_to_the_start(console: Client) -> None:
    """A bucket that somebody else deleted meanwhile is no error page."""
    response = console.post(f"{BUCKETS}999999/delete/", {"confirmed": "photos"})
    assert response.status_code == 302


def test_nobody_changes_a_bucket(console: Client, ada: User, boss: User) -> None:
    """A post to a bucket's page changes neither its name nor its owner."""
    bucket = services.create_bucket("photos", ada.canonical_id)
    values = {"name": "renamed", "owner": boss.pk}
    assert console.post(f"{BUCKETS}{bucket.id}/change/", values).status_code == 403
    kept = Bucket.objects.get()
    assert (kept.name, kept.owner_id) == ("photos", ada.pk)


def test_a_writer_has_his_own_buckets_and_no_others(
    boss: User, ada: User, store: StorageEngine
) -> None:
    """A Writer makes buckets for himself, deletes his own, and reaches nobody else's."""
    other = services.create_bucket("bosses", boss.canonical_id)
    client = browser("ada")
    assert 'name="owner"' not in text(client.get(f"{BUCKETS}add/"))
    client.post(f"{BUCKETS}add/", {"name": "adas", "owner": boss.pk})
    own = services.load_registry().find("adas")
    assert own is not None
    assert own.owner_canonical_id == ada.canonical_id
    page = text(client.get(BUCKETS))
    assert "adas" in page
    assert "bosses" not in page
    for address in (f"{BUCKETS}{other.id}/change/", f"{BUCKETS}{other.id}/history/"):
        assert client.get(address).status_code == 302
    client.post(f"{BUCKETS}{other.id}/delete/", {"confirmed": "bosses"})
    client.post(f"{BUCKETS}{own.id}/delete/", {"confirmed": "adas"})
    assert [bucket.name for bucket in services.load_registry().all()] == ["bosses"]


@pytest.mark.parametrize("action", ["s3:CreateBucket", "s3:DeleteBucket"])
@pytest.mark.usefixtures("boss")
def test_a_policy_denies_here_what_it_denies_elsewhere(ada: User, action: str) -> None:
    """What a Writer's policies deny him over S3 the console does not do for him, and says why."""
    iam_services.put_inline_policy(
        ada,
        "not-here",
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Deny",
                    "Action": action,
                    "Resource": "*",
                    "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}},
                },
            }
        ),
    )
    old = services.create_bucket("old", ada.canonical_id)
    client = browser("ada")
    made = client.post(f"{BUCKETS}add/", {"name": "new"})
    deleted = client.post(f"{BUCKETS}{old.id}/delete/", {"confirmed": old.name})
    there = {bucket.name for bucket in services.load_registry().all()}
    if action == "s3:CreateBucket":
        assert "not-here" in text(made)
        assert there == set()
    else:
        assert "not-here" in said(deleted)
        assert there == {"old", "new"}


def test_a_reader_looks_only(rita: User) -> None:
    """A Reader sees his own buckets and can neither make nor delete one."""
    bucket = services.create_bucket("ritas", rita.canonical_id)
    client = browser("rita")
    assert "ritas" in text(client.get(BUCKETS))
    assert client.get(f"{BUCKETS}{bucket.id}/change/").status_code == 200
    assert client.get(f"{BUCKETS}add/").status_code == 403
    assert client.post(f"{BUCKETS}add/", {"name": "more"}).status_code == 403
    assert (
        client.post(f"{BUCKETS}{bucket.id}/delete/", {"confirmed": bucket.name}).status_code == 403
    )
    assert Bucket.objects.count() == 1


def test_the_first_page_counts_what_one_may_see(
    console: Client, store: StorageEngine, boss: User, ada: User
) -> None:
    """A SuperUser's first page totals the store, a Writer's his own buckets only."""
    for owner, name, count in ((boss, "bosses", 3), (ada, "adas", 2)):
        bucket = services.create_bucket(name, owner.canonical_id)
        for number in range(count):
            put(store, bucket.id, f"key{number}", bytes([number]) * 10)
    page = console.get("/")
    assert page.context["title"] == "Dashboard"
    assert [f.value for f in page.context["figures"][:2]] == ["2", "5"]
    assert [f.value for f in browser("ada").get("/").context["figures"][:2]] == ["1", "2"]


def test_a_superuser_deletes_no_owner(console: Client, ada: User) -> None:
    """The page that deletes a user who owns a bucket names the bucket and deletes nothing."""
    services.create_bucket("photos", ada.canonical_id)
    response = console.post(f"/iam/user/{ada.pk}/delete/", {"post": "yes"})
    assert response.status_code == 200
    assert "photos" in text(response)
    ada.refresh_from_db()
