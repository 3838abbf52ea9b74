"""The sections of a bucket's page, driven as a browser does: who sees them, who sets what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages

from buckets import services
from buckets.configuration import (
    BucketConfiguration,
    DefaultRetention,
    ObjectLockConfiguration,
)
from iam import services as iam_services
from iam.models import AuditEntry
from iam.quotas import Quota
from storage_engine import LockMode, Versioning
from tests.buckets.contents import put
from tests.people import browser

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from buckets.registry import BucketState
    from iam.models import User
    from storage_engine import StorageEngine

SECTIONS = ("versioning", "object-lock", "lifecycle", "lifecycle/preview", "quota", "permissions")
# What each section can be asked for, the action that policies are asked about, and the entry.
CHANGES = {
    "versioning": ({"do": "enable"}, "s3:PutBucketVersioning", "s3:PutBucketVersioning"),
    "object-lock": (
        {"do": "lock", "is_understood": "on"},
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutObjectLockConfiguration",
    ),
    "lifecycle/rule": (
        {"do": "save", "id": "old", "is_enabled": "on", "expire_days": "3"},
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketLifecycle",
    ),
}


# What each form refuses, and with which words.
NO_RETENTIONS = [
    ({"mode": "GOVERNANCE"}, "Say for how long."),
    ({"period": "3", "unit": "days"}, "Choose a mode"),
    ({"mode": "COMPLIANCE", "period": "0"}, "greater than or equal to 1"),
    ({"mode": "COMPLIANCE", "period": "36501", "unit": "days"}, "At most 36,500 days."),
    ({"mode": "COMPLIANCE", "period": "101", "unit": "years"}, "At most 100 years."),
    ({"mode": "FOREVER", "period": "1"}, "valid choice"),
    ({"mode": "COMPLIANCE", "period": "1", "unit": "weeks"}, "valid choice"),
]
NO_QUOTAS = [
    ({"quota_bytes": "0.1", "quota_bytes_unit": "0"}, "whole number of bytes"),
    ({"quota_bytes": "0", "quota_bytes_unit": "3"}, "At least 1 byte."),
    ({"quota_objects": "0"}, "greater than or equal to 1"),
    ({"quota_objects": str(2**63)}, "less than or equal to"),
    ({"quota_bytes": "1", "quota_warn_percent": "101"}, "less than or equal to 100"),
]


def section(bucket: BucketState, name: str) -> str:
    """Tell where a section is."""
    return f"/buckets/bucket/{bucket.id}/{name}/"


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def configuration(name: str) -> BucketConfiguration:
    """Read what is set on a bucket."""
    return services.find_bucket(name).configuration


@pytest.fixture
def box(store: StorageEngine, ada: User) -> BucketState:
    """Make a bucket of the Writer's."""
    return services.create_bucket("box", ada.canonical_id)


@pytest.fixture
def locked(store: StorageEngine, ada: User) -> BucketState:
    """Make a bucket of the Writer's with Object Lock."""
    lock = ObjectLockConfiguration()
    wanted = BucketConfiguration(versioning=Versioning.ENABLED, object_lock=lock)
    return services.create_bucket("vault", ada.canonical_id, configuration=wanted)


@pytest.fixture
def console(ada: User) -> Client:
    """Sign in as the Writer."""
    return browser("ada")


def test_a_section_is_its_owners_and_superusers(box: BucketState, boss: User, rita: User) -> None:
    """Whose the bucket is sees a section with the others' addresses; to others it is not there."""
    tabs = [section(box, name) for name in SECTIONS if name != "lifecycle/preview"]
    for name in SECTIONS:
        for who in ("ada", "boss"):
            page = text(browser(who).get(section(box, name)))
            assert [tab for tab in tabs if tab not in page] == []
        assert browser("rita").get(section(box, name)).status_code == 302


def test_a_reader_sees_his_own_and_changes_nothing(rita: User) -> None:
    """A Reader's own bucket is shown to him without a form that would change it."""
    own = services.create_bucket("ritas", rita.canonical_id)
    client = browser("rita")
    for name in SECTIONS:
        assert 'name="do"' not in text(client.get(section(own, name)))
        for ask, _, _ in CHANGES.values():
            assert client.post(section(own, name), ask).status_code == 403
    assert client.get(section(own, "lifecycle/rule")).status_code == 403
    assert configuration("ritas") == services.new_configuration()


