"""Policies in words: what each statement says, and where a refused document is wrong."""

from __future__ import annotations

import json

import pytest

from iam.documents import load_policy, read_identity_policy
from iam.policy_templates import FOR_KEYS, TEMPLATES, Template
from iam.policy_words import place_of_error, sentences
from iam.services.documents import KEY_CHARACTERS_MAX, check_managed


def test_a_statement_is_told_part_by_part() -> None:
    """Each statement's effect, actions, resources and conditions are told as they were written."""
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::a", "*"]},
                {
                    "Sid": "No",
                    "Effect": "Deny",
                    "NotAction": ["s3:Get*"],
                    "NotResource": "*",
                    "Condition": {"NumericLessThan": {"s3:max-keys": [10, "20"]}},
                },
            ],
        }
    )
    first, second = sentences(read_identity_policy(text))
    assert first.sid == "1"
    assert (first.is_allow, first.actions) == (True, ["s3:GetObject"])
    assert first.resources == ["arn:aws:s3:::a", "*"]
    assert (first.all_but_actions, first.all_but_resources, first.conditions) == (False, False, [])
    assert (second.sid, second.is_allow) == ("No", False)
    assert second.all_but_actions
    assert second.all_but_resources
    assert second.conditions == ["s3:max-keys NumericLessThan 10, 20"]


def test_a_policy_that_is_not_understood_any_more_is_told_as_what_it_does() -> None:
    """A saved document that this version cannot read is told as a deny of everything."""
    (only,) = sentences(load_policy('{"Statement": 5}'))
    assert not only.is_allow
    assert only.actions == ["*"]


STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "Version": oops\n}', "line 2, column 14: Expecting value"),
        ('{"Statement": [', "line 1, column 16: Expecting value"),
        ("", "line 1, column 1: Expecting value"),
        ("[" * 100_000, ""),
        ('{"a": ' + "1" * 5000 + "}", ""),
        ("[]", ""),
        ("5", ""),
        ('{"Statement": [5]}', ""),
        (json.dumps({"Statement": [STATEMENT], "More": 1}), ""),
        (json.dumps({"Statement": {**STATEMENT, "Action": "s3:Nothing"}}), "statement 1"),
        (
            json.dumps({"Statement": [STATEMENT, {**STATEMENT, "Sid": "B", "Effect": "Maybe"}]}),
            'statement 2, "B"',
        ),
    ],
)
def test_the_place_of_an_error_is_named(text: str, place: str) -> None:
    """What is no JSON is found by line and column, a wrong statement by number and Sid."""
    assert place_of_error(text) == place


@pytest.mark.parametrize(
    "template", dict.fromkeys([*TEMPLATES, *FOR_KEYS]), ids=lambda template: template.title
)
def test_every_template_can_be_saved(template: Template) -> None:
    """Each document to start from is a policy that S4 takes, for a user and for a key."""
    check_managed(template.document)
    assert len(template.document) <= KEY_CHARACTERS_MAX
