"""Whom the policy of a bucket speaks of: Principal, NotPrincipal, accounts as those they delegate to."""

from __future__ import annotations

from typing import Any

from tests.iam.decisions.cases import (
    ACCOUNTS,
    ALLOW,
    EXPLICIT,
    IAM,
    IMPLICIT,
    S3,
    Case,
    account,
    allow,
    deny,
    document,
    user,
)

PRINCIPAL = IAM + "reference_policies_elements_principal.html"
NOT_PRINCIPAL = IAM + "reference_policies_elements_notprincipal.html"
IN_S3 = S3 + "s3-bucket-user-policy-specifying-principal-intro.html"
DELEGATION = S3 + "example-walkthroughs-managing-access-example2.html"
CANONICAL = {name: name[0] * 64 for name in ACCOUNTS}

# the principal element, who asks, does it mean him
PRINCIPALS: list[tuple[Any, str | None, bool, str]] = [
    ("*", "bob", True, "everybody"),
    ("*", None, True, "everybody, be it nobody who signed"),
    ({"AWS": "*"}, "bob", True, "everybody"),
    ({"AWS": "*"}, None, True, "everybody, be it nobody who signed"),
    ({"AWS": ["*"]}, "eve", True, "everybody in a list"),
    ({"AWS": user("bob")}, "bob", True, "a user"),
    ({"AWS": user("bob")}, "eve", False, "another user"),
    ({"AWS": user("bob")}, None, False, "nobody who signed"),
    ({"AWS": [user("ada"), user("bob")]}, "bob", True, "one of several users"),
    ({"AWS": [user("ada"), user("eve")]}, "bob", False, "none of several users"),
    ({"AWS": account("bob")}, "bob", True, "an account by its root"),
    ({"AWS": account("bob")}, "eve", False, "another account"),
    ({"AWS": account("bob")}, None, False, "nobody is in no account"),
    ({"AWS": ACCOUNTS["bob"]}, "bob", True, "an account by its number"),
    ({"AWS": ACCOUNTS["bob"]}, "eve", False, "another number"),
    ({"AWS": [ACCOUNTS["ada"], account("bob")]}, "bob", True, "accounts in both ways"),
    ({"CanonicalUser": CANONICAL["bob"]}, "bob", True, "a canonical id"),
    ({"CanonicalUser": CANONICAL["bob"]}, "eve", False, "another canonical id"),
    ({"CanonicalUser": CANONICAL["bob"]}, None, False, "nobody's is not meant"),
    ({"CanonicalUser": [CANONICAL["ada"], CANONICAL["bob"]]}, "bob", True, "canonical ids"),
    ({"AWS": user("eve"), "CanonicalUser": CANONICAL["bob"]}, "bob", True, "both kinds"),
    ({"Service": "logging.s3.amazonaws.com"}, "bob", False, "a service of AWS"),
    ({"Service": "logging.s3.amazonaws.com"}, None, False, "a service is not nobody"),
    ({"Federated": "cognito-identity.amazonaws.com"}, "bob", False, "federated users"),
    ({"AWS": user("bob"), "Service": "logging.s3.amazonaws.com"}, "bob", True, "a user beside it"),
]
EXCEPTED = {"AWS": [user("bob"), account("bob")]}
# NotPrincipal of a deny: who asks, what comes of it
EXCEPTIONS: list[tuple[Any, str | None, str, str]] = [
    (EXCEPTED, "bob", ALLOW, "the user with his account is left out"),
    (EXCEPTED, "eve", EXPLICIT, "all others are denied"),
    (EXCEPTED, None, EXPLICIT, "nobody who signed is denied"),
    (EXCEPTED, "ada", EXPLICIT, "the bucket's owner is denied"),
    ({"AWS": account("bob")}, "bob", ALLOW, "the account is left out"),
    ({"AWS": ACCOUNTS["bob"]}, "bob", ALLOW, "the account is left out by its number"),
    ({"CanonicalUser": CANONICAL["bob"]}, "bob", ALLOW, "a canonical id is left out"),
    ({"CanonicalUser": CANONICAL["bob"]}, "eve", EXPLICIT, "another is not"),
    ("*", "bob", ALLOW, "everybody is left out"),
]

CASES = [
    *(
        Case(
            f"{claim}: {element} asked by {caller}",
            PRINCIPAL if "CanonicalUser" not in str(element) else IN_S3,
            ALLOW if fits else IMPLICIT,
            caller=caller,
            bucket=document(allow(Principal=element)),
        )
        for element, caller, fits, claim in PRINCIPALS
    ),
    *(
        Case(
            f"denied, {claim}: {element} asked by {caller}",
            PRINCIPAL,
            EXPLICIT if fits else ALLOW,
            caller=caller,
            bucket=document(allow(Principal="*"), deny(Principal=element)),
        )
        for element, caller, fits, claim in PRINCIPALS
    ),
    *(
        Case(
            f"{claim}: all but {element} asked by {caller}",
            NOT_PRINCIPAL,
            expected,
            caller=caller,
            bucket=document(allow(Principal="*"), deny(NotPrincipal=element)),
        )
        for element, caller, expected, claim in EXCEPTIONS
    ),
    Case(
        "NotPrincipal with Deny lets nobody in by itself",
        NOT_PRINCIPAL,
        IMPLICIT,
        bucket=document(deny(NotPrincipal=EXCEPTED)),
    ),
    Case(
        "NotPrincipal with Allow lets in all others, be it nobody",
        NOT_PRINCIPAL,
        ALLOW,
        caller=None,
        bucket=document(allow(NotPrincipal=EXCEPTED)),
    ),
    Case(
        "a principal with a condition on his ARN",
        PRINCIPAL,
        ALLOW,
        bucket=document(
            allow(Principal="*", Condition={"ArnEquals": {"aws:PrincipalArn": user("bob")}})
        ),
    ),
    Case(
        "all but one by a condition on the ARN",
        PRINCIPAL,
        EXPLICIT,
        caller="eve",
        bucket=document(
            allow(Principal="*"),
            deny(Principal="*", Condition={"ArnNotEquals": {"aws:PrincipalArn": user("bob")}}),
        ),
    ),
    Case(
        "nobody has no ARN, so he differs from each",
        PRINCIPAL,
        EXPLICIT,
        caller=None,
        bucket=document(
            allow(Principal="*"),
            deny(Principal="*", Condition={"ArnNotEquals": {"aws:PrincipalArn": user("bob")}}),
        ),
    ),
    Case(
        "an account is delegated a listing",
        DELEGATION,
        ALLOW,
        "s3:ListBucket",
        "photos",
        bucket=document(allow(["s3:GetBucketLocation", "s3:ListBucket"], "photos", Principal={"AWS": account("bob")})),
    ),
    Case(
        "an account is delegated a listing, no objects",
        DELEGATION,
        IMPLICIT,
        bucket=document(allow(["s3:GetBucketLocation", "s3:ListBucket"], "photos", Principal={"AWS": account("bob")})),
    ),
    Case(
        "what is delegated to an account its user may be denied by his own policies",
        DELEGATION,
        EXPLICIT,
        "s3:ListBucket",
        "photos",
        identity=(document(deny("s3:List*", "photos")),),
        bucket=document(allow("s3:ListBucket", "photos", Principal={"AWS": account("bob")})),
    ),
    Case(
        "what is delegated to an account a key may lack",
        DELEGATION,
        IMPLICIT,
        "s3:ListBucket",
        "photos",
        key=document(allow("s3:GetObject", "*")),
        bucket=document(allow("s3:ListBucket", "photos", Principal={"AWS": account("bob")})),
    ),
]
