"""Policy variables: where they may stand, what has no value, defaults, characters as themselves."""

from __future__ import annotations

from typing import Any

from tests.iam.decisions.cases import (
    ACCOUNTS,
    ALLOW,
    EXPLICIT,
    IAM,
    IMPLICIT,
    NEW,
    OLD,
    Case,
    allow,
    deny,
    document,
)

VARIABLES = IAM + "reference_policies_variables.html"
VERSION = IAM + "reference_policies_elements_version.html"
USERNAME, TEAM = "${aws:username}", "${aws:PrincipalTag/team}"

# the policy's resource, the request's, more of the request, does it fit
RESOURCES: list[tuple[str, str, dict[str, Any], bool, str]] = [
    (f"home/{USERNAME}/*", "home/bob/x", {}, True, "one's own folder"),
    (f"home/{USERNAME}/*", "home/ada/x", {}, False, "another's folder"),
    (f"home/{USERNAME}/*", "home/bob", {}, False, "the folder without its slash"),
    (f"home/{USERNAME}", "home/bob", {}, True, "one's own object"),
    (f"home/{USERNAME}*", "home/bobby", {}, True, "a star after the variable"),
    (f"{USERNAME}/*", "bob/x", {}, True, "one's own bucket"),
    (f"{USERNAME}-*/x", "bob-1/x", {}, True, "in the midst"),
    (f"home/{USERNAME}/{USERNAME}", "home/bob/bob", {}, True, "twice"),
    ("home/${AWS:UserName}/*", "home/bob/x", {}, True, "the name has no case"),
    ("home/${aws:PrincipalAccount}/*", f"home/{ACCOUNTS['bob']}/x", {}, True, "the account"),
    ("home/${aws:userid}/*", f"home/{'b' * 64}/x", {}, True, "the canonical id"),
    ("${s3:prefix}/*", "a/x", {"s3:prefix": "a"}, True, "a key of S3"),
    (f"teams/{TEAM}/*", "teams/red/x", {"aws:PrincipalTag/team": "red"}, True, "a tag"),
    (f"teams/{TEAM}/*", "teams/red/x", {}, False, "a tag that is not there"),
    (f"teams/{TEAM}/*", "teams//x", {}, False, "is not empty either"),
    ("teams/${aws:PrincipalTag/team, 'all'}/*", "teams/all/x", {}, True, "a default"),
    (
        "teams/${aws:PrincipalTag/team, 'all'}/*",
        "teams/all/x",
        {"aws:PrincipalTag/team": "red"},
        False,
        "a default that is not needed",
    ),
    (
        "teams/${aws:PrincipalTag/team, 'all'}/*",
        "teams/red/x",
        {"aws:PrincipalTag/team": "red"},
        True,
        "a default that is not needed",
    ),
    ("teams/${aws:PrincipalTag/team, ''}x", "teams/x", {}, True, "an empty default"),
    ("${s3:RequestObjectTagKeys}/*", "a/x", {"s3:RequestObjectTagKeys": ["a", "b"]}, False, "many"),
    ("home/${*}/x", "home/*/x", {}, True, "a star as itself"),
    ("home/${*}/x", "home/bob/x", {}, False, "a star as itself is no wildcard"),
    ("home/${?}", "home/?", {}, True, "a question mark as itself"),
    ("home/${?}", "home/x", {}, False, "a question mark as itself is no wildcard"),
    ("home/${$}", "home/$", {}, True, "a dollar as itself"),
    ("home/${$}{aws:username}", "home/${aws:username}", {}, True, "a variable that is none"),
    ("home/$x", "home/$x", {}, True, "a dollar alone"),
    ("home/*/${*}", "home/a/b/*", {}, True, "both kinds of stars"),
    (f"home/{USERNAME}/*", "home/x/y", {"aws:username": "*"}, False, "a name is no pattern"),
    (f"home/{USERNAME}/*", "home/*/y", {"aws:username": "*"}, True, "but means itself"),
    (f"home/{USERNAME}/*", "home/b?b/y", {"aws:username": "b?b"}, True, "so does a question mark"),
    (f"home/{USERNAME}/*", "home/bob/y", {"aws:username": "b?b"}, False, "and fits nothing else"),
    (f"home/{USERNAME}", "home/${x}", {"aws:username": "${x}"}, True, "a value is not read again"),
]
# operator, key, the policy's value, the request, does it hold
CONDITIONS: list[tuple[str, str, Any, dict[str, Any], bool, str]] = [
    ("StringEquals", "s3:prefix", USERNAME, {"s3:prefix": "bob"}, True, "in a text"),
    ("StringEquals", "s3:prefix", USERNAME, {"s3:prefix": "ada"}, False, "another's"),
    ("StringLike", "s3:prefix", f"home/{USERNAME}/*", {"s3:prefix": "home/bob/"}, True, "a pattern"),
    ("StringLike", "s3:prefix", f"home/{USERNAME}/*", {"s3:prefix": "home/ada/"}, False, "another's"),
    ("StringNotLike", "s3:prefix", f"{USERNAME}/*", {"s3:prefix": "ada/x"}, True, "negated"),
    ("StringNotLike", "s3:prefix", f"{USERNAME}/*", {"s3:prefix": "bob/x"}, False, "negated"),
    ("StringEqualsIgnoreCase", "s3:prefix", USERNAME, {"s3:prefix": "BOB"}, True, "without case"),
    ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::*:user/{USERNAME}", {}, True, "in an ARN"),
    ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::${aws:PrincipalAccount}:*", {}, True, "an ARN"),
    ("ArnNotEquals", "aws:PrincipalArn", f"arn:aws:iam::*:user/{USERNAME}", {}, False, "negated"),
    ("Bool", "aws:SecureTransport", "${aws:SecureTransport}", {"aws:SecureTransport": "true"}, True, "in a boolean"),
    ("StringEquals", "s3:ExistingObjectTag/Team", TEAM, {"s3:ExistingObjectTag/Team": "red"}, False, "no value equals nothing"),
    ("StringLike", "s3:ExistingObjectTag/Team", TEAM, {"s3:ExistingObjectTag/Team": ""}, False, "not even what is empty"),
    ("StringNotEquals", "s3:ExistingObjectTag/Team", TEAM, {"s3:ExistingObjectTag/Team": "red"}, True, "negated, no value differs from all"),
    ("StringNotLike", "s3:ExistingObjectTag/Team", TEAM, {"s3:ExistingObjectTag/Team": "red"}, True, "negated, no value is like none"),
    ("StringEquals", "s3:prefix", [TEAM, "bob"], {"s3:prefix": "bob"}, True, "other values still count"),
    ("StringNotEquals", "s3:prefix", [TEAM, "bob"], {"s3:prefix": "bob"}, False, "negated too"),
    ("StringEquals", "s3:prefix", "${aws:PrincipalTag/team, 'all'}", {"s3:prefix": "all"}, True, "a default"),
    ("StringLike", "s3:prefix", "a${*}", {"s3:prefix": "a*"}, True, "a star as itself"),
    ("StringLike", "s3:prefix", "a${*}", {"s3:prefix": "ab"}, False, "a star as itself is no wildcard"),
    ("StringEquals", "s3:prefix", "a${*}", {"s3:prefix": "a*"}, True, "where a star is one anyway"),
    ("StringLike", "s3:prefix", USERNAME, {"s3:prefix": "bob", "aws:username": "b*"}, False, "a name is no pattern"),
    ("StringEqualsIfExists", "s3:prefix", TEAM, {}, True, "IfExists asks for the key alone"),
    ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", USERNAME, {"s3:RequestObjectTagKeys": ["a", "bob"]}, True, "in a set"),
    ("ForAllValues:StringLike", "s3:RequestObjectTagKeys", f"{USERNAME}-*", {"s3:RequestObjectTagKeys": ["bob-1", "bob-2"]}, True, "in a set of patterns"),
    ("ForAllValues:StringLike", "s3:RequestObjectTagKeys", f"{USERNAME}-*", {"s3:RequestObjectTagKeys": ["bob-1", "ada-2"]}, False, "not all"),
]
OWN = allow("s3:GetObject", f"home/{USERNAME}/*", Principal="*")
NOT_OWN = deny("s3:GetObject", None, NotResource=[f"home/{USERNAME}/*"], Principal="*")

