"""Settings of a bucket as form and document, driven as a browser does: in step, saved, refused."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.contrib.admin.models import LogEntry

from buckets import services
from buckets.configuration import (
    NOTHING_PUBLIC,
    CorsRule,
    Lifecycle,
    Ownership,
)
from iam import services as iam_services
from iam.acl import ALL_USERS, Grant
from iam.keyring import RoleName
from iam.models import AuditEntry, User
from storage_engine import LifecycleRule, Versioning
from tests.people import browser, person
from tests.s4project.editing import IN_STEP, LETS_IN, at, document, is_set, saved, seen, text

if TYPE_CHECKING:
    from django.test import Client

    from buckets.registry import BucketState

CORS: Final = {"CORSRules": [{"AllowedOrigins": ["https://a"], "AllowedMethods": ["GET"]}]}
# Each setting: what its form sends, its document, and what is then set, by the field that has it.
SETTINGS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str, Any]]] = {
    "cors": (
        {"rows": "1", "row0-origins": "https://a\r\n\r\n", "row0-methods": ["GET"]},
        CORS,
        "cors",
        (CorsRule(allowed_origins=("https://a",), allowed_methods=("GET",)),),
    ),
    "tags": (  # in the order of PostgreSQL, which keeps no other
        {"rows": "2", "row0-key": "b", "row1-key": "team", "row1-value": "lab"},
        {"TagSet": [{"Key": "b", "Value": ""}, {"Key": "team", "Value": "lab"}]},
        "tags",
        {"b": "", "team": "lab"},
    ),
    "permissions/public-access": (
        dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy"), "on")
        | {"RestrictPublicBuckets": "on"},
        {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        "public_access_block",
        NOTHING_PUBLIC,
    ),
    "permissions/ownership": (
        {"ownership": "ObjectWriter"},
        {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        "ownership",
        Ownership.OBJECT_WRITER,
    ),
}
DOCUMENTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "versioning": ({"Status": "Enabled"}, "versioning"),
    "lifecycle": (
        {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}]},
        "lifecycle",
    ),
    "policy": (LETS_IN, "policy"),
}


@pytest.mark.parametrize("section", SETTINGS)
def test_a_form_sets_what_it_says(box: BucketState, console: Client, section: str) -> None:
    """A form is saved by S3's operation; audit log and history say so, and the page shows it."""
    fields, tree, field, value = SETTINGS[section]
    response = saved(console, at(box, section), do="save", **fields)
    assert response.status_code == 302
    assert is_set(field) == value
    assert LogEntry.objects.filter(object_id=str(box.id)).exists()
    assert AuditEntry.objects.filter(resource="arn:aws:s3:::box", action__startswith="s3:Put")
    assert json.loads(document(text(console.get(at(box, section))))) == tree


@pytest.mark.parametrize("section", SETTINGS)
def test_a_document_sets_what_it_says(box: BucketState, console: Client, section: str) -> None:
    """A document is saved in either form; saved empty, it takes the setting off."""
    _, tree, field, value = SETTINGS[section]
    address = at(box, section)
    before = is_set(field)
    asked = {"do": "format", "document": json.dumps(tree), "document_format": "xml"}
    xml = document(text(console.post(address, asked, headers=IN_STEP)))
    assert xml.startswith("<")
    for each in (json.dumps(tree), xml):
        assert saved(console, address, do="save_document", document=each).status_code == 302
        assert is_set(field) == value
        assert saved(console, address, do="save_document", document=" ").status_code == 302
        assert is_set(field) == before


@pytest.mark.parametrize("section", DOCUMENTS)
def test_what_has_a_form_elsewhere_is_set_as_a_document(
    box: BucketState, console: Client, section: str
) -> None:
    """Versioning, lifecycle and policy are set by their documents, and shown so."""
    tree, field = DOCUMENTS[section]
    address = at(box, section)
    assert saved(console, address, do="save_document", document=json.dumps(tree)).status_code == 302
    assert is_set(field)
    assert json.loads(document(text(console.get(address)))) == tree


