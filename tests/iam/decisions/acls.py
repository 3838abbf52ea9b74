"""ACLs, whose objects are whose, and what the public access block leaves of what is public."""

from __future__ import annotations

from typing import Any

from tests.iam.decisions.cases import (
    ALLOW,
    EXPLICIT,
    IMPLICIT,
    S3,
    Case,
    allow,
    deny,
    document,
    user,
)

ACL = S3 + "acl-overview.html"
OWNERSHIP = S3 + "about-object-ownership.html"
BLOCK = S3 + "access-control-block-public-access.html"
ORDER = S3 + "access-control-auth-workflow-object-operation.html"
UPLOADS = S3 + "mpuoverview.html"

BUCKET_ACTIONS = [
    *("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:PutObject"),
    *("s3:GetBucketAcl", "s3:PutBucketAcl", "s3:GetBucketPolicy", "s3:DeleteBucket"),
]
OBJECT_ACTIONS = [
    *("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    *("s3:PutObjectAcl", "s3:PutObjectVersionAcl", "s3:GetObjectAttributes", "s3:DeleteObject"),
]
# "Mapping of ACL permissions and access policy permissions": y what a permission allows
BUCKET_GRANTS = {
    "READ": "yyy-----",
    "WRITE": "---y----",
    "READ_ACP": "----y---",
    "WRITE_ACP": "-----y--",
    "FULL_CONTROL": "yyyyyy--",
}
OBJECT_GRANTS = {
    "READ": "yy------",
    "WRITE": "--------",
    "READ_ACP": "--yy----",
    "WRITE_ACP": "----yy--",
    "FULL_CONTROL": "yyyyyy--",
}
OWN = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
WRITER = document(allow("s3:*", "*", Condition=OWN))
READER = document(allow(["s3:Get*", "s3:List*"], "*", Condition=OWN))
TO_BOB, TO_ALL, TO_SIGNED = (("bob", "READ"),), (("everybody", "READ"),), (("signed", "READ"),)
PUBLIC = document(allow(Principal="*"))
NAMED = document(allow(Principal={"AWS": user("bob")}))
BOTH = document(allow(Principal="*"), allow("s3:PutObject", Principal={"AWS": user("bob")}))
NEAR = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
HERE = {"aws:SourceIp": "192.0.2.7"}

LIST = {"action": "s3:ListBucket", "resource": "photos"}
ROWS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("a grant to everybody is for nobody too", ACL, ALLOW, LIST | {"caller": None, "acl": TO_ALL}),
    ("a grant to everybody is for those who sign", ACL, ALLOW, LIST | {"acl": TO_ALL}),
    ("a grant to those who sign", ACL, ALLOW, LIST | {"acl": TO_SIGNED}),
    ("a grant to those who sign is not for nobody", ACL, IMPLICIT, LIST | {"caller": None, "acl": TO_SIGNED}),
    ("a grant to another", ACL, IMPLICIT, LIST | {"caller": "eve", "acl": TO_BOB}),
    ("a bucket's grant gives no object", ACL, IMPLICIT, {"acl": TO_BOB}),
    ("an object's grant to everybody", ACL, ALLOW, {"caller": None, "object_acl": TO_ALL}),
    ("an object's grant to those who sign", ACL, ALLOW, {"object_acl": TO_SIGNED}),
    ("an object's grant to those who sign is not for nobody", ACL, IMPLICIT, {"caller": None, "object_acl": TO_SIGNED}),
    ("an object's grant to another", ACL, IMPLICIT, {"caller": "eve", "object_acl": TO_BOB}),
    ("where ACLs are off no grant counts", OWNERSHIP, IMPLICIT, LIST | {"acl": TO_BOB, "has_acls": False}),
    ("where ACLs are off no object's grant counts", OWNERSHIP, IMPLICIT, {"object_acl": TO_BOB, "has_acls": False}),
    ("where ACLs are off the bucket's policy counts for all objects", OWNERSHIP, ALLOW, {"bucket": NAMED, "object_owner": "eve", "has_acls": False}),
    ("where ACLs are off the owner has all objects", OWNERSHIP, ALLOW, {"caller": "ada", "role": (WRITER,), "object_owner": "eve", "has_acls": False}),
    ("where ACLs are on objects are their writers'", OWNERSHIP, ALLOW, {"role": (WRITER,), "object_owner": "bob"}),
    ("a Reader reads what is his in another's bucket", OWNERSHIP, ALLOW, {"role": (READER,), "object_owner": "bob"}),
    ("the bucket's owner has no other's objects", OWNERSHIP, IMPLICIT, {"caller": "ada", "role": (WRITER,), "object_owner": "bob"}),
    ("the bucket's owner reads what is granted to her", OWNERSHIP, ALLOW, {"caller": "ada", "role": (WRITER,), "object_owner": "bob", "object_acl": (("ada", "READ"),)}),
    ("the bucket's owner deletes whatever is in it", ORDER, ALLOW, {"action": "s3:DeleteObject", "caller": "ada", "role": (WRITER,), "object_owner": "bob"}),
    ("the bucket's policy gives away no other's objects", ORDER, IMPLICIT, {"bucket": NAMED, "object_owner": "eve"}),
    ("the bucket's policy gives away its owner's objects", ORDER, ALLOW, {"bucket": NAMED}),
    ("the bucket's policy denies other's objects too", ORDER, EXPLICIT, {"bucket": document(deny(Principal="*")), "role": (WRITER,), "object_owner": "bob"}),
    ("a policy denies what an object's ACL grants", ORDER, EXPLICIT, {"bucket": document(deny(Principal="*")), "object_acl": TO_BOB}),
    ("a policy denies what a bucket's ACL grants", ORDER, EXPLICIT, LIST | {"bucket": document(deny("s3:ListBucket", "photos", Principal="*")), "acl": TO_BOB}),
    ("one's own policy denies what an ACL grants", ORDER, EXPLICIT, {"identity": (document(deny()),), "object_acl": TO_BOB}),
    ("a key does not have what an ACL grants its user", ORDER, IMPLICIT, {"key": document(allow("s3:PutObject")), "object_acl": TO_BOB}),
    ("unless it says so", ORDER, ALLOW, {"key": document(allow()), "object_acl": TO_BOB}),
    ("WRITE deletes what is one's own", ACL, ALLOW, {"action": "s3:DeleteObject", "acl": (("bob", "WRITE"),), "role": (WRITER,), "object_owner": "bob"}),
    ("WRITE deletes no other's", ACL, IMPLICIT, {"action": "s3:DeleteObject", "acl": (("bob", "WRITE"),), "role": (WRITER,), "object_owner": "eve"}),
    ("WRITE removes no version", ACL, IMPLICIT, {"action": "s3:DeleteObjectVersion", "acl": (("bob", "WRITE"),)}),
    ("who began an upload gives it up", UPLOADS, ALLOW, {"action": "s3:AbortMultipartUpload", "role": (WRITER,), "object_owner": "bob"}),
    ("who began an upload lists it", UPLOADS, ALLOW, {"action": "s3:ListMultipartUploadParts", "role": (WRITER,), "object_owner": "bob"}),
    ("nobody else gives it up", UPLOADS, IMPLICIT, {"action": "s3:AbortMultipartUpload", "role": (WRITER,), "object_owner": "eve"}),
    ("the bucket's owner gives up any", UPLOADS, ALLOW, {"action": "s3:AbortMultipartUpload", "caller": "ada", "role": (WRITER,), "object_owner": "bob"}),
    ("public grants are ignored", BLOCK, IMPLICIT, LIST | {"acl": TO_ALL, "ignores_public_acls": True}),
    ("so are those to all who sign", BLOCK, IMPLICIT, LIST | {"acl": TO_SIGNED, "ignores_public_acls": True}),
    ("for nobody, too", BLOCK, IMPLICIT, LIST | {"caller": None, "acl": TO_ALL, "ignores_public_acls": True}),
    ("grants to one are not", BLOCK, ALLOW, LIST | {"acl": TO_BOB, "ignores_public_acls": True}),
    ("an object's public grants are ignored", BLOCK, IMPLICIT, {"object_acl": TO_ALL, "ignores_public_acls": True}),
    ("an object's grants to one are not", BLOCK, ALLOW, {"object_acl": TO_BOB, "ignores_public_acls": True}),
    ("ignoring public ACLs touches no policy", BLOCK, ALLOW, {"bucket": PUBLIC, "ignores_public_acls": True}),
    ("a public policy is for the owner alone", BLOCK, IMPLICIT, {"bucket": PUBLIC, "restricts_public_policy": True}),
    ("and not for nobody", BLOCK, IMPLICIT, {"caller": None, "bucket": PUBLIC, "restricts_public_policy": True}),
    ("the owner has it", BLOCK, ALLOW, {"caller": "ada", "bucket": PUBLIC, "restricts_public_policy": True}),
    ("what else allows still does", BLOCK, ALLOW, {"bucket": PUBLIC, "role": (document(allow()),), "restricts_public_policy": True}),
    ("a policy for one is not public", BLOCK, ALLOW, {"bucket": NAMED, "restricts_public_policy": True}),
    ("what a public policy says for one falls with it", BLOCK, IMPLICIT, {"action": "s3:PutObject", "bucket": BOTH, "restricts_public_policy": True}),
    ("a policy for one network is not public", BLOCK, ALLOW, {"caller": None, "bucket": document(allow(Principal="*", Condition=NEAR)), "context": HERE, "restricts_public_policy": True}),
    ("a policy that denies everybody is not public", BLOCK, EXPLICIT, {"bucket": document(deny(Principal="*")), "restricts_public_policy": True}),
    ("a public policy's denials stay", BLOCK, EXPLICIT, {"bucket": document(allow(Principal="*"), deny("s3:GetObject", "photos/a/*", Principal="*")), "caller": "ada", "restricts_public_policy": True}),
    ("restricting policies touches no ACL", BLOCK, ALLOW, {"object_acl": TO_ALL, "restricts_public_policy": True}),
]

CASES = [
    *(
        Case(
            f"{permission} on a bucket, {action}",
            ACL,
            ALLOW if mark == "y" else IMPLICIT,
            action,
            "photos/new" if action == "s3:PutObject" else "photos",
            acl=(("bob", permission),),
            has_acls=True,
        )
        for permission, marks in BUCKET_GRANTS.items()
        for action, mark in zip(BUCKET_ACTIONS, marks, strict=True)
    ),
    *(
        Case(
            f"{permission} on an object, {action}",
            ACL,
            ALLOW if mark == "y" else IMPLICIT,
            action,
            object_acl=(("bob", permission),),
            has_acls=True,
        )
        for permission, marks in OBJECT_GRANTS.items()
        for action, mark in zip(OBJECT_ACTIONS, marks, strict=True)
    ),
    *(
        Case(claim, page, expected, **({"has_acls": True} | more))
        for claim, page, expected, more in ROWS
    ),
]
