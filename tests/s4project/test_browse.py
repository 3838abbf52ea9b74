"""The object browser's pages: which buckets are listed, opened, for whom, and what is offered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from buckets.services import configure_bucket, create_bucket, find_bucket
from iam import services
from iam.keyring import RoleName
from iam.models import User
from storage_engine import Versioning
from tests.buckets.contents import put
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.http import HttpResponse
    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import StorageEngine

HOME = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::homes",
            "Condition": {"StringLike": {"s3:prefix": ["${aws:username}/*", "kim/no*", "x"]}},
        },
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::homes/rita/*",
        },
        {
            "Effect": "Deny",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::homes/rita/kept/*",
        },
    ],
}


@pytest.fixture
def store(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> Iterator[StorageEngine]:
    """Make people and buckets: the Reader may use a folder of a bucket that is the boss's."""
    with opened(settings, tmp_path) as engine:
        boss = person("boss", RoleName.SUPERUSER)
        wilma = person("wilma", RoleName.WRITER)
        rita = person("rita", RoleName.READER)
        person("foreigner", RoleName.WRITER)
        for name, owner in (("bosses", boss), ("homes", boss), ("wilmas", wilma)):
            create_bucket(name, owner.canonical_id)
        services.put_inline_policy(rita, "home", json.dumps(HOME))
        put(engine, find_bucket("wilmas").id, "a.txt", b"12345")
        yield engine


def listed(username: str, query: str = "") -> list[str]:
    """Name the buckets of the list, as a user sees it."""
    response = browser(username).get(f"/browse/{query}")
    assert response.status_code == 200
    return [row.name for row in response.context["page"]]


def facts(response: HttpResponse) -> dict[str, Any]:
    """Read what the scripts of a page are told."""
    assert response.status_code == 200
    told: dict[str, Any] = response.context["facts"]
    return told


@pytest.mark.parametrize(
    ("username", "names"),
    [
        ("boss", ["bosses", "homes", "wilmas"]),
        ("wilma", ["wilmas"]),
        ("rita", ["homes"]),
        ("foreigner", []),
    ],
)
def test_everybody_sees_the_buckets_that_he_may_open(
    store: StorageEngine, username: str, names: list[str]
) -> None:
    """Listed is what is one's own, and what policies let one into, be it a folder of it."""
    assert listed(username) == names
    assert browser(username).get("/browse/?names=1").json() == {"names": names}


def test_a_change_of_rights_is_seen_at_once(store: StorageEngine) -> None:
    """The list is what users and buckets are now, however lately it was asked for."""
    assert listed("foreigner") == []
    create_bucket("foreigners", User.objects.get(username="foreigner").canonical_id)
    assert listed("foreigner") == ["foreigners"]
    assert listed("rita") == ["homes"]
    services.delete_inline_policy(User.objects.get(username="rita"), "home")
    assert listed("rita") == []


def test_the_list_is_searched_and_sorted_by_its_address(store: StorageEngine) -> None:
    """Search finds parts of names in any case; an order that there is not is that by name."""
    assert listed("boss", "?q=M") == ["homes", "wilmas"]
    assert listed("boss", "?sort=-name") == ["wilmas", "homes", "bosses"]
    assert listed("boss", "?sort=-size")[0] == "wilmas"
    assert listed("boss", "?sort=-owner")[0] == "wilmas"
    assert listed("boss", "?sort=created&page=9999") == ["bosses", "homes", "wilmas"]
    assert listed("boss", "?sort=nothing") == ["bosses", "homes", "wilmas"]
    assert listed("boss", "?q=%00%3Cscript%3E") == []


def test_figures_are_for_who_may_list_all_of_it(store: StorageEngine) -> None:
    """Objects and bytes are the engine's; whoever may see but a folder is told neither."""
    row = browser("wilma").get("/browse/").context["page"][0]
    assert (row.number, row.size) == ("1", "5 bytes")
    row = browser("rita").get("/browse/").context["page"][0]
    assert (row.objects, row.bytes) == (None, None)


def test_a_bucket_is_opened_by_name(store: StorageEngine) -> None:
    """A name leads to its bucket; one that is not there, or not for this user, is told alike."""
    response = browser("rita").get("/browse/?open=homes")
    assert response["Location"] == "/browse/homes"
    for name in ("bosses", "nothing", "<b>", "%00"):
        response = browser("rita").get(f"/browse/?open={name}", follow=True)
        assert "that you may open" in response.content.decode()
        assert "<b>" not in response.content.decode()


def test_a_page_is_for_those_who_may_open_the_bucket(store: StorageEngine) -> None:
    """Others read that there is none, as of one that never was."""
    for username, status in (("boss", 200), ("wilma", 200), ("rita", 404), ("foreigner", 404)):
        assert browser(username).get("/browse/wilmas").status_code == status
        assert browser(username).get("/browse/wilmas/rights").status_code == status
    response = browser("boss").get("/browse/never-was")
    assert response.status_code == 404
    assert "No such bucket" in response.content.decode()


def test_the_page_tells_its_scripts_what_they_must_know(store: StorageEngine) -> None:
    """Whose the bucket is and what becomes of versions stand in the page."""
    configure_bucket(find_bucket("wilmas").id, versioning=Versioning.ENABLED)
    told = facts(browser("boss").get("/browse/wilmas?prefix=<script>"))
    assert (told["owner"], told["isOwn"], told["versioning"]) == ("wilma", False, "enabled")
    assert (
        b"<script>alert" not in browser("boss").get("/browse/wilmas?prefix=<script>alert").content
    )
    assert facts(browser("wilma").get("/browse/wilmas"))["isOwn"] is True


def test_what_is_offered_follows_policies_folder_by_folder(store: StorageEngine) -> None:
    """What might be allowed for anything in a folder is offered there, and nothing else."""
    told = facts(browser("rita").get("/browse/homes"))["rights"]
    assert (told["list"], told["read"], told["write"], told["remove"]) == (False, True, True, False)

    assert facts(browser("rita").get("/browse/homes"))["openFolders"] == ["rita/"]
    assert facts(browser("boss").get("/browse/homes"))["openFolders"] == []

    def rights(prefix: str) -> dict[str, bool]:
        found: dict[str, bool] = browser("rita").get(f"/browse/homes/rights?prefix={prefix}").json()
        return found

    assert (rights("rita/")["list"], rights("rita/")["write"]) == (True, True)
    assert rights("rita/kept/")["write"] is False
    assert rights("wilma/")["read"] is False
    assert all(browser("boss").get("/browse/homes/rights").json().values())
