"""Decisions that wait for an object: no answer without one, and none that tells what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckets.configuration import BucketConfiguration, Ownership
from buckets.registry import BucketState
from iam.acl import ALL_USERS, Grant
from iam.documents import load_policy
from iam.hearing import Hearing
from iam.keyring import Keyring
from iam.rights import Attached, Rights
from s3api.context import Call
from s3api.decision import OpenDecision
from s3api.errors import S3Error
from s3api.operations.access import check_missing, check_settled
from storage_engine import ObjectAttributes, ObjectInfo
from tests.principals import principal
from tests.s3api.refusals import code_of

if TYPE_CHECKING:
    from iam.documents import Policy
    from s3api.context import Store

ME, OTHER = "a" * 64, "b" * 64
PRINCIPAL = principal(canonical_id=ME, account_id="1" * 12)


def _bucket(*grants: Grant) -> BucketState:
    configuration = BucketConfiguration(
        ownership=Ownership.OBJECT_WRITER, public_access_block=None, grants=grants or None
    )
    return BucketState(1, "b", OTHER, "Other", "us-east-1", 0, configuration)


def _decision(action: str = "s3:GetObject", *grants: Grant) -> OpenDecision:
    keyring = Keyring((), (PRINCIPAL, principal(canonical_id=OTHER, account_id="2" * 12)))
    place = (_bucket(*grants), "b", "k")
    return OpenDecision(Hearing(PRINCIPAL, None, *place, keyring, lambda _key: None), action)


def _info(owner: str, *grants: tuple[str, str]) -> ObjectInfo:
    attributes = ObjectAttributes(etag="", headers={}, owner=owner, grants=grants or None)
    return ObjectInfo("k", 0, 0, attributes)


def _call(**decisions: OpenDecision) -> Call:
    """Make a call of which only its decisions count here."""
    nothing: Any = None
    store = cast("Store", nothing)
    return Call(store, nothing, nothing, nothing, nothing, None, {}, 0, **decisions)


@pytest.mark.parametrize("place", ["decision", "source_decision"])
def test_what_nobody_settled_is_not_answered(place: str) -> None:
    """An operation that forgot to ask what its object, or its source, allows answers 403."""
    decision = _decision()
    call = _call(**{place: decision})
    assert code_of(check_settled, call) == "AccessDenied"
    decision.settle(_info(ME))
    check_settled(call)


def test_an_object_is_its_owners_and_whose_it_grants() -> None:
    """Settling allows the owner and the granted, and refuses everybody else."""
    _decision().settle(_info(ME))
    _decision().settle(_info(OTHER, (ME, "READ")))
    _decision().settle(_info(OTHER, (ALL_USERS, "READ")))
    assert code_of(_decision().settle, _info(OTHER)) == "AccessDenied"
    assert code_of(_decision().settle, _info(OTHER, (ME, "READ_ACP"))) == "AccessDenied"
    assert code_of(_decision("s3:PutObjectAcl").settle, _info(OTHER, (ME, "READ"))) is not None


def test_what_is_missing_is_told_to_those_who_may_list() -> None:
    """A missing object is denied to whoever may not list, but for deleting, which tells nothing."""
    assert code_of(_decision().settle, None) == "AccessDenied"
    _decision("s3:GetObject", Grant(ME, "READ")).settle(None)
    _decision("s3:DeleteObject", Grant(ME, "WRITE")).settle(None)


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Deny"]),
            "Action": st.sampled_from(["s3:GetObject", "s3:ListBucket"]),
            "Resource": st.just("*"),
            "Condition": st.sampled_from(
                [
                    {},
                    {"StringEquals": {"s3:ExistingObjectTag/a": "b"}},
                    {"StringNotEquals": {"s3:ExistingObjectTag/a": "b"}},
                    {"Null": {"s3:ExistingObjectTag/a": "false"}},
                    {"StringLike": {"s3:prefix": "k*"}},
                ]
            ),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(RULES, RULES, st.booleans())
def test_the_words_of_a_denial_tell_nobody_what_is_missing(
    own: list[Any], narrowing: list[Any], has_acls: bool
) -> None:
    """Whoever may not list reads the same of every object he is denied, be it there or not."""
    keyring = Keyring((), (PRINCIPAL,))
    rights = Rights([Attached("own", _policy(own))])
    owner = principal(canonical_id=OTHER, account_id="2" * 12, rights=rights)
    bucket = _bucket()
    if not has_acls:
        bucket = replace(bucket, configuration=BucketConfiguration())
    place = (bucket, "b", "k", keyring, lambda _key: None)
    hearing = Hearing(owner, _policy(narrowing), *place)
    words = set()
    for info in (None, _info(OTHER), _info(ME), _tagged("b"), _tagged("c")):
        try:
            OpenDecision(hearing, "s3:GetObject").settle(info)
        except S3Error as error:
            words.add(error.message)
    may_list = hearing.decide_bucket("s3:ListBucket").is_allowed
    assert may_list or len(words) <= 1


def _policy(rules: list[Any]) -> Policy:
    return load_policy(json.dumps({"Version": "2012-10-17", "Statement": rules}))


def _tagged(value: str) -> ObjectInfo:
    attributes = ObjectAttributes(etag="", headers={}, owner=OTHER, tags={"a": value})
    return ObjectInfo("k", 0, 0, attributes)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "NoSuchUpload"])
def test_a_refusal_does_not_tell_what_is_missing(code: str) -> None:
    """A 404, or the 405 of a delete marker, becomes 403 as long as nothing was decided."""
    assert code_of(check_missing, _call(decision=_decision()), S3Error(code)) == "AccessDenied"
    lister = _decision("s3:GetObject", Grant(ME, "READ"))
    assert code_of(check_missing, _call(decision=lister), S3Error(code)) is None
    assert code_of(check_missing, _call(), S3Error(code)) is None
    other = S3Error("PreconditionFailed")
    assert code_of(check_missing, _call(decision=_decision()), other) is None
