"""The console's pages of the audit log: searched, read, never written, for SuperUsers alone."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.db import transaction
from django.utils import timezone

from iam import admin_audit
from iam.audit.acting import Actor, Via, acting
from iam.audit.notes import Outcome
from iam.keyring import RoleName
from iam.models import AuditEntry, User
from iam.services import audit
from tests.people import browser, person

if TYPE_CHECKING:
    from django.http import HttpResponse
    from pytest_django import DjangoAssertNumQueries

LOG = "/iam/auditentry/"
SIGN_IN, BUCKET, POLICY, OLD = (
    "s4:SignIn",
    "s3:CreateBucket",
    "s3:PutBucketPolicy",
    "s3:DeleteBucket",
)
ADA = Actor(Via.S3, "ada", "c" * 64, "AKADA", "192.0.2.1", "R1")


def rows(response: HttpResponse) -> list[str]:
    """List the actions on a page, in its order."""
    assert response.status_code == 200
    return re.findall(r"(?:s3|iam|s4):\w+(?=</a>)", response.content.decode())


@pytest.fixture
def entries(boss: User) -> None:
    """Write entries beside that of the SuperUser's own making."""
    with transaction.atomic(), acting(lambda: ADA):
        audit.record_change("s3:CreateBucket", "arn:aws:s3:::photos")
        audit.record_change(
            "s3:PutBucketPolicy", "arn:aws:s3:::photos", policy="<script>'é</script>"
        )
    audit.record_event("s4:SignIn", "", Outcome.DENIED, reason="wrong password")
    old = timezone.now() - timedelta(days=40)
    audit.record_events([audit.make_entry(ADA, "s3:DeleteBucket", "old", time=old, detail={})])


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [SIGN_IN, OLD, SIGN_IN, POLICY, BUCKET, "iam:CreateUser"]),
        ("?q=photos", [POLICY, BUCKET]),
        ("?q=WRONG+password", [SIGN_IN]),
        ("?action=s3:", [OLD, POLICY, BUCKET]),
        ("?action=s3:&q=photos", [POLICY, BUCKET]),
        ("?action=s4:SignIn", [SIGN_IN, SIGN_IN]),
        ("?outcome__exact=denied", [SIGN_IN]),
        ("?via__exact=s3", [OLD, POLICY, BUCKET]),
        ("?time__lt={month_ago}", [OLD]),
        ("?q=nothing+of+that", []),
    ],
)
def test_the_log_is_searched(query: str, found: list[str]) -> None:
    """Filters and search find what they name, newest first."""
    month_ago = quote(str(timezone.now() - timedelta(days=30)))
    assert rows(browser("boss").get(LOG + query.format(month_ago=month_ago))) == found


@pytest.mark.usefixtures("entries")
def test_an_entry_is_read_and_nothing_else() -> None:
    """The page of an entry shows all of it, escaped, and offers no way to change or delete it."""
    page = browser("boss")
    entry = AuditEntry.objects.get(action="s3:PutBucketPolicy")
    text = page.get(f"{LOG}{entry.pk}/change/").content.decode()
    for shown in ("ada", "c" * 64, "AKADA", "192.0.2.1", "arn:aws:s3:::photos", "R1"):
        assert shown in text
    assert "&lt;script&gt;&#x27;é&lt;/script&gt;" in text
    assert "<script>'é" not in text
    assert page.post(f"{LOG}{entry.pk}/change/", {"actor": "eve"}).status_code == 403
    assert page.get(f"{LOG}{entry.pk}/delete/").status_code == 403
    assert page.get(f"{LOG}add/").status_code == 403
    action = {"action": "delete_selected", "_selected_action": str(entry.pk)}
    page.post(LOG, action)
    assert AuditEntry.objects.filter(pk=entry.pk, actor="ada").exists()


def test_the_log_is_for_superusers(boss: User) -> None:
    """Nobody else sees the list, an entry, or that there is one."""
    person("walt", RoleName.WRITER)
    page, entry = browser("walt"), AuditEntry.objects.first()
    assert entry is not None
    assert page.get(LOG).status_code == 403
    assert page.get(f"{LOG}{entry.pk}/change/").status_code == 403
    assert LOG not in page.get("/").content.decode()
    assert LOG in browser("boss").get("/").content.decode()


def test_a_long_log_is_paged_without_being_counted(
    boss: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Pages go as far as anybody turns them, at a cost that does not grow with the log."""
    monkeypatch.setattr(admin_audit, "COUNTED_MAX", 250)
    many = [audit.make_entry(ADA, "s3:CreateBucket", str(n), detail={}) for n in range(400)]
    audit.record_events(many)
    page = browser("boss")
    with django_assert_max_num_queries(12):
        assert len(rows(page.get(LOG))) == 100
    assert len(rows(page.get(f"{LOG}?p=3"))) == 50


@pytest.mark.usefixtures("entries")
def test_the_history_of_a_thing_is_what_the_log_has_of_it(boss: User) -> None:
    """A SuperUser who asks for the history of something is led to what the log has of it."""
    console = browser("boss")
    user = console.get(f"/iam/user/{boss.pk}/history/", follow=True)
    assert user.redirect_chain == [(f"{LOG}?q=boss", 302)]
    assert "iam:CreateUser" in rows(user)
    entry = AuditEntry.objects.get(action=POLICY)
    assert set(rows(console.get(f"{LOG}{entry.pk}/history/", follow=True))) == {POLICY, BUCKET, OLD}


@pytest.mark.usefixtures("boss")
def test_an_empty_list_says_what_belongs_there_or_that_nothing_matches() -> None:
    """An empty list says what would be there; where nothing matches, it offers all again."""
    console = browser("boss")
    groups = console.get("/iam/group/").content.decode()
    assert "There is nothing here yet" in groups
    assert "put users into one" in groups
    sought = console.get("/iam/group/?q=painters").content.decode()
    assert "Nothing matches" in sought
    assert "Show all" in sought
