"""The page of a bucket's policy, driven as a browser does: words, statements, templates, trials."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import pytest

from buckets import services
from buckets.configuration import NOTHING_PUBLIC
from buckets.explaining import explain_access
from iam.explanation import Outcome
from iam.keyring import RoleName
from s4project.bucket_pages.policy_templates import TEMPLATES, filled
from storage_engine import ObjectAttributes
from storage_engine.apps import get_engine
from tests.people import browser, person
from tests.s4project.editing import IN_STEP, LETS_IN, NAMED, at, document, is_set, saved, text

if TYPE_CHECKING:
    from django.test import Client

    from buckets.registry import BucketState


def asked(console: Client, box: BucketState, do: str, document_: str = "", **fields: Any) -> str:
    """Ask the page of the policy for something; answer the parts it changes."""
    sent = {"do": do, "document": document_, **fields}
    return text(console.post(at(box, "policy"), sent, headers=IN_STEP))


def test_a_policy_is_put_into_words(box: BucketState, console: Client) -> None:
    """The page says whom a policy is about, that it is public, and nothing becomes markup."""
    services.configure_bucket(box.id, policy=NAMED)
    page = text(console.get(at(box, "policy")))
    assert "It lets everybody in." in page
    assert "<strong>everybody</strong>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    services.configure_bucket(box.id, public_access_block=NOTHING_PUBLIC)
    assert "this one will not be saved" in text(console.get(at(box, "policy")))


def test_statements_are_added_in_words(box: BucketState, console: Client) -> None:
    """A statement is written from words, below a prefix with a condition on what is listed."""
    wish = {"effect": "Allow", "rights": ["list", "read"], "who": "wilma", "below": "a/"}
    part = asked(console, box, "add", **wish)
    policy = json.loads(document(part))
    assert [each["Action"] for each in policy["Statement"]] == [
        ["s3:ListBucket"],
        ["s3:GetObject", "s3:GetObjectVersion"],
    ]
    assert policy["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": "a/*"}}
    assert policy["Statement"][1]["Resource"] == ["arn:aws:s3:::box/a/*"]
    assert policy["Statement"][1]["Principal"]["AWS"][0].endswith(":user/wilma")
    part = asked(
        console,
        box,
        "add",
        document(part),
        effect="Deny",
        rights=["everything"],
        networks="10.0.0.0/8, 192.0.2.7",
        tls="false",
    )
    last = json.loads(document(part))["Statement"][2]
    assert last["Sid"] == "Statement3"
    assert last["Resource"] == ["arn:aws:s3:::box", "arn:aws:s3:::box/*"]
    assert last["Condition"] == {
        "IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.7"]},
        "Bool": {"aws:SecureTransport": "false"},
    }
    left = json.loads(document(asked(console, box, "remove 0", document(part))))
    assert len(left["Statement"]) == 2
    assert document(asked(console, box, "remove 0", NAMED)) == ""
    for none in ("x", "1", "0000000009", "9" * 5000):
        left = json.loads(document(asked(console, box, f"remove {none}", NAMED)))
        assert len(left["Statement"]) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"who": "ghost", "rights": "read"}, "There is no user ghost."),
        ({"rights": "read", "networks": "10.0.0.1/8"}, "no address and no network"),
        ({"rights": "read", "below": "a*"}, "a meaning of their own"),
        ({}, "This field is required."),
    ],
    ids=["user", "network", "prefix", "nothing"],
)
def test_a_wish_that_means_nothing_is_refused(
    box: BucketState, console: Client, fields: dict[str, str], words: str
) -> None:
    """A statement is not written of what nobody could mean."""
    part = asked(console, box, "add", NAMED, effect="Allow", **fields)
    assert words in html.unescape(part)
    assert "<textarea" not in part


def test_templates_are_policies_that_are_taken(box: BucketState, console: Client) -> None:
    """Each template is a policy of this bucket that S3 takes; an unknown one changes nothing."""
    for template in TEMPLATES:
        policy = document(asked(console, box, "template", NAMED, template=template.title))
        assert "arn:aws:s3:::box" in policy
        assert "BUCKET" not in policy
        assert (
            saved(console, at(box, "policy"), do="save_document", document=policy).status_code
            == 302
        ), template.title
    assert document(asked(console, box, "template", NAMED, template="none")) == NAMED


def test_a_policy_is_indented(box: BucketState, console: Client) -> None:
    """The text is indented; what is no JSON says where it is wrong."""
    assert document(asked(console, box, "format", NAMED)) == json.dumps(LETS_IN, indent=2)
    assert "line 1, column 2" in asked(console, box, "format", "{")
    assert "line 1, column 2" in asked(console, box, "add", "{")
    assert "line 1, column 2" in asked(console, box, "remove 0", "{")


def test_a_policy_is_tried_before_it_is_set(box: BucketState, console: Client) -> None:
    """What the text would let somebody do is told; others' rights are told to SuperUsers alone."""
    engine = get_engine()
    attributes = ObjectAttributes(etag="0" * 32, headers={}, owner=box.owner_canonical_id)
    engine.put_object(box.id, "<b>a", engine.stage_bytes(b"text"), attributes).result()
    trial = {"try-action": "s3:GetObject", "try-key": "<b>a"}
    told = asked(console, box, "try", NAMED, **trial)
    assert "allowed" in told
    assert "denied" in asked(console, box, "try", "", **trial)
    assert "wilma may do" in asked(console, box, "try", "", **trial, **{"try-user": "me"})
    assert "valid choice" in asked(console, box, "try", "", **trial, **{"try-user": "root"})
    assert "line 1, column 2" in asked(console, box, "try", "{", **trial)
    assert "There is no action" in asked(console, box, "try", NAMED, **{"try-action": "s3:Fly"})
    person("boss", RoleName.SUPERUSER)
    boss = browser("boss")
    assert "wilma may do" in asked(boss, box, "try", NAMED, **trial, **{"try-user": "wilma"})
    assert "no user" in asked(boss, box, "try", NAMED, **trial, **{"try-user": "ghost"}).lower()
    page = text(console.post(at(box, "policy"), {"do": "try", "document": NAMED, **trial}))
    assert "<html" in page
    assert document(page) == NAMED


