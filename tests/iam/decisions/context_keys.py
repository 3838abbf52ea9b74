"""The keys that S4 gives a value: each in an allow that holds and one that does not."""

from __future__ import annotations

from typing import Any

from tests.iam.decisions.cases import ACCOUNTS, ALLOW, IAM, IMPLICIT, Case, allow, document, user

GLOBAL = IAM + "reference_policies_condition-keys.html"
OF_S3 = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"

# operator, key, a value that fits, one that does not, the request's
ROWS: list[tuple[str, str, Any, Any, Any]] = [
    ("DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-11-25T12:00:00+00:00"),
    ("NumericLessThan", "aws:EpochTime", "1800000000", "1700000000", "1795608000"),
    ("Bool", "aws:SecureTransport", "true", "false", "true"),
    ("IpAddress", "aws:SourceIp", "192.0.2.0/24", "198.51.100.0/24", "192.0.2.9"),
    ("StringLike", "aws:UserAgent", "Boto3/*", "aws-cli/*", "Boto3/1.44"),
    ("StringLike", "aws:Referer", "https://www.example.com/*", "https://evil.example/*", "https://www.example.com/a"),
    ("StringEquals", "aws:username", "bob", "ada", None),
    ("StringEquals", "aws:userid", "b" * 64, "a" * 64, None),
    ("ArnEquals", "aws:PrincipalArn", user("bob"), user("ada"), None),
    ("StringEquals", "aws:PrincipalAccount", ACCOUNTS["bob"], ACCOUNTS["ada"], None),
    ("StringEquals", "aws:PrincipalType", "User", "Anonymous", None),
    ("StringEquals", "aws:ResourceAccount", ACCOUNTS["ada"], ACCOUNTS["bob"], None),
    ("StringEquals", "s3:ResourceAccount", ACCOUNTS["ada"], ACCOUNTS["bob"], None),
    ("StringEquals", "s3:authType", "REST-HEADER", "REST-QUERY-STRING", "REST-HEADER"),
    ("StringEquals", "s3:signatureversion", "AWS4-HMAC-SHA256", "AWS", "AWS4-HMAC-SHA256"),
    ("NumericLessThan", "s3:signatureAge", "600000", "1000", "60000"),
    ("StringEquals", "s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD", "x", "UNSIGNED-PAYLOAD"),
    ("StringEquals", "s3:prefix", "home/", "etc/", "home/"),
    ("StringEquals", "s3:delimiter", "/", "-", "/"),
    ("NumericLessThanEquals", "s3:max-keys", "10", "5", "10"),
    ("StringEquals", "s3:VersionId", "v1", "v2", "v1"),
    ("StringEquals", "s3:ExistingObjectTag/class", "open", "shut", "open"),
    ("StringEquals", "s3:RequestObjectTag/class", "open", "shut", "open"),
    ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", ["class", "team"], ["team"], ["class"]),
    ("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control", "private", "bucket-owner-full-control"),
    ("StringLike", "s3:x-amz-grant-full-control", "id=*", "uri=*", "id=" + "a" * 64),
    ("StringLike", "s3:x-amz-copy-source", "photos/*", "docs/*", "photos/a"),
    ("StringEquals", "s3:x-amz-metadata-directive", "COPY", "REPLACE", "COPY"),
    ("StringEquals", "s3:x-amz-storage-class", "STANDARD", "GLACIER", "STANDARD"),
    ("StringEquals", "s3:x-amz-server-side-encryption", "AES256", "aws:kms", "AES256"),
    ("StringEquals", "s3:x-amz-object-ownership", "BucketOwnerEnforced", "ObjectWriter", "BucketOwnerEnforced"),
    ("StringEquals", "s3:if-none-match", "*", "etag", "*"),
    ("Bool", "s3:ObjectCreationOperation", "true", "false", "true"),
]

CASES = [
    Case(
        f"{key} is {wanted!r}",
        OF_S3 if key.startswith("s3:") else GLOBAL,
        expected,
        "s3:PutObject",
        identity=(document(allow("s3:PutObject", Condition={operator: {key: wanted}})),),
        context={} if actual is None else {key: actual},
    )
    for operator, key, fits, fails, actual in ROWS
    for wanted, expected in ((fits, ALLOW), (fails, IMPLICIT))
]