@pytest.mark.parametrize("section", SETTINGS)
def test_form_and_document_are_kept_in_step(
    box: BucketState, console: Client, section: str
) -> None:
    """What is typed into one half comes back as the other; nothing is saved by it."""
    fields, tree, field, _ = SETTINGS[section]
    before, address = is_set(field), at(box, section)
    part = text(console.post(address, {"do": "draft", **fields}, headers=IN_STEP))
    assert json.loads(document(part)) == tree
    assert "<html" not in part
    part = text(
        console.post(
            address, {"do": "draft_document", "document": json.dumps(tree)}, headers=IN_STEP
        )
    )
    assert "<textarea id" not in part.replace('name="row', "")
    assert f'id="{section.rpartition("/")[2]}-form"' in part
    part = text(console.post(address, {"do": "draft_document", "document": "{"}, headers=IN_STEP))
    assert "line 1, column 2" in part
    assert '-form"' not in part
    assert is_set(field) == before


def test_a_form_that_is_not_complete_leaves_the_document(box: BucketState, console: Client) -> None:
    """A rule without an origin is said to be incomplete, and shown with the reason when saved."""
    part = text(console.post(at(box, "cors"), {"do": "draft", "rows": "1"}, headers=IN_STEP))
    assert "not complete" in part
    assert "<textarea" not in part
    page = text(saved(console, at(box, "cors"), do="save", rows="1", document="{}"))
    assert "This field is required." in page
    assert document(page) == "{}"


def test_rows_are_added_and_taken_out(box: BucketState, console: Client) -> None:
    """One more row is offered, and one is taken out of the middle, whatever is asked for."""
    rows = {"rows": "3"} | {f"row{row}-key": f"k{row}" for row in range(3)}
    part = text(console.post(at(box, "tags"), {"do": "add", **rows}, headers=IN_STEP))
    assert 'name="row3-key"' in part
    part = text(console.post(at(box, "tags"), {"do": "remove 1", **rows}, headers=IN_STEP))
    assert [tag["Key"] for tag in json.loads(document(part))["TagSet"]] == ["k0", "k2"]
    for odd in ("remove", "remove x", "remove 99", "remove -1", "remove 999999999999"):
        part = text(console.post(at(box, "tags"), {"do": odd, **rows}, headers=IN_STEP))
        assert len(json.loads(document(part))["TagSet"]) == 3
    for count in ("", "-1", "x", "99999999999", "9999"):
        response = console.post(at(box, "tags"), {"do": "add", "rows": count}, headers=IN_STEP)
        assert response.status_code == 200
        assert text(response).count('-key"') <= 200


REFUSED: Final = [
    ("cors", {"CORSRules": [{"AllowedOrigins": ["*.*"], "AllowedMethods": ["GET"]}]}, "wildcard"),
    ("cors", {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["PATCH"]}]}, "PATCH"),
    ("cors", {"CORSRules": [{"AllowedMethods": ["GET"]}]}, "it is missing"),
    ("tags", {"TagSet": [{"Key": "aws:a", "Value": ""}]}, "System tags cannot be"),
    ("tags", {"TagSet": [{"Key": str(n), "Value": ""} for n in range(51)]}, "than 50"),
    ("permissions/ownership", {"Rules": [{"ObjectOwnership": "Nobody"}]}, "one of"),
    ("permissions/acl", {"Owner": {"ID": "x"}, "Grants": []}, "Invalid id"),
    ("versioning", {}, "Versioning element must be specified"),
    ("lifecycle", {"Rules": [{"Status": "Enabled", "Filter": {}}]}, "action"),
    ("policy", {"Statement": [{"Effect": "Allow"}]}, "Statement 1"),
    ("policy", {"Statement": "a"}, "Statement 1"),
    ("policy", [], "Policies must be valid JSON|not valid|first byte"),
]


