"""Access control lists on the wire: what a request asks for, whether the bucket lets it, answers.

An ACL is given in one of three ways: a canned one by name, grants in headers, or a document. Codes,
texts and details of the refusals are as recorded from S3 in LocalStack's
tests/aws/services/s3/test_s3.snapshot.json (test_s3_bucket_acl_exceptions and, for objects,
test_s3_object_acl_exceptions).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from buckets.configuration import Ownership
from iam.acl import (
    ANONYMOUS_ID,
    EC2_ID,
    GROUPS,
    OBJECT_CANNED,
    OWNER_FULL,
    Grant,
    canned_grants,
    is_public,
    private_grants,
)
from s3api.decision import blocked
from s3api.errors import S3Error
from s3api.operations.access import authorise_new
from s3api.operations.policy_question import hear

if TYPE_CHECKING:
    from iam.keyring import Keyring
    from s3api.context import Call

CANNED_HEADER: Final = "x-amz-acl"
# In the order in which what they grant is answered; ceph/s3-tests reads it so.
GRANT_HEADERS: Final = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
_NAMES: Final = frozenset(name.encode() for name in (CANNED_HEADER, *GRANT_HEADERS))
GRANTEE: Final = re.compile(r"""\s*(\w+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*""", re.ASCII)
GRANTS_MAX: Final = 100  # acl-overview.html, "How ACLs are evaluated"
# Known though no user of this store has them.
FOREIGN_IDS: Final = frozenset({ANONYMOUS_ID, EC2_ID})


class AskedAcl(NamedTuple):
    """What a request wants to be granted, by name or grant by grant."""

    canned: str = ""
    grants: tuple[Grant, ...] = ()
    owner: str = ""  # whom the document calls the owner; "" when it was no document

    def spelled_out(self, owner: str, bucket_owner: str) -> tuple[Grant, ...]:
        """Say what it grants on something of `owner`."""
        if self.canned:
            return canned_grants(self.canned, owner, bucket_owner)
        return self.grants

    def grants_of(self, owner: str, bucket_owner: str) -> tuple[Grant, ...] | None:
        """Say the same as it is kept: None for what is private."""
        grants = self.spelled_out(owner, bucket_owner)
        return None if grants == private_grants(owner) else grants


def asked_by_headers(call: Call, canned: frozenset[str]) -> AskedAcl | None:
    """Read the ACL that a request's headers ask for, `canned` being the names there are."""
    if _NAMES.isdisjoint(call.request.header_map):
        return None
    name = call.request.header(CANNED_HEADER)
    lines = {header: call.request.header(header) for header in GRANT_HEADERS}
    if name is None:
        pairs = [(header, text) for header, text in lines.items() if text is not None]
        keyring = call.store.snapshots.keyring
        grants = [grant for pair in pairs for grant in header_grants(keyring, *pair)]
        return AskedAcl(grants=_checked(grants))
    if any(text is not None for text in lines.values()):
        raise S3Error(
            "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed"
        )
    if name not in canned:
        raise S3Error("InvalidArgument", "", ArgumentName=CANNED_HEADER, ArgumentValue=name)
    return AskedAcl(canned=name)


def header_grants(keyring: Keyring, header: str, text: str) -> list[Grant]:
    """Read one header of grants: `id="...", uri="...", emailAddress="..."`; S3Error."""
    grants, position = [], 0
    while True:
        match = GRANTEE.match(text, position)
        kind = match[1].lower() if match is not None else ""
        if match is None or kind not in {"id", "uri", "emailaddress"}:
            raise _unreadable(header, text)
        if text[match.end() : match.end() + 1] not in {"", ","}:
            raise _unreadable(header, text)
        value = match[2] if match[2] is not None else match[3]
        grantee = _resolve(keyring, kind, value, {"id": "id", "uri": "uri"})
        grants.append(Grant(grantee, GRANT_HEADERS[header]))
        if match.end() == len(text):
            return grants
        position = match.end() + 1


def _unreadable(header: str, text: str) -> S3Error:
    return S3Error(
        "InvalidArgument",
        "Argument format not recognized",
        ArgumentName=header,
        ArgumentValue=text,
    )


def asked_anyhow(call: Call, canned: frozenset[str]) -> AskedAcl:
    """Read the ACL that a request brings, in headers or as its document; there must be one."""
    by_headers = asked_by_headers(call, canned)
    document = call.arguments.get("AccessControlPolicy")
    if by_headers is None:
        if document is None:
            raise S3Error("MissingSecurityHeader", MissingHeaderName=CANNED_HEADER)
        return document_acl(call.store.snapshots.keyring, document)
    if document is not None:
        raise S3Error("UnexpectedContent")
    return by_headers


_DOCUMENT_NAMES: Final = {"id": "CanonicalUser/ID", "uri": "Group/URI"}


def document_acl(keyring: Keyring, document: dict[str, Any]) -> AskedAcl:
    """Read a document that grants, as it was bound; S3Error."""
    owner = document.get("Owner", {}).get("ID")
    rows = document.get("Grants")
    if not owner or rows is None:
        raise S3Error("MalformedACLError")
    _resolve(keyring, "id", owner, _DOCUMENT_NAMES)
    return AskedAcl(grants=_checked([_document_grant(keyring, row) for row in rows]), owner=owner)


_KINDS: Final = {
    "CanonicalUser": ("id", "ID"),
    "Group": ("uri", "URI"),
    "AmazonCustomerByEmail": ("emailaddress", "EmailAddress"),
}


def _document_grant(keyring: Keyring, row: dict[str, Any]) -> Grant:
    grantee, permission = row.get("Grantee"), row.get("Permission")
    if grantee is None or permission is None:
        raise S3Error("MalformedACLError")
    kind, member = _KINDS[grantee["Type"]]
    if member not in grantee:
        raise S3Error("MalformedACLError")
    return Grant(_resolve(keyring, kind, grantee[member], _DOCUMENT_NAMES), permission)


def _checked(grants: list[Grant]) -> tuple[Grant, ...]:
    if len(grants) > GRANTS_MAX:
        raise S3Error("MalformedACLError")
    return tuple(grants)


def _resolve(keyring: Keyring, kind: str, value: str, names: dict[str, str]) -> str:
    """Find whom a grant means; `names` says how a refusal calls what was given."""
    if kind == "emailaddress":
        found = keyring.principals_by_email(value)
        if len(found) > 1:
            raise S3Error("AmbiguousGrantByEmailAddress")
        if not found:
            raise S3Error("UnresolvableGrantByEmailAddress")
        return found[0].canonical_id
    if kind == "uri":
        is_known, text = value in GROUPS, "Invalid group uri"
    else:
        is_known = value in FOREIGN_IDS or keyring.principal(value) is not None
        text = "Invalid id"
    if not is_known:
        raise S3Error("InvalidArgument", text, ArgumentName=names[kind], ArgumentValue=value)
    return value


def check_grants(
    call: Call, action: str, asked: AskedAcl, grants: tuple[Grant, ...] | None
) -> None:
    """Refuse an ACL for what is there already, as asked for and as it would be kept.

    Where ACLs are disabled only full control for the bucket's owner is taken, by its own name or
    spelled out, and `private` is not: object-ownership-error-responses.html, and as S3 was seen to
    answer in github.com/hashicorp/terraform-provider-aws, issue 34079.
    """
    if not call.bucket.has_acls and (grants is not None or asked.canned not in {"", OWNER_FULL}):
        raise S3Error("AccessControlListNotSupported")
    _check_public(call, action, grants)


def _check_public(call: Call, action: str, grants: tuple[Grant, ...] | None) -> None:
    """Refuse what BlockPublicAcls blocks: access-control-block-public-access.html."""
    block = call.bucket.configuration.public_access_block
    if block is not None and block.block_public_acls and is_public(grants):
        raise blocked(hear(call, call.bucket, call.target.key), action, "ACLs", "BlockPublicAcls")


def new_owner(call: Call) -> str:
    """Say whose that is which the call puts into the bucket, unless it is given away."""
    return call.caller_id if call.bucket.has_acls else call.bucket.owner_canonical_id


def new_owner_and_grants(call: Call) -> tuple[str, tuple[Grant, ...] | None]:
    """Say whose the object is that the call writes, and what its ACL is to grant.

    about-object-ownership.html: where the bucket's owner is preferred, who writes has to give the
    object away by the canned ACL of that name.
    """
    bucket, owner = call.bucket, new_owner(call)
    asked = asked_by_headers(call, OBJECT_CANNED)
    if asked is None:
        return owner, None
    if bucket.has_acls:  # elsewhere it means nothing
        authorise_new(call, "s3:PutObjectAcl")
    if not bucket.has_acls:
        # What a writer calls private is the bucket's owner's full control when he is that: S3 was
        # seen to refuse it to others alone, github.com/rclone/rclone, issue 6413.
        spelled_out = asked.spelled_out(call.caller_id, owner)
        if asked.canned != OWNER_FULL and spelled_out != private_grants(owner):
            raise S3Error("AccessControlListNotSupported")
        return owner, None
    is_preferred = bucket.configuration.ownership is Ownership.BUCKET_OWNER_PREFERRED
    if is_preferred and asked.canned == OWNER_FULL:
        owner = bucket.owner_canonical_id
    grants = asked.grants_of(owner, bucket.owner_canonical_id)
    _check_public(call, "s3:PutObjectAcl", grants)
    return owner, grants


def acl_output(
    call: Call, owner: str, grants: tuple[tuple[str, str], ...] | None
) -> dict[str, Any]:
    """Answer an ACL; where ACLs are disabled, that the bucket's owner has full control.

    Groups come first: the order means nothing and S3 promises none, but ceph/s3-tests reads it so.
    """
    if not call.bucket.has_acls:
        owner, grants = call.bucket.owner_canonical_id, None
    rows = private_grants(owner) if grants is None else grants
    return {
        "Owner": user_row(call, owner),
        "Grants": [
            {"Grantee": _grantee_row(call, grantee), "Permission": permission}
            for grantee, permission in sorted(rows, key=lambda grant: grant[0] not in GROUPS)
        ],
    }


def _grantee_row(call: Call, grantee: str) -> dict[str, str]:
    if grantee in GROUPS:
        return {"Type": "Group", "URI": grantee}
    return {"Type": "CanonicalUser", **user_row(call, grantee)}


def user_row(call: Call, canonical_id: str) -> dict[str, str]:
    """Describe a user by canonical id; one who is gone keeps only the id."""
    principal = call.store.snapshots.keyring.principal(canonical_id)
    return {"ID": canonical_id, "DisplayName": principal.display_name if principal else ""}
