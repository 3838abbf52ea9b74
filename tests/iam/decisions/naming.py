"""What a statement is about: Action, NotAction, Resource, NotResource."""

from __future__ import annotations

from tests.iam.decisions.cases import (
    ALLOW,
    EXPLICIT,
    IAM,
    IMPLICIT,
    S3,
    Case,
    allow,
    deny,
    document,
)

ACTION = IAM + "reference_policies_elements_action.html"
NOT_ACTION = IAM + "reference_policies_elements_notaction.html"
RESOURCE = IAM + "reference_policies_elements_resource.html"
NOT_RESOURCE = IAM + "reference_policies_elements_notresource.html"
ARNS = S3 + "security_iam_service-with-iam.html#security_iam_service-with-iam-id-based-policies-resources"

# the policy's actions, the request's, does it fit
ACTIONS = [
    ("s3:GetObject", "s3:GetObject", True),
    ("s3:GetObject", "s3:GetObjectVersion", False),
    ("s3:GetObject", "s3:GetObjectAcl", False),
    ("s3:getobject", "s3:GetObject", True),
    ("S3:GETOBJECT", "s3:GetObject", True),
    ("s3:*", "s3:GetObject", True),
    ("s3:*", "s3:PutObject", True),
    ("*", "s3:GetObject", True),
    ("*", "s3:DeleteObject", True),
    ("s3:Get*", "s3:GetObject", True),
    ("s3:Get*", "s3:GetObjectTagging", True),
    ("s3:Get*", "s3:PutObject", False),
    ("s3:*Object", "s3:GetObject", True),
    ("s3:*Object", "s3:PutObject", True),
    ("s3:*Object", "s3:GetObjectAcl", False),
    ("s3:*Object*", "s3:GetObjectAcl", True),
    ("s3:?etObject", "s3:GetObject", True),
    ("s3:?utObject", "s3:PutObject", True),
    ("s3:?etObject", "s3:PutObject", False),
    ("s3:G?tObject", "s3:GetObject", True),
    ("s3:GetObjec?", "s3:GetObject", True),
    ("s3:PutObjec?", "s3:GetObject", False),
    ("s3:GetObject*", "s3:GetObject", True),
    ("s3:*Tagging", "s3:PutObjectTagging", True),
    ("s3:*Tagging", "s3:PutObject", False),
    (["s3:PutObject", "s3:GetObject"], "s3:GetObject", True),
    (["s3:PutObject", "s3:DeleteObject"], "s3:GetObject", False),
    (["s3:Put*", "s3:*Version"], "s3:GetObjectVersion", True),
    ("iam:*", "s3:GetObject", False),
    (["iam:GetUser", "s3:GetObject"], "s3:GetObject", True),
    ("s3-object-lambda:GetObject", "s3:GetObject", False),
]
# NotAction of an allow: all but these
NOT_ACTIONS = [
    ("s3:GetObject", "s3:GetObject", False),
    ("s3:GetObject", "s3:PutObject", True),
    ("s3:Delete*", "s3:DeleteObject", False),
    ("s3:Delete*", "s3:GetObject", True),
    ("iam:*", "s3:GetObject", True),
    ("s3:*", "s3:GetObject", False),
    ("*", "s3:GetObject", False),
    (["s3:Put*", "s3:Delete*"], "s3:DeleteObject", False),
    (["s3:Put*", "s3:Delete*"], "s3:GetObject", True),
    ("s3:getOBJECT", "s3:GetObject", False),
]
# the policy's resources, the request's, does it fit
RESOURCES = [
    ("*", "photos/a/b.jpg", True),
    ("photos/*", "photos/a/b.jpg", True),
    ("photos/*", "photos/a", True),
    ("photos/*", "photos/", True),
    ("photos/*", "photos-2/a", False),
    ("photos*", "photos-2/a", True),
    ("photos*", "photos/a", True),
    ("photos/a/b.jpg", "photos/a/b.jpg", True),
    ("photos/a/b.jpg", "photos/a/B.jpg", False),
    ("Photos/a/b.jpg", "photos/a/b.jpg", False),
    ("photos/a/b.jpg", "photos/a/b.jpg2", False),
    ("photos/*.jpg", "photos/a/b.jpg", True),
    ("photos/*.jpg", "photos/a/b.jpg.txt", False),
    ("photos/?/b.jpg", "photos/a/b.jpg", True),
    ("photos/?/b.jpg", "photos/aa/b.jpg", False),
    ("photos/?/b.jpg", "photos//b.jpg", False),
    ("photos/a?b.jpg", "photos/a/b.jpg", True),
    ("photos/??", "photos/ab", True),
    ("photos/??", "photos/a", False),
    ("photos/*/test/*", "photos/1/test/object.jpg", True),
    ("photos/*/test/*", "photos/1/2/test/object.jpg", True),
    ("photos/*/test/*", "photos/1/2/test/3/object.jpg", True),
    ("photos/*/test/*", "photos/1///test///object.jpg", True),
    ("photos/*/test/*", "photos/1/test/.jpg", True),
    ("photos/*/test/*", "photos//test/object.jpg", True),
    ("photos/*/test/*", "photos/1/test/", True),
    ("photos/*/test/*", "photos/1-test/object.jpg", False),
    ("photos/*/test/*", "photos/test/object.jpg", False),
    ("photos/*/test/*", "photos/1/2/test.jpg", False),
    ("*/b.jpg", "photos/b.jpg", True),
    ("*/b.jpg", "photos/a/b.jpg", True),
    ("*", "photos", True),
    ("arn:aws:s3:::*", "photos/a/b.jpg", True),
    ("arn:aws:s3:::*/*", "photos/a/b.jpg", True),
    ("arn:aws:s3:*:*:photos/*", "photos/a/b.jpg", True),
    ("arn:*:s3:::photos/*", "photos/a/b.jpg", True),
    ("arn:aws:sqs:*:*:photos", "photos/a/b.jpg", False),
    ("arn:aws:s3:::photos/a:b", "photos/a:b", True),
    ("arn:aws:s3:::photos/*:c", "photos/a:b:c", True),
    (["docs/*", "photos/*"], "photos/a/b.jpg", True),
    (["docs/*", "music/*"], "photos/a/b.jpg", False),
    ("photos/[ab]", "photos/a", False),
    ("photos/[ab]", "photos/[ab]", True),
    ("photos/a+b", "photos/aab", False),
    ("photos/.*", "photos/a", False),
    ("photos/päth/*", "photos/päth/ü", True),
    ("photos/\U0001f600?", "photos/\U0001f600\U0001f601", True),
    ("photos/*\n", "photos/a\n", True),
    ("photos/a", "photos/a\n", False),
]
# NotResource of an allow: all but these
NOT_RESOURCES = [
    ("photos/*", "photos/a/b.jpg", False),
    ("photos/*", "docs/a", True),
    ("photos/a/*", "photos/b/c", True),
    ("photos/a/*", "photos/a/c", False),
    (["photos/a/*", "photos/b/*"], "photos/b/c", False),
    (["photos/a/*", "photos/b/*"], "photos/c/d", True),
    ("*", "photos/a", False),
    ("PHOTOS/*", "photos/a", True),
]