@pytest.mark.parametrize(("section", "tree", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_s3_refuses_is_said_and_nothing_is_set(
    box: BucketState, console: Client, section: str, tree: Any, words: str
) -> None:
    """A document that S3 refuses is shown again as it was typed, with S3's reason."""
    before = services.find_bucket("box").configuration
    typed = json.dumps(tree)
    page = text(saved(console, at(box, section), do="save_document", document=typed))
    assert re.search(words, html.unescape(page))
    assert document(page) == typed
    assert services.find_bucket("box").configuration == before


def test_nobodys_change_is_overwritten_unseen(box: BucketState, console: Client) -> None:
    """Who saves what another has changed meanwhile is told, and may do so all the same."""
    address = at(box, "tags")
    page = text(console.get(address))
    services.configure_bucket(box.id, tags={"other": "1"})
    fields = {"do": "save", "rows": "1", "row0-key": "mine"}
    page = text(console.post(address, {"seen": seen(page), **fields}))
    assert "Somebody else has changed this" in page
    assert is_set("tags") == {"other": "1"}
    assert console.post(address, {"seen": seen(page), **fields}).status_code == 302
    assert is_set("tags") == {"mine": ""}


@pytest.mark.parametrize("section", [*SETTINGS, *DOCUMENTS])
def test_policies_decide_and_readers_look(box: BucketState, console: Client, section: str) -> None:
    """What policies deny is told in the form; a Reader finds no way to send one."""
    wilma = iam_services.find_user("wilma")
    deny = {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}
    iam_services.put_inline_policy(
        wilma, "no", json.dumps({"Version": "2012-10-17", "Statement": deny})
    )
    tree = SETTINGS[section][1] if section in SETTINGS else DOCUMENTS[section][0]
    before = services.find_bucket("box").configuration
    page = text(saved(console, at(box, section), do="save_document", document=json.dumps(tree)))
    assert "explicit deny" in page
    deny["Action"] = "s3:Get*"
    iam_services.put_inline_policy(
        wilma, "no", json.dumps({"Version": "2012-10-17", "Statement": deny})
    )
    assert "explicit deny" in text(console.get(at(box, section)))
    iam_services.delete_inline_policy(wilma, "no")
    iam_services.set_role(wilma.pk, RoleName.READER)
    console = browser("wilma")
    page = text(console.get(at(box, section)))
    assert 'value="save' not in page
    assert "<fieldset disabled" in page
    asked = {"do": "save_document", "document": json.dumps(tree)}
    assert console.post(at(box, section), asked).status_code == 403
    assert services.find_bucket("box").configuration == before


def test_an_acl_names_users_and_groups(box: BucketState, console: Client) -> None:
    """Grants are given to users by name and to groups; the page shows them so."""
    rita = person("rita", RoleName.READER)
    fields = {
        "rows": "2",
        "row0-user": "rita",
        "row0-permission": "READ",
        "row1-group": ALL_USERS,
        "row1-permission": "READ_ACP",
    }
    address = at(box, "permissions/acl")
    assert saved(console, address, do="save", **fields).status_code == 302
    assert is_set("grants") == (Grant(rita.canonical_id, "READ"), Grant(ALL_USERS, "READ_ACP"))
    assert 'value="rita"' in text(console.get(at(box, "permissions")))
    page = text(saved(console, address, do="save", rows="1", **{"row0-permission": "READ"}))
    assert "Name the user." in page
    services.configure_bucket(box.id, grants=None, ownership=Ownership.BUCKET_OWNER_ENFORCED)
    page = text(saved(console, address, do="save", **fields))
    assert "does not allow ACLs" in page


def test_the_tester_answers_as_s3_would(box: BucketState, console: Client) -> None:
    """Rules that are not saved are tried; each that does not match says why."""
    rules = [
        {"ID": "other", "AllowedOrigins": ["https://b"], "AllowedMethods": ["GET"]},
        {"AllowedOrigins": ["https://*.a"], "AllowedMethods": ["PUT"], "ExposeHeaders": ["ETag"]},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["x-*"]},
    ]

    def answer(**fields: str) -> str:
        asked = {"do": "test", "document": json.dumps({"CORSRules": rules}), **fields}
        return text(console.post(at(box, "cors"), asked, headers=IN_STEP))

    told = answer(test_origin="https://x.a", test_method="PUT")
    assert "other</strong>: it does not name the origin" in told
    assert "Rule 2</strong>: it matches" in told
    assert "https://x.a" in told
    assert "ETag" in told
    assert "Rule 3" not in told
    told = answer(test_origin="https://x.a", test_method="GET", test_headers="x-b, y")
    assert "Rule 2</strong>: it allows neither the method nor all of the headers" in told
    assert "Rule 3</strong>: it does not allow one of the headers" in told
    assert "kept out" in told
    assert "it does not allow the method" in answer(test_origin="https://x.a", test_method="HEAD")
    assert "This field is required." in answer(test_method="GET")
    assert "<html" in text(console.post(at(box, "cors"), {"do": "test", "test_method": "GET"}))


def test_rules_of_a_document_tell_what_they_would_do(box: BucketState, console: Client) -> None:
    """A lifecycle document is tried before it is saved, and keeps what else the lifecycle says."""
    tree = json.dumps(DOCUMENTS["lifecycle"][0])
    page = text(console.post(at(box, "lifecycle"), {"do": "try", "document": tree}))
    assert "All 0 keys were looked at." in page
    assert document(page) == tree
    assert is_set("lifecycle") is None
    page = text(console.post(at(box, "lifecycle"), {"do": "try", "document": "{"}))
    assert "line 1, column 2" in page


def test_object_lock_is_not_turned_on_by_a_document(box: BucketState, console: Client) -> None:
    """What is for ever is confirmed in its form; then the document is as good."""
    locked = {"ObjectLockEnabled": "Enabled", "Rule": None}
    del locked["Rule"]
    services.configure_bucket(box.id, versioning=Versioning.ENABLED)
    address, asked = at(box, "object-lock"), {"document": json.dumps(locked)}
    assert "As a document" not in text(console.get(address))
    assert console.post(address, {"do": "save_document", **asked}).status_code == 200
    assert is_set("object_lock") is None
    assert console.post(address, {"do": "lock", "is_understood": "on"}).status_code == 302
    years = {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}}}
    asked["document"] = json.dumps(locked | years)
    assert saved(console, address, do="save_document", **asked).status_code == 302
    assert is_set("object_lock").retention.years == 2


