"""Claims about `iam.documents`: what a policy says, and what is refused when it is saved."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from iam.documents import (
    Effect,
    MalformedPolicy,
    Question,
    load_policy,
    read_bucket_policy,
    read_identity_policy,
)

ADA = frozenset({"arn:aws:iam::1:user/ada", "arn:aws:iam::1:root", "1"})
NOBODY: frozenset[str] = frozenset()
BUCKET, OBJECT = "arn:aws:s3:::photos", "arn:aws:s3:::photos/a/b.jpg"


def statement(**fields: Any) -> dict[str, Any]:
    """Make a statement that allows everybody to read; a field of None is left out."""
    made = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/*",
    }
    return {name: value for name, value in (made | fields).items() if value is not None}


def document(*statements: Any, **fields: Any) -> str:
    """Write a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | fields)


def is_known(kind: str, name: str) -> bool:
    """Know ada alone."""
    return kind == "AWS" and name in ADA


def said(
    text: str,
    action: str = "s3:GetObject",
    resource: str = OBJECT,
    names: frozenset[str] = NOBODY,
    **context: str,
) -> tuple[Effect, str]:
    """Ask the policy of the bucket photos."""
    keys = {name.replace("__", ":"): (value,) for name, value in context.items()}
    question = Question(action, resource, names, keys)
    return astuple(read_bucket_policy(text, "photos", is_known).ask(question))


def effect(*arguments: Any, **context: str) -> Effect:
    """Ask, and leave the statement aside."""
    return said(*arguments, **context)[0]


def test_what_no_statement_speaks_of_is_neither_allowed_nor_denied() -> None:
    """Silence is neither: the caller's other policies decide."""
    text = document(statement())
    assert effect(text) is Effect.ALLOW
    assert effect(text, "s3:PutObject") is Effect.NONE
    assert effect(text, "s3:GetObject", "arn:aws:s3:::photos") is Effect.NONE


def test_a_deny_is_before_every_allow_and_names_its_statement() -> None:
    """An explicit deny wins wherever it stands, and the answer says which one it was."""
    deny = statement(Sid="NoPictures", Effect="Deny", Resource="arn:aws:s3:::photos/*.jpg")
    for text in (document(deny, statement()), document(statement(), deny)):
        assert said(text)[:2] == (Effect.DENY, "NoPictures")
        assert effect(text, "s3:GetObject", BUCKET + "/a.txt") is Effect.ALLOW
    assert said(document(statement(Effect="Deny")))[1] == "1", "without a Sid it is its place"


def test_actions_have_no_case_and_resources_have() -> None:
    """Action names are compared without case, names of objects with it."""
    assert effect(document(statement(Action="S3:getobject"))) is Effect.ALLOW
    assert effect(document(statement(Action=["s3:PutObject", "s3:Get*"]))) is Effect.ALLOW
    shouting = statement(Resource="arn:aws:s3:::photos/A/*")
    assert effect(document(shouting)) is Effect.NONE


def test_the_not_forms_mean_everything_else() -> None:
    """NotAction, NotResource and NotPrincipal speak of whatever is not named."""
    others = statement(Action=None, NotAction="s3:Delete*", Effect="Deny")
    assert effect(document(others)) is Effect.DENY
    assert effect(document(others), "s3:DeleteObject") is Effect.NONE
    elsewhere = statement(Resource=None, NotResource="arn:aws:s3:::photos/a/*", Effect="Deny")
    assert effect(document(elsewhere)) is Effect.NONE
    assert effect(document(elsewhere), "s3:GetObject", BUCKET + "/c") is Effect.DENY
    strangers = statement(
        Principal=None, NotPrincipal={"AWS": "arn:aws:iam::1:user/ada"}, Effect="Deny"
    )
    assert effect(document(strangers)) is Effect.DENY
    assert effect(document(strangers), "s3:GetObject", OBJECT, ADA) is Effect.NONE