def _outcome(*, fits: bool) -> str:
    return ALLOW if fits else IMPLICIT


BUCKET_WIDE = [
    ("a bucket's action needs the bucket", ALLOW, allow("s3:ListBucket", "photos"), "s3:ListBucket", "photos"),
    ("objects do not stand for their bucket", IMPLICIT, allow("s3:ListBucket", "photos/*"), "s3:ListBucket", "photos"),
    ("a bucket does not stand for its objects", IMPLICIT, allow("s3:GetObject", "photos"), "s3:GetObject", "photos/a"),
    ("both need both", ALLOW, allow("s3:*", ["photos", "photos/*"]), "s3:ListBucket", "photos"),
    ("both need both", ALLOW, allow("s3:*", ["photos", "photos/*"]), "s3:PutObject", "photos/a"),
    ("all buckets of a name", ALLOW, allow("s3:ListBucket", "ph*"), "s3:ListBucket", "photos"),
    ("all buckets but one", IMPLICIT, allow("s3:ListBucket", None, NotResource="photos"), "s3:ListBucket", "photos"),
    ("a listing of all buckets is about everything", ALLOW, allow("s3:ListAllMyBuckets", "*"), "s3:ListAllMyBuckets", ""),
    ("or about all of S3", ALLOW, allow("s3:ListAllMyBuckets", "arn:aws:s3:::*"), "s3:ListAllMyBuckets", ""),
    ("no bucket stands for all", IMPLICIT, allow("s3:ListAllMyBuckets", "photos"), "s3:ListAllMyBuckets", ""),
    ("a bucket that is to be made has its name", ALLOW, allow("s3:CreateBucket", "new-*"), "s3:CreateBucket", "new-one"),
    ("and no other", IMPLICIT, allow("s3:CreateBucket", "new-*"), "s3:CreateBucket", "old-one"),
]