def test_lifecycle_keeps_what_no_document_says(box: BucketState, console: Client) -> None:
    """The smallest size of transitions stays, though neither JSON nor XML has it."""
    rule = LifecycleRule(id="a", expire_days=3)
    kept = Lifecycle(rules=(rule,), minimum_size="varies_by_storage_class")
    services.configure_bucket(box.id, lifecycle=kept)
    tree = json.dumps(DOCUMENTS["lifecycle"][0])
    assert (
        saved(console, at(box, "lifecycle"), do="save_document", document=tree).status_code == 302
    )
    assert is_set("lifecycle").minimum_size == "varies_by_storage_class"


def test_more_rows_than_s3_takes_are_refused_not_cut_off(box: BucketState, console: Client) -> None:
    """A form of sixty tags sets none of them, and says that fifty are the most."""
    rows = {f"row{number}-key": f"k{number}" for number in range(60)}
    page = text(saved(console, at(box, "tags"), do="save", rows="60", **rows))
    assert is_set("tags") == {}
    assert "row59-key" in page
    page = text(saved(console, at(box, "tags"), do="save", rows="9999"))
    assert "At most 1000 are read." in page


@pytest.mark.parametrize("do", ["save", "save_document"])
def test_who_may_read_a_setting_no_more_is_told(box: BucketState, console: Client, do: str) -> None:
    """A right that is taken away while a page is open ends in words, and nothing is set."""
    was = seen(text(console.get(at(box, "cors"))))
    denied = {"Effect": "Deny", "Action": "s3:GetBucketCORS", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam_services.put_inline_policy(User.objects.get(username="wilma"), "no", policy)
    sent = {"do": do, "seen": was, "rows": "0", "document": json.dumps(CORS)}
    response = console.post(at(box, "cors"), sent)
    assert response.status_code == 200
    assert "explicit deny" in text(response)
    assert is_set("cors") == ()
