"""Claims about `iam.grammar`: what IAM refuses is refused in its words, what it takes is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iam.documents import load_policy, read_identity_policy
from iam.grammar import MalformedPolicy, read_identity_document

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing."
VERSION = "Policy document must be version 2012-10-17 or greater."
ACTIONS = "Policy statement must contain actions."
RESOURCES = "Policy statement must contain resources."
PREFACED = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
COLON = "Actions/Condition can contain only one colon."
VENDOR = "Resource vendor must be fully qualified and cannot contain regexes."
BUCKET = "arn:aws:s3:::example_bucket"
GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET}


def policy(*statements: Any, **fields: Any) -> str:
    """Write a policy; a field of None is left out."""
    made = {"Version": "2012-10-17", "Statement": list(statements)} | fields
    return json.dumps({name: value for name, value in made.items() if value is not None})


def one(**fields: Any) -> str:
    """Write a policy of one statement that is good but for these; a field of None is left out."""
    made = GOOD | fields
    return policy({name: value for name, value in made.items() if value is not None})


def when(operator: Any, keys: Any) -> str:
    """Write a policy with a condition."""
    return one(Condition={operator: keys})


# As IAM was recorded to answer, but for what stands under "S4 alone".
REFUSED = [
    ("This is not a json document", SYNTAX),
    ("", SYNTAX),
    ("[]", SYNTAX),
    ("{", SYNTAX),
    (policy(GOOD, Version=None), VERSION),
    (policy(GOOD, Version="2008-10-17"), VERSION),
    (policy(GOOD, Version="2013-10-17"), SYNTAX),
    (policy(GOOD, Version=["2012-10-17"]), SYNTAX),
    (policy(Statement=None), SYNTAX),
    (policy("afd"), SYNTAX),
    (policy(), SYNTAX),
    (policy(GOOD, Extra="value"), SYNTAX),
    (one(Extra="value"), SYNTAX),
    (policy(GOOD, Id=["x"]), SYNTAX),
    (policy(GOOD, Id={}), SYNTAX),
    (one(Effect="invalid"), SYNTAX),
    (one(Effect=None), SYNTAX),
    (one(Effect=["Allow"]), SYNTAX),
    (one(Effect="denY"), LEGACY),
    (one(Effect="allow"), LEGACY),
    (policy(GOOD | {"Effect": "denY"}, Version=None), VERSION),
    (policy(GOOD | {"Sid": "s", "Effect": "aLLow"}, {"Sid": "s", "Effect": "Allow"}), LEGACY),
    (one(Action="invalid"), PREFACED),
    (one(Action=None, NotAction=""), PREFACED),
    (one(Action="a a:ListBucket"), "Vendor a a is not valid"),
    (one(Action="s3:List:Bucket"), COLON),
    (policy(GOOD | {"Action": "s3s:ListBucket"}, GOOD | {"Action": "s:3s:ListBucket"}), COLON),
    (one(Action=None), ACTIONS),
    (one(Action=None, Resource=None), ACTIONS),
    (one(Action=[]), ACTIONS),
    (policy({"Effect": "Deny"}, GOOD), ACTIONS),
    (one(Action=[[]]), SYNTAX),
    (one(Action={}), SYNTAX),
    (one(NotAction="iam:x"), SYNTAX),
    (one(Action=[], NotAction="s3:ListBucket"), SYNTAX),
    (one(Resource=None), RESOURCES),
    (one(Resource=[]), RESOURCES),
    (one(Resource="invalid resource"), 'Resource invalid resource must be in ARN format or "*".'),
    (one(Resource=["adf"]), 'Resource adf must be in ARN format or "*".'),
    (one(Resource=""), 'Resource  must be in ARN format or "*".'),
    (one(Resource="a:bsdf"), 'Partition "bsdf" is not valid for resource "arn:bsdf:*:*:*:*".'),
    (one(Resource="a:b:cad"), 'Partition "b" is not valid for resource "arn:b:cad:*:*:*".'),
    (
        one(Resource="a:b:c:d:e:f:g:h"),
        'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".',
    ),
    (
        one(Resource="aws:s3:::example_bucket"),
        'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".',
    ),
    (
        one(Resource=["arn:error:s3:::x", "arn:error:s3::x"]),
        'Partition "error" is not valid for resource "arn:error:s3:::x".',
    ),
    (one(Resource="arn:aws"), VENDOR),
    (one(Resource="arn:aws:*:::x"), VENDOR),
    (one(Resource="arn:aws:s3::example_bucket"), LEGACY),
    (one(Resource=None, NotResource="arn:aws:s3::example_bucket"), LEGACY),
    (one(Resource="arn:aws::fdsasf"), LEGACY),
    (one(Resource="arn:aws::::example_bucket"), LEGACY),
    (
        one(Resource="arn:aws:s3:us-east-1::example_bucket"),
        "Resource arn:aws:s3:us-east-1::example_bucket can not contain region information.",
    ),
    (one(Resource={"a": BUCKET}), SYNTAX),
    (one(Resource=[BUCKET, {}]), SYNTAX),
    (one(NotResource="*"), SYNTAX),
    (one(NotResource=[]), SYNTAX),
    (one(Condition=[]), SYNTAX),
    (one(Condition="a"), SYNTAX),
    (one(Condition=[{"ForAllValues:StringEquals": {"aws:TagKeys": "x"}}]), SYNTAX),
    (when("a", "b"), SYNTAX),
    (when("DateGreaterThan", "b"), SYNTAX),
    (when("DateGreaterThan", []), SYNTAX),
    (when("DateGreaterThan", {"a": {}}), SYNTAX),
    (when("x", {"a": "1"}), SYNTAX),
    (when("ForAnyValue::StringEqualsIfExists", {"a": "asf"}), SYNTAX),
    (when("DateGreaterThan", {"a": "sdfdsf"}), LEGACY),
    (when("DateLessThanEquals", {"a": "234-13"}), LEGACY),
    (when("DateLessThanEquals", {"a": "2016-12-13t2:00:00.593194+1"}), LEGACY),
    (when("DateLessThanEquals", {"a": "2016-12-13t2:00:00.1999999999+10:59"}), LEGACY),
    (one(Sid={}), SYNTAX),
    (one(Sid=[]), SYNTAX),
    (
        policy(GOOD | {"Sid": "sdf"}, {"Sid": "sdf", "Effect": "Allow"}),
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    (one(Sid="a b"), "Statement IDs (SID) must be alpha-numeric."),
    (one(Principal="*"), "Policy document should not specify a principal."),
    (one(NotPrincipal={"AWS": "*"}), "Policy document should not specify a principal."),
    # S4 alone: what IAM takes though it means nothing, or not what was meant.
    (one(Action="s3:GetObjekt"), "The action s3:GetObjekt does not exist."),
    (one(Action="s3:Upload*"), "The action s3:Upload* does not exist."),
    (one(Action="s3:"), "The action s3: does not exist."),
    (when("StringEquals", {"s3:prefiks": "x"}), "The condition key s3:prefiks does not exist."),
    (when("IpAddress", {"aws:SourcIp": "10.0.0.0/8"}), "The condition key aws:sourcip does not"),
    (when("StringEquals", {"username": "x"}), PREFACED),
    (one(Resource=BUCKET + "/${aws:usrname}"), "The condition key aws:usrname does not exist."),
    (one(Resource=BUCKET + "/${username}"), PREFACED),
    (one(Resource=BUCKET + "/${aws:username"), LEGACY),
    (one(Resource=BUCKET + "/${}"), LEGACY),
    (one(Resource="arn:aws:${aws:username}:::x"), VENDOR),
    (
        one(Resource="arn:aws:s3::123456789012:x"),
        "Resource arn:aws:s3::123456789012:x can not contain account information.",
    ),
    (when("StringEquals", {"aws:username": []}), SYNTAX),
    (when("StringIs", {}), SYNTAX),
    (when("NumericEquals", {"s3:max-keys": "ten"}), LEGACY),
    (when("IpAddress", {"aws:SourceIp": "10.0.0.0/33"}), LEGACY),
    (when("Bool", {"aws:SecureTransport": "yes"}), LEGACY),
    (when("NumericEquals", {"s3:max-keys": "${s3:max-keys}"}), SYNTAX),
    (policy(GOOD).replace('"Version"', '"Id": "a", "Id": "b", "Version"'), SYNTAX),
    (one().replace('"Effect"', '"Effect": "Deny", "Effect"'), SYNTAX),
]
TAKEN = [
    policy(GOOD, Statement=GOOD),
    policy(GOOD, Id="a text"),
    one(Action="*"),
    one(Action=["s3:*", "iam:GetUser"]),
    one(Action="fsx:ListBucket"),
    one(Action="s3-s:List"),
    one(Action="s3:CreateAccessPoint"),
    one(Action=None, NotAction="s3:ListBucket"),
    one(Resource="*"),
    one(Resource="arn:aws:iam::111122223333:user/x"),
    one(Resource="arn:aws:s33:::x"),
    one(Resource="arn:aws:fdsasf"),
    one(Resource="arn:aws:ec2:us-east-1::x"),
    one(Resource="arn:aws-cn:s3:::x"),
    one(Resource="arn:aws:s3:*:*:x"),
    one(Resource=None, NotResource=[BUCKET, BUCKET + "/*"]),
    one(Resource=BUCKET + "/${aws:username}/${*}"),
    one(Condition={}),
    when("DateGreaterThan", {}),
    when("ForAllValues:StringEquals", {"aws:TagKeys": "Department"}),
    when("StringEquals", {"aws:RequestTag/CostCenter": ["A-123", "B-456"]}),
    when("DateGreaterThan", {"aws:CurrentTime": "2017-07-01T00:00:00Z"}),
    when("StringEquals", {"sts:ExternalId": "x"}),
    when("Bool", {"aws:MultiFactorAuthPresent": "true"}),
    one(Sid="abc123"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_iam_refuses_is_refused_in_its_words(text: str, words: str) -> None:
    """The refusal begins with AWS's own sentence; what to change stands behind it."""
    with pytest.raises(MalformedPolicy) as refusal:
        read_identity_document(text)
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize("text", TAKEN)
def test_what_iam_takes_is_taken_and_can_be_read_again(text: str) -> None:
    """What was saved is what requests meet: the reader of saved policies is never the stricter."""
    statements = read_identity_policy(text).statements
    assert [each.sid for each in load_policy(text).statements] == [each.sid for each in statements]
    assert "which cannot be read" not in {each.sid for each in load_policy(text).statements}


def test_a_refusal_says_where() -> None:
    """The statement is named by its place, the element by its name."""
    with pytest.raises(MalformedPolicy, match="Statement 2 has an unknown element Actoin"):
        read_identity_document(policy(GOOD, GOOD | {"Actoin": "x"}))
    with pytest.raises(MalformedPolicy, match=r"Statement 1: Invalid Condition type : StringIs"):
        read_identity_document(when("StringIs", {"aws:username": "x"}))