def test_who_would_shut_himself_out_is_warned(box: BucketState, console: Client) -> None:
    """A policy that denies its own writer is saved, but not without a word."""
    shut = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::box"}
    policy = json.dumps({"Statement": [shut]})
    assert "shuts you out" in asked(console, box, "draft_document", policy)
    assert "shuts you out" not in asked(console, box, "draft_document", NAMED)
    address = at(box, "policy")
    assert saved(console, address, do="save_document", document=policy).status_code == 302
    assert saved(console, address, do="save_document", document="").status_code == 302
    assert is_set("policy") is None


def test_a_policy_that_is_not_understood_any_more_is_shown(
    box: BucketState, console: Client
) -> None:
    """A policy whose user is gone, or that a stricter version refuses, is shown and mended."""
    services.configure_bucket(box.id, policy='{"Statement": "old"}')
    page = text(console.get(at(box, "policy")))
    assert document(page) == '{"Statement": "old"}'
    assert "not understood any more" in page
    assert saved(console, at(box, "policy"), do="save_document", document="").status_code == 302


def test_what_is_there_is_not_overwritten_and_parts_are_uploaded(box: BucketState) -> None:
    """The template denies what makes an object without a condition; parts of uploads make none."""
    template = next(each for each in TEMPLATES if each.title == "no-overwrite")

    def outcome(**context: str) -> Outcome:
        keys = {f"s3:{name}": value for name, value in context.items()}
        return explain_access(
            "s3:PutObject",
            "box/a",
            username="wilma",
            context=keys,
            draft=filled(template, box.name),
        ).outcome

    assert outcome(ObjectCreationOperation="true") is Outcome.DENIED
    conditional = {"if-none-match": "*", "ObjectCreationOperation": "true"}
    assert outcome(**conditional) is Outcome.ALLOWED
    assert outcome(ObjectCreationOperation="false") is Outcome.ALLOWED