CASES = [
    *(
        Case(
            f"{wanted} on {asked}",
            ACTION,
            _outcome(fits=fits),
            asked,
            identity=(document(allow(wanted, "*")),),
        )
        for wanted, asked, fits in ACTIONS
    ),
    *(
        Case(
            f"all but {wanted} on {asked}",
            NOT_ACTION,
            _outcome(fits=fits),
            asked,
            identity=(document(allow(None, "*", NotAction=wanted)),),
        )
        for wanted, asked, fits in NOT_ACTIONS
    ),
    *(
        Case(
            f"{wanted} on {asked}",
            RESOURCE,
            _outcome(fits=fits),
            resource=asked,
            action="s3:GetObject" if "/" in asked else "s3:ListBucket",
            identity=(document(allow("s3:*", wanted)),),
        )
        for wanted, asked, fits in RESOURCES
    ),
    *(
        Case(
            f"all but {wanted} on {asked}",
            NOT_RESOURCE,
            _outcome(fits=fits),
            resource=asked,
            identity=(document(allow("s3:*", None, NotResource=wanted)),),
        )
        for wanted, asked, fits in NOT_RESOURCES
    ),
    *(
        Case(claim, ARNS, expected, action, resource, identity=(document(made),))
        for claim, expected, made, action, resource in BUCKET_WIDE
    ),
    Case(
        "NotAction with Deny denies the rest",
        NOT_ACTION,
        EXPLICIT,
        identity=(document(allow("s3:*", "*"), deny(None, "*", NotAction="s3:PutObject")),),
    ),
    Case(
        "NotAction with Deny lets through what it names",
        NOT_ACTION,
        ALLOW,
        "s3:PutObject",
        identity=(document(allow("s3:*", "*"), deny(None, "*", NotAction="s3:PutObject")),),
    ),
    Case(
        "NotResource with Deny denies the rest",
        NOT_RESOURCE,
        EXPLICIT,
        resource="docs/a",
        identity=(document(allow("s3:*", "*"), deny("s3:*", None, NotResource="photos/*")),),
    ),
    Case(
        "NotResource with Deny lets through what it names",
        NOT_RESOURCE,
        ALLOW,
        identity=(document(allow("s3:*", "*"), deny("s3:*", None, NotResource="photos/*")),),
    ),
    Case(
        "NotResource with Deny is not an allow",
        NOT_RESOURCE,
        IMPLICIT,
        identity=(document(deny("s3:*", None, NotResource="photos/*")),),
    ),
    Case(
        "NotAction and NotResource together",
        NOT_ACTION,
        EXPLICIT,
        "s3:DeleteObject",
        "docs/a",
        identity=(
            document(
                allow("*", "*"),
                deny(None, None, NotAction=["s3:Get*", "s3:List*"], NotResource="photos/*"),
            ),
        ),
    ),
]
