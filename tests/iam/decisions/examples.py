"""The policies that AWS's pages give as examples, in other names, and what they come to."""

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

BUCKET_EXAMPLES = S3 + "example-bucket-policies.html"
KEY_EXAMPLES = S3 + "amazon-s3-policy-keys.html"
USER_EXAMPLES = S3 + "example-policies-s3.html"
WALKTHROUGH = S3 + "walkthrough1.html"
TAGS = S3 + "tagging-and-policies.html"
HOME = IAM + "reference_policies_examples_s3_home-directory-console.html"
RW = IAM + "reference_policies_examples_s3_rw-bucket.html"
EXCEPT = IAM + "reference_policies_examples_s3_deny-except-bucket.html"
PRODUCTION = IAM + "reference_policies_examples_s3_full-access-except-production.html"
DATES = IAM + "reference_policies_examples_aws-dates.html"
DENY_IP = IAM + "reference_policies_examples_aws_deny-ip.html"
LOGIC = IAM + "reference_policies_evaluation-logic.html"
CONDITIONAL = S3 + "conditional-writes-enforce.html"

HOME_POLICY = document(
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "*"),
    allow(
        "s3:ListBucket",
        "corp",
        Condition={"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}},
    ),
    allow("s3:*", ["corp/home/${aws:username}", "corp/home/${aws:username}/*"]),
)
RW_POLICY = document(
    allow("s3:ListBucket", "corp", Sid="ListObjectsInBucket"),
    allow("s3:*Object", "corp/*", Sid="AllObjectActions"),
)
EXCEPT_POLICY = document(
    allow("s3:*", ["corp", "corp/*"]),
    deny(None, None, NotAction="s3:*", NotResource=["corp", "corp/*"]),
    deny("s3:*", None, NotResource=["corp", "corp/*"]),
)
PRODUCTION_POLICY = document(
    allow("s3:*", "*"),
    deny("s3:*", ["production", "production/*"], Condition={"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": "1800"}}),
)
FOLDERS = document(
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "arn:aws:s3:::*"),
    allow("s3:ListBucket", "companybucket", Condition={"StringEquals": {"s3:prefix": [""], "s3:delimiter": ["/"]}}),
    allow("s3:ListBucket", "companybucket", Condition={"StringLike": {"s3:prefix": ["Development/*"]}}),
    allow(["s3:PutObject", "s3:GetObject"], "companybucket/Development/*"),
)
PRIVATE = document(
    deny("s3:ListBucket", "*", Condition={"StringLike": {"s3:prefix": ["Private/*"]}}),
    deny("s3:*", "companybucket/Private/*"),
)
LISTING = {"action": "s3:ListBucket", "resource": "companybucket"}
TLS_ONLY = document(
    allow(Principal="*"),
    deny("s3:*", ["photos", "photos/*"], Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}),
)
NETWORK = document(
    allow(Principal="*"),
    deny("s3:*", ["photos", "photos/*"], Principal="*", Condition={"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
)
NETWORKS = document(
    allow(
        Principal="*",
        Condition={
            "IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8:1234:5678::/64"]},
            "NotIpAddress": {"aws:SourceIp": ["192.0.2.188/32", "2001:db8:1234:5678:abcd::/80"]},
        },
    )
)
REFERER = document(
    allow(Principal="*", Condition={"StringLike": {"aws:Referer": ["http://www.example.com/*", "http://example.com/*"]}})
)
FULL_CONTROL = document(
    allow("s3:PutObject", Principal={"AWS": user("bob")}, Condition={"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})
)
GRANTED = document(
    allow("s3:PutObject", Principal={"AWS": user("bob")}),
    deny("s3:PutObject", Principal={"AWS": user("bob")}, Condition={"StringNotEquals": {"s3:x-amz-grant-full-control": "id=AccountA-CanonicalUserID"}}),
)
COPY_FROM = document(
    allow("s3:PutObject", Principal={"AWS": user("bob")}),
    deny("s3:PutObject", Principal={"AWS": user("bob")}, Condition={"StringNotLike": {"s3:x-amz-copy-source": "photos/public/*"}}),
)
VERSION = document(
    allow(["s3:GetObjectVersion"], "photos/HappyFace.jpg", Principal={"AWS": user("bob")}),
    deny("s3:GetObjectVersion", "photos/HappyFace.jpg", Principal={"AWS": user("bob")}, Condition={"StringNotEquals": {"s3:versionid": "v-1"}}),
)
PREFIX_ONLY = document(
    allow("s3:ListBucket", "photos", Principal={"AWS": user("bob")}, Condition={"StringEquals": {"s3:prefix": "projects"}}),
    deny("s3:ListBucket", "photos", Principal={"AWS": user("bob")}, Condition={"StringNotEquals": {"s3:prefix": "projects"}}),
)
FEW_KEYS = document(
    allow("s3:ListBucket", "photos", Principal={"AWS": user("bob")}, Condition={"NumericLessThanEquals": {"s3:max-keys": "10"}}),
    deny("s3:ListBucket", "photos", Principal={"AWS": user("bob")}, Condition={"NumericGreaterThan": {"s3:max-keys": "10"}}),
)
STORAGE_CLASS = document(
    allow("s3:PutObject", Principal={"AWS": user("bob")}, Condition={"StringEquals": {"s3:x-amz-storage-class": ["STANDARD_IA"]}})
)
ENCRYPTED = document(
    allow("s3:PutObject", Principal="*"),
    deny("s3:PutObject", Principal="*", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}),
)
READ_TAGGED = document(
    allow(["s3:GetObject", "s3:GetObjectVersion"], Principal={"AWS": user("bob")}, Condition={"StringEquals": {"s3:ExistingObjectTag/environment": "production"}})
)
TAG_KEYS = document(
    allow("s3:PutObjectTagging", Principal={"AWS": user("bob")}, Condition={"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["Owner", "CreationDate"]}})
)
TAG_VALUES = document(
    allow("s3:PutObject", Principal={"AWS": user("bob")}, Condition={"StringEquals": {"s3:RequestObjectTag/Project": "X"}})
)
ONE_TAG = document(
    allow("s3:PutObjectTagging", Principal={"AWS": user("bob")}, Condition={"ForAnyValue:StringLike": {"s3:RequestObjectTagKeys": ["Owner"]}})
)
NO_OVERWRITE = document(
    allow("s3:PutObject", Principal="*"),
    deny("s3:PutObject", Principal="*", Condition={"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}),
)
DATED = document(
    allow("s3:GetObject", "*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2020-04-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2020-06-30T23:59:59Z"}})
)
FROM_OFFICE = document(
    allow("s3:*", "*"),
    deny("*", "*", Condition={"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "203.0.113.0/24"]}, "Bool": {"aws:ViaAWSService": "false"}}),
)
TWO_ACCOUNTS = document(
    allow(["s3:PutObject", "s3:PutObjectAcl"], Principal={"AWS": [account("bob"), account("eve")]}, Condition={"StringEquals": {"s3:x-amz-acl": ["public-read"]}})
)
CARLOS = document(allow(["s3:ListBucket", "s3:GetObject"], ["photos", "photos/*"]))
LOCKED = document(deny("s3:*", ["photos", "photos/*"], Principal="*", Condition={"StringNotEquals": {"aws:username": "bob"}}))

IN_CORP: dict[str, Any] = {"owner": "ada", "identity": (HOME_POLICY,)}
ROWS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("a home: the list of buckets", HOME, ALLOW, IN_CORP | {"action": "s3:ListAllMyBuckets", "resource": ""}),
    ("a home: the root is listed", HOME, ALLOW, IN_CORP | {"action": "s3:ListBucket", "resource": "corp", "context": {"s3:prefix": ""}}),
    ("a home: the homes are listed", HOME, ALLOW, IN_CORP | {"action": "s3:ListBucket", "resource": "corp", "context": {"s3:prefix": "home/"}}),
    ("a home: one's own is listed", HOME, ALLOW, IN_CORP | {"action": "s3:ListBucket", "resource": "corp", "context": {"s3:prefix": "home/bob/docs/"}}),
    ("a home: another's is not", HOME, IMPLICIT, IN_CORP | {"action": "s3:ListBucket", "resource": "corp", "context": {"s3:prefix": "home/eve/"}}),
    ("a home: nor all", HOME, IMPLICIT, IN_CORP | {"action": "s3:ListBucket", "resource": "corp"}),
    ("a home: one's own is read", HOME, ALLOW, IN_CORP | {"resource": "corp/home/bob/a"}),
    ("a home: one's own is written", HOME, ALLOW, IN_CORP | {"action": "s3:PutObject", "resource": "corp/home/bob/a"}),
    ("a home: one's own is deleted", HOME, ALLOW, IN_CORP | {"action": "s3:DeleteObject", "resource": "corp/home/bob/a"}),
    ("a home: another's is not read", HOME, IMPLICIT, IN_CORP | {"resource": "corp/home/eve/a"}),
    ("a home: a longer name is another's", HOME, IMPLICIT, IN_CORP | {"resource": "corp/home/bobby/a"}),
    ("a home: no other bucket", HOME, IMPLICIT, IN_CORP | {"resource": "docs/home/bob/a"}),
    ("a home: the bucket is not deleted", HOME, IMPLICIT, IN_CORP | {"action": "s3:DeleteBucket", "resource": "corp"}),
    ("read and write: list", RW, ALLOW, {"identity": (RW_POLICY,), "action": "s3:ListBucket", "resource": "corp"}),
    ("read and write: get", RW, ALLOW, {"identity": (RW_POLICY,), "resource": "corp/a"}),
    ("read and write: put", RW, ALLOW, {"identity": (RW_POLICY,), "action": "s3:PutObject", "resource": "corp/a"}),
    ("read and write: delete", RW, ALLOW, {"identity": (RW_POLICY,), "action": "s3:DeleteObject", "resource": "corp/a"}),
    ("read and write: no versions", RW, IMPLICIT, {"identity": (RW_POLICY,), "action": "s3:GetObjectVersion", "resource": "corp/a"}),
    ("read and write: no tags", RW, IMPLICIT, {"identity": (RW_POLICY,), "action": "s3:PutObjectTagging", "resource": "corp/a"}),
    ("read and write: no policy", RW, IMPLICIT, {"identity": (RW_POLICY,), "action": "s3:PutBucketPolicy", "resource": "corp"}),
    ("one bucket alone: inside", EXCEPT, ALLOW, {"identity": (EXCEPT_POLICY,), "resource": "corp/a"}),
    ("one bucket alone: outside", EXCEPT, EXPLICIT, {"identity": (EXCEPT_POLICY,), "resource": "docs/a"}),
    ("one bucket alone: outside, though another policy allows", EXCEPT, EXPLICIT, {"identity": (EXCEPT_POLICY, document(allow("s3:*", "*"))), "resource": "docs/a"}),
    ("one bucket alone: outside, though the bucket allows", EXCEPT, EXPLICIT, {"identity": (EXCEPT_POLICY,), "resource": "docs/a", "bucket": document(allow("s3:GetObject", "docs/*", Principal="*"))}),
    ("all but production: elsewhere", PRODUCTION, ALLOW, {"identity": (PRODUCTION_POLICY,), "resource": "docs/a"}),
    ("all but production: without a second factor", PRODUCTION, EXPLICIT, {"identity": (PRODUCTION_POLICY,), "resource": "production/a"}),
    ("all but production: with a fresh one", PRODUCTION, ALLOW, {"identity": (PRODUCTION_POLICY,), "resource": "production/a", "context": {"aws:MultiFactorAuthAge": "60"}}),
    ("all but production: with an old one", PRODUCTION, EXPLICIT, {"identity": (PRODUCTION_POLICY,), "resource": "production/a", "context": {"aws:MultiFactorAuthAge": "3600"}}),
    ("between two dates: in time", DATES, ALLOW, {"identity": (DATED,), "context": {"aws:CurrentTime": "2020-05-01T00:00:00Z"}}),
    ("between two dates: too early", DATES, IMPLICIT, {"identity": (DATED,), "context": {"aws:CurrentTime": "2020-03-31T00:00:00Z"}}),
    ("between two dates: too late", DATES, IMPLICIT, {"identity": (DATED,), "context": {"aws:CurrentTime": "2020-07-01T00:00:00Z"}}),
    ("from the office: inside", DENY_IP, ALLOW, {"identity": (FROM_OFFICE,), "context": {"aws:SourceIp": "203.0.113.5", "aws:ViaAWSService": "false"}}),
    ("from the office: outside", DENY_IP, EXPLICIT, {"identity": (FROM_OFFICE,), "context": {"aws:SourceIp": "198.51.100.5", "aws:ViaAWSService": "false"}}),
    ("from the office: outside, by a service", DENY_IP, ALLOW, {"identity": (FROM_OFFICE,), "context": {"aws:SourceIp": "198.51.100.5", "aws:ViaAWSService": "true"}}),
    ("folders: the root with its delimiter", WALKTHROUGH, ALLOW, LISTING | {"groups": (FOLDERS,), "context": {"s3:prefix": "", "s3:delimiter": "/"}}),
    ("folders: the root without", WALKTHROUGH, IMPLICIT, LISTING | {"groups": (FOLDERS,), "context": {"s3:prefix": ""}}),
    ("folders: the root with another", WALKTHROUGH, IMPLICIT, LISTING | {"groups": (FOLDERS,), "context": {"s3:prefix": "", "s3:delimiter": "-"}}),
    ("folders: one's folder", WALKTHROUGH, ALLOW, LISTING | {"groups": (FOLDERS,), "context": {"s3:prefix": "Development/x"}}),
    ("folders: another folder", WALKTHROUGH, IMPLICIT, LISTING | {"groups": (FOLDERS,), "context": {"s3:prefix": "Finance/", "s3:delimiter": "/"}}),
    ("folders: the list of buckets", WALKTHROUGH, ALLOW, {"groups": (FOLDERS,), "action": "s3:ListAllMyBuckets", "resource": ""}),
    ("folders: an object of one's folder", WALKTHROUGH, ALLOW, {"groups": (FOLDERS,), "action": "s3:PutObject", "resource": "companybucket/Development/a"}),
    ("folders: an object beside it", WALKTHROUGH, IMPLICIT, {"groups": (FOLDERS,), "resource": "companybucket/Finance/a"}),
    ("private: denied to the whole group", WALKTHROUGH, EXPLICIT, {"groups": (PRIVATE,), "identity": (document(allow("s3:*", "*")),), "resource": "companybucket/Private/a"}),
    ("private: its listing too", WALKTHROUGH, EXPLICIT, LISTING | {"groups": (PRIVATE,), "identity": (document(allow("s3:*", "*")),), "context": {"s3:prefix": "Private/x"}}),
    ("private: the rest is not", WALKTHROUGH, ALLOW, {"groups": (PRIVATE,), "identity": (document(allow("s3:*", "*")),), "resource": "companybucket/Public/a"}),
    ("TLS only: with", BUCKET_EXAMPLES, ALLOW, {"caller": None, "bucket": TLS_ONLY, "context": {"aws:SecureTransport": "true"}}),
    ("TLS only: without", BUCKET_EXAMPLES, EXPLICIT, {"caller": None, "bucket": TLS_ONLY, "context": {"aws:SecureTransport": "false"}}),
    ("TLS only: without, for the owner", BUCKET_EXAMPLES, EXPLICIT, {"caller": "ada", "bucket": TLS_ONLY, "identity": (document(allow("*", "*")),), "context": {"aws:SecureTransport": "false"}}),
    ("a network: inside", BUCKET_EXAMPLES, ALLOW, {"caller": None, "bucket": NETWORK, "context": {"aws:SourceIp": "192.0.2.5"}}),
    ("a network: outside", BUCKET_EXAMPLES, EXPLICIT, {"caller": None, "bucket": NETWORK, "context": {"aws:SourceIp": "192.0.3.5"}}),
    ("networks: IPv4", BUCKET_EXAMPLES, ALLOW, {"caller": None, "bucket": NETWORKS, "context": {"aws:SourceIp": "192.0.2.1"}}),
    ("networks: IPv6", BUCKET_EXAMPLES, ALLOW, {"caller": None, "bucket": NETWORKS, "context": {"aws:SourceIp": "2001:db8:1234:5678::1"}}),
    ("networks: an address taken out", BUCKET_EXAMPLES, IMPLICIT, {"caller": None, "bucket": NETWORKS, "context": {"aws:SourceIp": "192.0.2.188"}}),
    ("networks: a range taken out", BUCKET_EXAMPLES, IMPLICIT, {"caller": None, "bucket": NETWORKS, "context": {"aws:SourceIp": "2001:db8:1234:5678:abcd::1"}}),
    ("networks: elsewhere", BUCKET_EXAMPLES, IMPLICIT, {"caller": None, "bucket": NETWORKS, "context": {"aws:SourceIp": "198.51.100.1"}}),
    ("a site: its pages", BUCKET_EXAMPLES, ALLOW, {"caller": None, "bucket": REFERER, "context": {"aws:Referer": "http://www.example.com/page"}}),
    ("a site: others'", BUCKET_EXAMPLES, IMPLICIT, {"caller": None, "bucket": REFERER, "context": {"aws:Referer": "http://other.example/"}}),
    ("a site: none", BUCKET_EXAMPLES, IMPLICIT, {"caller": None, "bucket": REFERER}),
    ("two accounts: with the ACL", BUCKET_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": TWO_ACCOUNTS, "context": {"s3:x-amz-acl": "public-read"}}),
    ("two accounts: the other", BUCKET_EXAMPLES, ALLOW, {"action": "s3:PutObject", "caller": "eve", "bucket": TWO_ACCOUNTS, "context": {"s3:x-amz-acl": "public-read"}}),
    ("two accounts: without the ACL", BUCKET_EXAMPLES, IMPLICIT, {"action": "s3:PutObject", "bucket": TWO_ACCOUNTS}),
    ("full control: given", BUCKET_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": FULL_CONTROL, "context": {"s3:x-amz-acl": "bucket-owner-full-control"}}),
    ("full control: not given", BUCKET_EXAMPLES, IMPLICIT, {"action": "s3:PutObject", "bucket": FULL_CONTROL}),
    ("full control: another ACL", BUCKET_EXAMPLES, IMPLICIT, {"action": "s3:PutObject", "bucket": FULL_CONTROL, "context": {"s3:x-amz-acl": "public-read"}}),
    ("a grant: given", KEY_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": GRANTED, "context": {"s3:x-amz-grant-full-control": "id=AccountA-CanonicalUserID"}}),
    ("a grant: not given", KEY_EXAMPLES, EXPLICIT, {"action": "s3:PutObject", "bucket": GRANTED}),
    ("a copy: from the folder", KEY_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": COPY_FROM, "context": {"s3:x-amz-copy-source": "photos/public/a"}}),
    ("a copy: from elsewhere", KEY_EXAMPLES, EXPLICIT, {"action": "s3:PutObject", "bucket": COPY_FROM, "context": {"s3:x-amz-copy-source": "photos/secret/a"}}),
    ("a copy: none", KEY_EXAMPLES, EXPLICIT, {"action": "s3:PutObject", "bucket": COPY_FROM}),
    ("a version: that one", KEY_EXAMPLES, ALLOW, {"action": "s3:GetObjectVersion", "resource": "photos/HappyFace.jpg", "bucket": VERSION, "context": {"s3:VersionId": "v-1"}}),
    ("a version: another", KEY_EXAMPLES, EXPLICIT, {"action": "s3:GetObjectVersion", "resource": "photos/HappyFace.jpg", "bucket": VERSION, "context": {"s3:VersionId": "v-2"}}),
    ("a prefix: that one", KEY_EXAMPLES, ALLOW, {"action": "s3:ListBucket", "resource": "photos", "bucket": PREFIX_ONLY, "context": {"s3:prefix": "projects"}}),
    ("a prefix: another", KEY_EXAMPLES, EXPLICIT, {"action": "s3:ListBucket", "resource": "photos", "bucket": PREFIX_ONLY, "context": {"s3:prefix": "hr"}}),
    ("a prefix: none", KEY_EXAMPLES, EXPLICIT, {"action": "s3:ListBucket", "resource": "photos", "bucket": PREFIX_ONLY}),
    ("a prefix: none, though his own policy allows", KEY_EXAMPLES, EXPLICIT, {"action": "s3:ListBucket", "resource": "photos", "bucket": PREFIX_ONLY, "identity": (document(allow("s3:*", "*")),)}),
    ("few keys: ten", KEY_EXAMPLES, ALLOW, {"action": "s3:ListBucket", "resource": "photos", "bucket": FEW_KEYS, "context": {"s3:max-keys": "10"}}),
    ("few keys: eleven", KEY_EXAMPLES, EXPLICIT, {"action": "s3:ListBucket", "resource": "photos", "bucket": FEW_KEYS, "context": {"s3:max-keys": "11"}}),
    ("few keys: as many as there are", KEY_EXAMPLES, IMPLICIT, {"action": "s3:ListBucket", "resource": "photos", "bucket": FEW_KEYS}),
    ("a storage class: that one", KEY_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": STORAGE_CLASS, "context": {"s3:x-amz-storage-class": "STANDARD_IA"}}),
    ("a storage class: another", KEY_EXAMPLES, IMPLICIT, {"action": "s3:PutObject", "bucket": STORAGE_CLASS, "context": {"s3:x-amz-storage-class": "STANDARD"}}),
    ("encryption: asked for", BUCKET_EXAMPLES, ALLOW, {"action": "s3:PutObject", "bucket": ENCRYPTED, "context": {"s3:x-amz-server-side-encryption": "AES256"}}),
    ("encryption: not asked for", BUCKET_EXAMPLES, EXPLICIT, {"action": "s3:PutObject", "bucket": ENCRYPTED}),
    ("a tag: there", TAGS, ALLOW, {"bucket": READ_TAGGED, "context": {"s3:ExistingObjectTag/environment": "production"}}),
    ("a tag: another value", TAGS, IMPLICIT, {"bucket": READ_TAGGED, "context": {"s3:ExistingObjectTag/environment": "test"}}),
    ("a tag: not there", TAGS, IMPLICIT, {"bucket": READ_TAGGED}),
    ("tag keys: those", TAGS, ALLOW, {"action": "s3:PutObjectTagging", "bucket": TAG_KEYS, "context": {"s3:RequestObjectTagKeys": ["Owner", "CreationDate"]}}),
    ("tag keys: others", TAGS, IMPLICIT, {"action": "s3:PutObjectTagging", "bucket": TAG_KEYS, "context": {"s3:RequestObjectTagKeys": ["Owner", "Salary"]}}),
    ("tag keys: none at all", TAGS, ALLOW, {"action": "s3:PutObjectTagging", "bucket": TAG_KEYS}),
    ("tag values: that one", TAGS, ALLOW, {"action": "s3:PutObject", "bucket": TAG_VALUES, "context": {"s3:RequestObjectTag/Project": "X"}}),
    ("tag values: another", TAGS, IMPLICIT, {"action": "s3:PutObject", "bucket": TAG_VALUES, "context": {"s3:RequestObjectTag/Project": "Y"}}),
    ("tag values: none", TAGS, IMPLICIT, {"action": "s3:PutObject", "bucket": TAG_VALUES}),
    ("one tag at least: there", TAGS, ALLOW, {"action": "s3:PutObjectTagging", "bucket": ONE_TAG, "context": {"s3:RequestObjectTagKeys": ["Owner", "x"]}}),
    ("one tag at least: missing", TAGS, IMPLICIT, {"action": "s3:PutObjectTagging", "bucket": ONE_TAG, "context": {"s3:RequestObjectTagKeys": ["x"]}}),
    ("no overwriting: with the condition", CONDITIONAL, ALLOW, {"action": "s3:PutObject", "bucket": NO_OVERWRITE, "context": {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}}),
    ("no overwriting: without", CONDITIONAL, EXPLICIT, {"action": "s3:PutObject", "bucket": NO_OVERWRITE, "context": {"s3:ObjectCreationOperation": "true"}}),
    ("no overwriting: a part", CONDITIONAL, ALLOW, {"action": "s3:PutObject", "bucket": NO_OVERWRITE, "context": {"s3:ObjectCreationOperation": "false"}}),
    ("one user alone: he", LOGIC, ALLOW, {"bucket": LOCKED, "identity": (CARLOS,)}),
    ("one user alone: another", LOGIC, EXPLICIT, {"caller": "eve", "bucket": LOCKED, "identity": (CARLOS,)}),
    ("one user alone: nobody who signed", LOGIC, EXPLICIT, {"caller": None, "bucket": LOCKED}),
    ("one user alone: the owner still reads the policy", S3 + "bucket-policies.html", ALLOW, {"caller": "ada", "action": "s3:GetBucketPolicy", "resource": "photos", "bucket": LOCKED, "identity": (document(allow("s3:*", "*")),)}),
    ("one user alone: the owner still takes it away", S3 + "bucket-policies.html", ALLOW, {"caller": "ada", "action": "s3:DeleteBucketPolicy", "resource": "photos", "bucket": LOCKED, "identity": (document(allow("s3:*", "*")),)}),
    ("one user alone: no other reads the policy", S3 + "bucket-policies.html", EXPLICIT, {"caller": "eve", "action": "s3:GetBucketPolicy", "resource": "photos", "bucket": LOCKED, "identity": (document(allow("s3:*", "*")),)}),
    ("a whole account by its number", USER_EXAMPLES, ALLOW, {"bucket": document(allow(Principal="*", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNTS["bob"]}}))}),
    ("resources of one account alone", IAM + "reference_policies_condition-keys.html", ALLOW, {"identity": (document(allow("s3:*", "*", Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNTS["ada"]}})),)}),
    ("resources of another account", IAM + "reference_policies_condition-keys.html", IMPLICIT, {"owner": "eve", "identity": (document(allow("s3:*", "*", Condition={"StringEquals": {"aws:ResourceAccount": ACCOUNTS["ada"]}})),)}),
]

CASES = [Case(claim, page, expected, **more) for claim, page, expected, more in ROWS]
