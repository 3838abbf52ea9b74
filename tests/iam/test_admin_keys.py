"""Access keys in the console: what narrows them, when they were used, which the list finds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey
from tests.people import browser, person

if TYPE_CHECKING:
    from django.http import HttpResponse

    from iam.models import User

KEYS = "/iam/accesskey/"
STATEMENT = '{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}'
DOCUMENT = f'{{"Version": "2012-10-17", "Statement": {STATEMENT}}}'


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


@pytest.fixture
def writer(boss: User) -> User:
    """Make a Writer who can sign in."""
    return person("wilma", RoleName.WRITER)


def test_a_writer_narrows_his_own_key(writer: User) -> None:
    """A user gives his key a policy of its own when he makes it, and another later."""
    client = browser("wilma")
    assert client.post(f"{KEYS}add/", {"name": "reads", "policy": DOCUMENT}).status_code == 200
    row = AccessKey.objects.get()
    credential = services.load_keyring().find(row.access_key)
    assert credential is not None
    assert credential.policy is not None
    assert "narrowed" in text(client.get(KEYS))
    page = text(client.get(f"{KEYS}{row.pk}/change/"))
    assert "Policy &quot;Writer&quot; of the role &quot;Writer&quot;" in page
    assert "which must allow too" in page
    values = {"name": "reads", "is_enabled": "on", "policy": DOCUMENT.replace("Get", "List")}
    assert client.post(f"{KEYS}{row.pk}/change/", values).status_code == 302
    row.refresh_from_db()
    assert "s3:List*" in row.policy


def test_superusers_alone_limit_a_key(writer: User) -> None:
    """A SuperUser sets how many requests a second a key may sign; its user sees it, and no more."""
    key = services.create_key(writer.pk).access_key
    address = f"{KEYS}{AccessKey.objects.get().pk}/change/"
    values = {"name": "n", "is_enabled": "on", "policy": "", "requests_per_second": "5"}

    def limit() -> int | None:
        found = services.load_keyring().find(key)
        assert found is not None
        return found.requests_per_second

    assert browser("wilma").post(address, values).status_code == 302
    assert limit() is None
    assert browser("boss").post(address, values).status_code == 302
    assert limit() == 5
    assert 'name="requests_per_second"' not in text(browser("wilma").get(address))
    assert browser("wilma").post(address, values | {"requests_per_second": ""}).status_code == 302
    assert limit() == 5
    assert browser("boss").post(address, values | {"requests_per_second": "-1"}).status_code == 200
    assert browser("boss").post(address, values | {"requests_per_second": ""}).status_code == 302
    assert limit() is None


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [("{", "line 1, column 2"), (DOCUMENT + " " * 2100 + "\n.", "2,048 characters")],
)
def test_a_wrong_narrowing_comes_back(writer: User, policy: str, complaint: str) -> None:
    """A narrowing policy that is wrong or too long comes back at its field; no key is made."""
    response = browser("wilma").post(f"{KEYS}add/", {"policy": policy})
    assert response.status_code == 200
    assert complaint in response.context["adminform"].form.errors["policy"][0]
    assert not AccessKey.objects.exists()


def test_the_list_finds_keys_nobody_needs(boss: User) -> None:
    """Filters find keys that expired, soon will, never do, and were not used for long."""
    now = timezone.now()
    for name, expires, used, made in (
        ("ended", -1, None, 1),
        ("ending", 5, 1, 200),
        ("fresh", None, None, 1),
        ("stale", None, 100, 200),
        ("idle", None, None, 200),
    ):
        key = services.create_key(boss.pk, access_key=name, name=f"for {name}").access_key
        AccessKey.objects.filter(access_key=key).update(
            expires_at=None if expires is None else now + timedelta(days=expires),
            last_used_at=None if used is None else now - timedelta(days=used),
            created_at=now - timedelta(days=made),
        )
    console = browser("boss")

    def found(query: str) -> set[str]:
        response = console.get(f"{KEYS}?{query}")
        return {row.access_key for row in response.context["cl"].result_list}

    assert found("expiry=expired") == {"ended"}
    assert found("expiry=soon") == {"ending"}
    assert found("expiry=never") == {"fresh", "stale", "idle"}
    assert found("use=unused") == {"stale", "idle"}
    assert found("use=never") == {"ended", "fresh", "idle"}
    assert found("from_environment__exact=1") == set()
    assert len(found("use=nonsense&expiry=nonsense")) == 5


def test_a_users_page_lists_his_keys(boss: User, writer: User) -> None:
    """The page of a user links his keys, and the form that makes another for him."""
    services.create_key(writer.pk, name="laptop <b>")
    row = AccessKey.objects.get()
    page = text(browser("boss").get(f"/iam/user/{writer.pk}/change/"))
    assert f'href="{KEYS}{row.pk}/change/">{row.access_key}</a>' in page
    assert "laptop &lt;b&gt;" in page
    add = text(browser("boss").get(f"{KEYS}add/?user={writer.pk}"))
    assert f'<option value="{writer.pk}" selected' in add


@pytest.mark.parametrize(
    "query",
    [
        "name__regex=(a%2B)%2B%24",
        "name__iregex=(",
        "id__in=99999999999999999999",
        "created_at__year=99999999999999999999",
        "sealed_secret__contains=a",
    ],
)
def test_an_address_asks_a_list_no_more_than_its_filters_do(writer: User, query: str) -> None:
    """What no filter of a list asks is refused: a pattern could hold a worker for ever."""
    services.create_key(writer.pk, name="a" * 40 + "!")
    assert browser("wilma").get(f"{KEYS}?{query}").status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        f"{KEYS}?q={'a+' * 2000}",
        f"{KEYS}add/?expires_at=tomorrow",
        "/search/?s=keys&page=zz",
        "/search/?s=keys&page=9",
    ],
)
def test_odd_addresses_are_answered_like_others(writer: User, address: str) -> None:
    """A search of thousands of words, a page or a moment that is none: no server error."""
    assert browser("wilma").get(address).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        f"/iam/auditentry/?q={'_' * 30_000}",
        f"/iam/auditentry/?action={'_' * 30_000}",
        f"/autocomplete/?app_label=iam&model_name=accesskey&field_name=user&term={'a+' * 2000}",
        "/iam/user/?groups__id__exact=1",
        "/iam/user/?role__exact=Writer",
        "/iam/user/?role__name__exact=Writer&is_active__exact=1",
        "/iam/auditentry/?time__gte=2026-01-01+00:00:00%2B00:00&outcome__exact=denied",
    ],
)
def test_what_superusers_ask_of_lists_is_answered(writer: User, address: str) -> None:
    """Searches however long, and what filters and links of the console ask."""
    assert browser("boss").get(address).status_code == 200