@pytest.mark.parametrize("name", CHANGES)
def test_policies_decide_about_every_change(
    box: BucketState, console: Client, ada: User, name: str
) -> None:
    """What a policy denies over S3 the console does not do, and says whose word it was."""
    ask, action, told = CHANGES[name]
    if name == "object-lock":
        services.configure_bucket(box.id, versioning=Versioning.ENABLED)
    before = configuration("box")
    denial = {"Effect": "Deny", "Action": action, "Resource": "arn:aws:s3:::box"}
    document = json.dumps({"Version": "2012-10-17", "Statement": denial})
    iam_services.put_inline_policy(ada, "not-here", document)
    refused = console.post(section(box, name), ask)
    assert "not-here" in text(refused) + said(refused)
    assert configuration("box") == before
    iam_services.delete_inline_policy(ada, "not-here")
    assert console.post(section(box, name), ask).status_code == 302
    assert configuration("box") != before
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.actor) == (told, "ada")


def test_a_form_that_says_nothing_is_refused(box: BucketState, console: Client) -> None:
    """A post that names nothing to do, or what there is not, is a bad request."""
    for ask in ({}, {"do": "explode"}, {"do": ""}):
        assert console.post(section(box, "versioning"), ask).status_code == 400
    assert console.post(section(box, "permissions"), {"do": "enable"}).status_code == 400


def test_versioning_is_enabled_and_suspended(
    box: BucketState, console: Client, store: StorageEngine
) -> None:
    """Versions are kept from a click on, what is kept is counted, and the history tells of it."""
    address = section(box, "versioning")
    assert "never enabled" in text(console.get(address))
    assert console.post(address, {"do": "enable"})["Location"] == address
    assert configuration("box").versioning is Versioning.ENABLED
    for content in (b"one", b"two"):
        put(store, box.id, "key", content, versioning=Versioning.ENABLED)
    assert "<dt>Noncurrent versions</dt><dd>1</dd>" in text(console.get(address))
    console.post(address, {"do": "suspend"})
    assert configuration("box").versioning is Versioning.SUSPENDED
    told = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(told) == ["Versioning is enabled.", "Versioning is suspended."]


def test_object_lock_needs_versions_and_a_word(box: BucketState, console: Client) -> None:
    """Object Lock is turned on where versions are kept, by who says that he knows."""
    address = section(box, "object-lock")
    assert "is_understood" not in text(console.get(address))
    refused = console.post(address, {"do": "lock", "is_understood": "on"})
    assert refused.status_code == 200
    assert configuration("box").object_lock is None
    services.configure_bucket(box.id, versioning=Versioning.ENABLED)
    assert "is_understood" in text(console.get(address))
    refused = console.post(address, {"do": "lock"})
    assert "Confirm that you know." in text(refused)
    assert configuration("box").object_lock is None
    ask = {"do": "lock", "is_understood": "on", "mode": "GOVERNANCE", "period": "2"}
    assert console.post(address, ask | {"unit": "years"}).status_code == 302
    retention = DefaultRetention(mode=LockMode.GOVERNANCE, years=2)
    assert configuration("box").object_lock == ObjectLockConfiguration(retention=retention)
    assert "Governance, 2 years" in text(console.get(address))


def test_half_a_retention_is_refused(locked: BucketState, console: Client) -> None:
    """A default retention that is none comes back with the reason, and nothing is set."""
    for ask, complaint in NO_RETENTIONS:
        refused = console.post(section(locked, "object-lock"), {"do": "retain", **ask})
        assert complaint in text(refused)
    assert configuration("vault").object_lock == ObjectLockConfiguration()


def test_a_default_retention_is_set_and_taken_off(locked: BucketState, console: Client) -> None:
    """The default retention of a locked bucket changes; the lock itself stays, and versions too."""
    address = section(locked, "object-lock")
    console.post(address, {"do": "retain", "mode": "COMPLIANCE", "period": "30", "unit": "days"})
    retention = DefaultRetention(mode=LockMode.COMPLIANCE, days=30)
    assert configuration("vault").object_lock == ObjectLockConfiguration(retention=retention)
    console.post(address, {"do": "retain", "mode": "", "period": ""})
    assert configuration("vault").object_lock == ObjectLockConfiguration()
    assert "cannot be suspended" in text(console.get(section(locked, "versioning")))
    refused = console.post(section(locked, "versioning"), {"do": "suspend"})
    assert refused.status_code == 302
    assert "Object Lock" in said(refused)
    assert configuration("vault").versioning is Versioning.ENABLED


def test_a_default_retention_turns_no_lock_on(box: BucketState, console: Client) -> None:
    """Only who confirms that it is for ever turns Object Lock on, whatever else is posted."""
    services.configure_bucket(box.id, versioning=Versioning.ENABLED)
    ask = {"do": "retain", "mode": "COMPLIANCE", "period": "1", "unit": "days"}
    assert console.post(section(box, "object-lock"), ask).status_code == 200
    assert configuration("box").object_lock is None