def test_principals_are_met_by_any_of_the_callers_names() -> None:
    """User, account and everybody are ways to name a caller; nobody has no name."""
    for name in ADA:
        text = document(statement(Principal={"AWS": [name]}))
        assert effect(text, "s3:GetObject", OBJECT, ADA) is Effect.ALLOW
        assert effect(text) is Effect.NONE
    for everybody in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        assert effect(document(statement(Principal=everybody))) is Effect.ALLOW


def test_services_of_aws_are_nobody_who_calls() -> None:
    """A user is not let in by the name of a service, though it be spelled like his own."""
    text = document(statement(Principal={"Service": "1"}))
    policy = read_bucket_policy(text, "photos", lambda _kind, _name: True)
    question = Question("s3:GetObject", OBJECT, ADA, {})
    assert policy.ask(question).effect is Effect.NONE
    assert not policy.is_public


def test_a_variable_stands_for_the_callers_own_value() -> None:
    """A resource with a variable is the caller's; a value with a wildcard in it widens nothing."""
    text = document(statement(Resource="arn:aws:s3:::photos/${aws:username}/*"))
    own = ("s3:GetObject", "arn:aws:s3:::photos/ada/x")
    assert effect(text, *own, aws__username="ada") is Effect.ALLOW
    assert effect(text, *own, aws__username="bob") is Effect.NONE
    assert effect(text, *own, aws__username="*") is Effect.NONE
    assert effect(text, *own) is Effect.NONE, "who has no name meets no statement with it"
    starred = ("s3:GetObject", "arn:aws:s3:::photos/*/x")
    assert effect(text, *starred, aws__username="*") is Effect.ALLOW
    old = document(
        statement(Resource="arn:aws:s3:::photos/${aws:username}/*"), Version="2008-10-17"
    )
    assert effect(old, *own, aws__username="ada") is Effect.NONE


def test_conditions_narrow_a_statement() -> None:
    """A statement speaks only where its conditions hold."""
    text = document(
        statement(
            Action="s3:ListBucket",
            Resource=BUCKET,
            Condition={"StringLike": {"s3:prefix": ["", "home/*"]}},
        )
    )
    assert effect(text, "s3:ListBucket", BUCKET, s3__prefix="home/ada") is Effect.ALLOW
    assert effect(text, "s3:ListBucket", BUCKET, s3__prefix="etc") is Effect.NONE
    assert effect(text, "s3:ListBucket", BUCKET) is Effect.NONE