CASES = [
    *(
        Case(
            f"{claim}: {wanted} on {asked}",
            VARIABLES,
            ALLOW if fits else IMPLICIT,
            resource=asked,
            identity=(document(allow("s3:GetObject", wanted)),),
            context=context,
        )
        for wanted, asked, context, fits, claim in RESOURCES
    ),
    *(
        Case(
            f"{claim}: {operator} {wanted}",
            VARIABLES,
            ALLOW if holds else IMPLICIT,
            identity=(document(allow(Condition={operator: {key: wanted}})),),
            context=context,
        )
        for operator, key, wanted, context, holds, claim in CONDITIONS
    ),
    *(
        Case(
            f"in the language of {version} on {asked}",
            VERSION,
            expected,
            resource=f"photos/{asked}",
            bucket=document(allow("s3:GetObject", f"photos/{USERNAME}", Principal="*"), version=version),
        )
        for version, asked, expected in (
            (NEW, "bob", ALLOW),
            (NEW, USERNAME, IMPLICIT),
            (OLD, "bob", IMPLICIT),
            (OLD, USERNAME, ALLOW),
        )
    ),
    Case(
        "an old text of a condition is taken as it stands",
        VERSION,
        ALLOW,
        bucket=document(
            allow(Principal="*", Condition={"StringEquals": {"s3:prefix": USERNAME}}), version=OLD
        ),
        context={"s3:prefix": USERNAME},
    ),
    Case(
        "a bucket's policy for all its users",
        VARIABLES,
        ALLOW,
        resource="home/bob/x",
        bucket=document(OWN),
    ),
    Case(
        "who has no name has no folder",
        VARIABLES,
        IMPLICIT,
        resource="home//x",
        caller=None,
        bucket=document(OWN),
    ),
    Case(
        "a NotResource without a value keeps nothing out of a deny",
        VARIABLES,
        EXPLICIT,
        resource="home//x",
        caller=None,
        bucket=document(allow("s3:GetObject", "home/*", Principal="*"), NOT_OWN),
    ),
    Case(
        "a NotResource with its value does",
        VARIABLES,
        ALLOW,
        resource="home/bob/x",
        bucket=document(allow("s3:GetObject", "home/*", Principal="*"), NOT_OWN),
    ),
    Case(
        "a deny by a variable that is not there holds",
        VARIABLES,
        EXPLICIT,
        identity=(
            document(
                allow(),
                deny(Condition={"StringNotEquals": {"s3:ExistingObjectTag/Team": TEAM}}),
            ),
        ),
        context={"s3:ExistingObjectTag/Team": "red"},
    ),
    Case(
        "and does not where both are the same",
        VARIABLES,
        ALLOW,
        identity=(
            document(
                allow(),
                deny(Condition={"StringNotEquals": {"s3:ExistingObjectTag/Team": TEAM}}),
            ),
        ),
        context={"s3:ExistingObjectTag/Team": "red", "aws:PrincipalTag/team": "red"},
    ),
]
