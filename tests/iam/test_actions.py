"""Claims about `iam.actions`: it says what AWS's Service Authorization Reference says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iam.actions import (
    ACTIONS,
    ACTIONS_OF_KEY,
    CONDITION_KEYS,
    OF_BUCKET,
    OF_OBJECT,
    OF_SERVICE,
    is_condition_key,
    may_have,
)

FACTS: dict[str, Any] = json.loads(
    Path(__file__).with_name("list_amazons3.json").read_text(encoding="utf-8")
)
# What AWS published after the day of the facts, by the page that has it.
NEWER_ACTIONS = {
    "s3:DeleteObjectAnnotation": "API_DeleteObjectAnnotation",
    "s3:GetObjectAnnotation": "API_GetObjectAnnotation",
    "s3:ListObjectAnnotations": "API_ListObjectAnnotations",
    "s3:PutObjectAnnotation": "API_PutObjectAnnotation",
}
NEWER_KEYS = {
    "s3:annotation-prefix": "API_ListObjectAnnotations",
    "s3:deliverysourcearn": "vended logs",
    "s3:logtype": "vended logs",
    "s3:max-annotation-results": "API_ListObjectAnnotations",
    "s3:object-lock-event-hold": "event holds",
    "s3:object-lock-event-hold-duration-days": "event holds",
    "s3:resourcearnbeingauthorized": "vended logs",
    "s3:x-amz-object-annotation-directive": "API_PutObjectAnnotation",
    "s3:x-amz-object-if-match": "API_PutObjectAnnotation",
}
# Keys that S4 gives a value for whatever is asked: they tell of the request, not of the action.
OF_EVERY_REQUEST = {
    "s3:authtype",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:x-amz-content-sha256",
}


def plain(key: str) -> str:
    """Write a key of the facts as the code has it: in lower case, a family of tags by its name."""
    return key.lower().removesuffix("/key")


def asked_of(key: str) -> set[str]:
    """List the actions that have a key, by the facts."""
    return {
        f"s3:{name}"
        for name, row in FACTS["actions"].items()
        if key in {plain(each) for each in row["keys"]}
    }


def test_all_actions_of_aws_are_known_and_no_others() -> None:
    """A policy may name every action of AWS's list; what AWS does not have is refused."""
    published = {f"s3:{name}" for name in FACTS["actions"]}
    assert published <= ACTIONS
    assert ACTIONS - published == NEWER_ACTIONS.keys()


def test_an_action_is_done_to_what_aws_says() -> None:
    """Bucket, object or neither: the resource types of AWS's list."""
    for name, row in FACTS["actions"].items():
        kinds, action = set(row["resources"]), f"s3:{name}"
        assert (action in OF_OBJECT) is ("object" in kinds), action
        assert (action in OF_BUCKET) is ("bucket" in kinds), action
        if action in OF_SERVICE:
            assert not kinds, action


def test_all_condition_keys_of_aws_are_legal_and_no_others() -> None:
    """A policy may ask for every key of S3 that AWS has, and for no other one of S3."""
    published = {key for key in FACTS["keys"] if key.startswith("s3:")}
    families = {plain(key) for key in published if key.endswith("/KEY")}
    assert all(is_condition_key(key.lower()) for key in published)
    singles = {plain(key) for key in published} - families
    assert singles <= CONDITION_KEYS
    assert CONDITION_KEYS - singles == NEWER_KEYS.keys()
    assert all(not is_condition_key(family) for family in families)
    assert not is_condition_key("s3:madeup")
    assert not is_condition_key("username")


@pytest.mark.parametrize("key", sorted(ACTIONS_OF_KEY))
def test_a_key_has_values_for_the_actions_that_aws_lists(key: str) -> None:
    """What a request says beside its action decides nothing: a listing's prefix opens no object."""
    assert ACTIONS_OF_KEY[key] == asked_of(key) & (OF_BUCKET | OF_OBJECT)
    tagged = f"{key}/team" if is_condition_key(f"{key}/team") else key
    assert may_have(min(ACTIONS_OF_KEY[key]), tagged)
    assert not may_have("s3:GetBucketLocation", tagged)


def test_keys_of_every_request_are_those_of_nearly_all_actions() -> None:
    """Only what AWS gives to all its actions is left without a list of them."""
    for key in OF_EVERY_REQUEST:
        assert len(asked_of(key)) > 100, key
        assert may_have("s3:GetBucketLocation", key)
    assert may_have("s3:GetObject", "aws:sourceip")