BAD = "Policies must be valid JSON and the first byte must be '{'"
REFUSALS = [
    ("", BAD),
    (" {}", BAD),
    ("{", BAD),
    ("[]", BAD),
    ("{" * 5000, BAD),
    ('{"Statement": [], "Statement": []}', "Policies must not have duplicate fields."),
    ("{}", "Missing required field Statement"),
    (document(), "Missing required field Statement"),
    (document("x"), "Missing required field Statement"),
    (document(statement(), Version="2020-01-01"), "valid version string"),
    (document(statement(), Name="x"), "Unknown field Name"),
    (document(statement(), Id=5), "Invalid policy syntax."),
    (document(statement(Actoin="x")), "Unknown field Actoin"),
    (document(statement(Effect=None)), "Missing required field Effect"),
    (document(statement(Effect="Maybe")), "Invalid effect: Maybe"),
    (document(statement(Sid="a b")), "must be alpha-numeric"),
    (document(statement(Sid="a"), statement(Sid="a")), "must be unique"),
    (document(statement(Action=None)), "Missing required field Action"),
    (document(statement(Action=[])), "Policy has invalid action"),
    (document(statement(Action=5)), "Policy has invalid action"),
    (document(statement(Action="GetObject")), "Policy has invalid action"),
    (document(statement(Action="s3:GetObjekt")), "Policy has invalid action"),
    (document(statement(Action="ec2:RunInstances")), "Policy has invalid action"),
    (document(statement(NotAction="s3:GetObject")), "cannot stand in one statement"),
    (document(statement(Resource=None)), "Missing required field Resource"),
    (document(statement(Resource="arn:aws:s3:::other/*")), "Policy has invalid resource"),
    (document(statement(Resource="arn:aws:s3:::photos-2/*")), "Policy has invalid resource"),
    (document(statement(Resource="*")), "Policy has invalid resource"),
    (document(statement(Resource=BUCKET)), "Action does not apply to any resource(s)"),
    (document(statement(Action="s3:ListBucket")), "Action does not apply to any resource(s)"),
    (document(statement(Principal=None)), "Missing required field Principal"),
    (document(statement(NotPrincipal="*")), "Missing required field Principal"),
    (document(statement(Principal="ada")), "Invalid principal in policy"),
    (document(statement(Principal={"AWS": "arn:aws:iam::9:root"})), "Invalid principal in policy"),
    (document(statement(Principal={"Users": "*"})), "Invalid principal in policy"),
    (document(statement(Principal={"Service": "*"})), "Invalid principal in policy"),
    (document(statement(Principal={"CanonicalUser": "*"})), "Invalid principal in policy"),
    (document(statement(Principal={"Federated": "1"})), "Invalid principal in policy"),
    (document(statement(Effect=["Allow"])), "Invalid effect: ['Allow']"),
    (document(statement(Effect={})), "Invalid effect: {}"),
    (f'{{"Version": {"9" * 5000}}}', "Policies must be valid JSON"),
    (document(statement(Principal={"AWS": []})), "Invalid principal in policy"),
    (document(statement(Principal={"AWS": [5]})), "Invalid principal in policy"),
    (document(statement(Condition={"Is": {"aws:username": "x"}})), "Invalid Condition type : Is"),
    (document(statement(Condition={"Bool": {"s3:Tls": "x"}})), "cannot take the value"),
    (document(statement(Condition={"Null": {"s3:Tls": "true"}})), "an invalid condition key"),
    (document(statement(Condition={"Null": {"username": "true"}})), "an invalid condition key"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSALS)
def test_what_is_not_understood_is_refused_with_its_reason(text: str, reason: str) -> None:
    """A policy that S4 would not obey to the letter is not saved."""
    with pytest.raises(MalformedPolicy) as refusal:
        read_bucket_policy(text, "photos", is_known)
    assert reason in str(refusal.value)


def test_an_identitys_policy_names_no_principal_and_any_resource() -> None:
    """A user's policy speaks of the user; every bucket may be meant."""
    text = document(statement(Principal=None, Action="*", Resource="*"))
    policy = read_identity_policy(text)
    assert policy.ask(Question("s3:PutObject", OBJECT, NOBODY, {})).effect is Effect.ALLOW
    with pytest.raises(MalformedPolicy, match="should not specify a principal"):
        read_identity_policy(document(statement()))


@pytest.mark.parametrize(
    ("fields", "is_public"),
    [
        ({}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "1"}}, False),
        ({"Principal": None, "NotPrincipal": {"AWS": "1"}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, False),
        ({"Condition": {"StringLike": {"aws:SourceVpc": "vpc-*"}}}, True),
        ({"Condition": {"StringEquals": {"aws:Referer": "x"}}}, True),
    ],
)
def test_public_is_what_is_open_to_whoever_comes(fields: Any, is_public: bool) -> None:
    """Only principals, or a condition on who or whence with fixed values, keep the public out."""
    policy = read_bucket_policy(document(statement(**fields)), "photos", is_known)
    assert policy.is_public is is_public


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        (
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["Statement", "Effect", "Action", "Resource", "Principal", "Condition", "x"]
                    ),
                    inner,
                    max_size=4,
                )
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_the_reader(value: Any) -> None:
    """Whatever JSON says, it is a policy or it is refused."""
    with suppress(MalformedPolicy):
        read_bucket_policy(json.dumps(value), "photos", is_known)


def test_what_cannot_be_read_any_more_denies_everything() -> None:
    """A saved policy that this version refuses lets nobody in and breaks nothing."""
    policy = load_policy('{"Version": "2012-10-17", "Statement": {"Effect": "Perhaps"}}')
    question = Question("s3:GetObject", BUCKET + "/a", frozenset(), {})
    assert policy.ask(question).effect is Effect.DENY
    assert not policy.is_public