def test_a_quota_is_set_by_superusers_alone(
    box: BucketState, boss: User, console: Client, store: StorageEngine
) -> None:
    """A SuperUser bounds a bucket, the engine obeys, and its owner sees what is left."""
    address = section(box, "quota")
    ask = {"do": "set", "quota_bytes": "1.5", "quota_bytes_unit": "1", "quota_objects": "4"}
    assert console.post(address, ask).status_code == 403
    assert configuration("box").quota is None
    assert browser("boss").post(address, ask | {"quota_warn_percent": "50"}).status_code == 302
    assert configuration("box").quota == Quota(bytes=1536, objects=4, warn_percent=50)
    assert configuration("box").requests_per_second is None
    assert store.quota(box.id) == (1536, 4)
    put(store, box.id, "a", b"x" * 768)
    page = text(console.get(address))
    assert "768 bytes of 1,536 bytes (50 %)" in page
    assert "almost full" in page
    assert "1 of 4 objects (25 %)" in page
    assert 'name="quota_bytes"' not in page
    assert "768 bytes of 1,536 bytes" in text(console.get("/buckets/bucket/"))
    assert "768 bytes of 1,536 bytes (50 %)" in text(console.get("/"))
    browser("boss").post(address, {"do": "set", "requests_per_second": "7"})
    assert configuration("box").requests_per_second == 7
    browser("boss").post(address, {"do": "set"})
    assert configuration("box").quota is None
    assert store.quota(box.id) == (0, 0)
    assert "almost full" not in text(console.get("/"))


def test_a_quota_that_is_none_is_refused(box: BucketState, boss: User) -> None:
    """What cannot bound anything comes back with the reason, and nothing is set."""
    client = browser("boss")
    for ask, complaint in NO_QUOTAS:
        assert complaint in text(client.post(section(box, "quota"), {"do": "set", **ask}))
    assert configuration("box").quota is None


def test_a_users_quota_is_on_his_page(
    box: BucketState, boss: User, ada: User, store: StorageEngine
) -> None:
    """A SuperUser bounds all buckets of a user together on his page, with a bar over them all."""
    client = browser("boss")
    address = f"/iam/user/{ada.pk}/change/"
    ask = {"role": "Writer", "is_active": "on", "quota_bytes": "2", "quota_bytes_unit": "1"}
    assert client.post(address, ask).status_code == 302
    ada.refresh_from_db()
    assert ada.quota == {"bytes": 2048, "objects": 0, "warn_percent": 80}
    put(store, box.id, "a", b"x" * 2048)
    page = text(client.get(address))
    assert "2.0 KiB of 2 KiB (100 %)" in page
    assert "2.0 KiB of 2 KiB (100 %)" in text(client.get(section(box, "quota")))
    figures = browser("ada").get("/").context["figures"]
    assert (figures[-1].title, figures[-1].value) == ("Quota", "100 %")
    assert f'href="{address}">ada</a>' in text(client.get("/"))
    client.post(address, {"role": "Writer", "is_active": "on"})
    ada.refresh_from_db()
    assert ada.quota is None


@pytest.mark.parametrize(
    ("ask", "wanted"),
    [
        ({}, (Versioning.UNVERSIONED, False)),
        ({"keeps_versions": "on"}, (Versioning.ENABLED, False)),
        ({"is_locked": "on"}, (Versioning.ENABLED, True)),
    ],
)
def test_a_bucket_is_made_as_it_shall_be(
    console: Client, ask: dict[str, str], wanted: tuple[Versioning, bool]
) -> None:
    """Versions and Object Lock are asked for with the name; a Writer sets himself no quota."""
    made = console.post("/buckets/bucket/add/", {"name": "new", "quota_objects": "9", **ask})
    assert made.status_code == 302
    found = configuration("new")
    assert (found.versioning, found.object_lock is not None) == wanted
    assert found.quota is None


@pytest.mark.parametrize(
    "action", ["s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration"]
)
def test_a_new_bucket_has_no_more_than_policies_allow(
    console: Client, ada: User, action: str
) -> None:
    """Who may make buckets but not set what comes along makes none of that kind."""
    denial = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": denial})
    iam_services.put_inline_policy(ada, "not-here", document)
    refused = console.post("/buckets/bucket/add/", {"name": "new", "is_locked": "on"})
    assert "not-here" in text(refused)
    assert services.load_registry().find("new") is None
    assert console.post("/buckets/bucket/add/", {"name": "new"}).status_code == 302


def test_a_superuser_bounds_a_new_bucket(boss: User, store: StorageEngine) -> None:
    """A quota that is asked for with the name holds from the first write on."""
    ask = {"name": "new", "owner": boss.pk, "quota_objects": "9"}
    assert browser("boss").post("/buckets/bucket/add/", ask).status_code == 302
    found = services.find_bucket("new")
    assert found.configuration.quota == Quota(objects=9)
    assert store.quota(found.id) == (0, 9)
