"""Access control lists as requests give them: in headers and documents, right and wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.acl import (
    ALL_USERS,
    ANONYMOUS_ID,
    AUTHENTICATED_USERS,
    GROUPS,
    LOG_DELIVERY,
    OBJECT_CANNED,
    Grant,
    Permission,
    canned_grants,
    is_public,
)
from iam.keyring import Keyring, Principal, RoleName
from s3api.errors import S3Error
from s3api.http.query import NO_QUERY
from s3api.operations.grants import GRANT_HEADERS, AskedAcl, document_acl, header_grants
from s3api.protocol import OPERATIONS
from tests.s3api.refusals import code_of, refusal_of

ADA, BOB, TWIN = "a" * 64, "b" * 64, "c" * 64
READ = "x-amz-grant-read"


def _principal(number: int, canonical_id: str, email: str) -> Principal:
    return Principal(number, "user", canonical_id, "User", email, RoleName.WRITER, is_root=False)


KEYRING = Keyring(
    [],
    [
        _principal(1, ADA, "Ada@example.org"),
        _principal(2, BOB, "both@example.org"),
        _principal(3, TWIN, "both@example.org"),
    ],
)


@pytest.mark.parametrize(
    ("text", "grantees"),
    [
        (f'id="{ADA}"', [ADA]),
        (f"id={ADA}", [ADA]),
        (f'  id = "{ADA}" ,\tid={BOB} ', [ADA, BOB]),
        (f'uri="{ALL_USERS}",uri={LOG_DELIVERY}', [ALL_USERS, LOG_DELIVERY]),
        ('emailAddress="ada@EXAMPLE.org"', [ADA]),
        (f'id="{ANONYMOUS_ID}"', [ANONYMOUS_ID]),
    ],
)
def test_headers_name_grantees(text: str, grantees: list[str]) -> None:
    """Grantees stand in a list, quoted or not, each by id, group or e-mail address."""
    assert header_grants(KEYRING, READ, text) == [Grant(grantee, "READ") for grantee in grantees]


@pytest.mark.parametrize(
    ("text", "code", "message", "detail"),
    [
        *(
            (text, "InvalidArgument", "Argument format not recognized", (READ, text))
            for text in ('fakekey="1234"', "", "id", f'id="{ADA}', f'id="{ADA}",', f"id={ADA} x")
        ),
        ('id="wrong-id"', "InvalidArgument", "Invalid id", ("id", "wrong-id")),
        ("id=", "InvalidArgument", "Invalid id", ("id", "")),
        (f"id={'d' * 64}", "InvalidArgument", "Invalid id", ("id", "d" * 64)),
        ('uri="http://x"', "InvalidArgument", "Invalid group uri", ("uri", "http://x")),
        ('emailAddress="no@where"', "UnresolvableGrantByEmailAddress", None, None),
        ('emailAddress="both@example.org"', "AmbiguousGrantByEmailAddress", None, None),
    ],
)
def test_a_wrong_header_is_refused(
    text: str, code: str, message: str | None, detail: tuple[str, str] | None
) -> None:
    """What names nobody, or more than one, is refused in S3's words."""
    with pytest.raises(S3Error) as caught:
        header_grants(KEYRING, READ, text)
    assert caught.value.code == code
    if message is not None:
        assert caught.value.message == message
    if detail is not None:
        named = (caught.value.detail["ArgumentName"], caught.value.detail["ArgumentValue"])
        assert named == detail


@given(st.text(alphabet="idur=\",' \tax0", max_size=30) | st.text(max_size=30))
def test_any_header_is_read_or_refused(text: str) -> None:
    """Whatever stands in a header of grants, it names known grantees or is refused."""
    code = code_of(header_grants, KEYRING, READ, text)
    assert code in {None, "InvalidArgument", "UnresolvableGrantByEmailAddress"}
    if code is None:
        grants = header_grants(KEYRING, READ, text)
        assert {grant.grantee for grant in grants} <= {ADA, BOB, TWIN, ANONYMOUS_ID, *GROUPS}


XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _grant(kind: str, inner: str, permission: str = "READ") -> str:
    grantee = f'<Grantee {XSI} xsi:type="{kind}">{inner}</Grantee>'
    return f"<Grant>{grantee}<Permission>{permission}</Permission></Grant>"


def _read(grants: str, owner: str = f"<Owner><ID>{ADA}</ID></Owner>") -> AskedAcl:
    body = f"<AccessControlPolicy>{owner}{grants}</AccessControlPolicy>"
    bound = OPERATIONS["PutBucketAcl"].bind("b", None, NO_QUERY, [], body.encode())
    document: dict[str, Any] = bound["AccessControlPolicy"]
    return document_acl(KEYRING, document)


def _list(*grants: str) -> str:
    return f"<AccessControlList>{''.join(grants)}</AccessControlList>"


def test_a_document_grants_in_its_order() -> None:
    """A document names users by id or e-mail address and groups by URI; it may grant nothing."""
    asked = _read(
        _list(
            _grant("CanonicalUser", f"<ID>{BOB}</ID><DisplayName>ignored</DisplayName>"),
            _grant("Group", f"<URI>{AUTHENTICATED_USERS}</URI>", "WRITE"),
            _grant("AmazonCustomerByEmail", "<EmailAddress>ada@example.org</EmailAddress>"),
        )
    )
    assert asked.owner == ADA
    assert asked.grants == (
        Grant(BOB, "READ"),
        Grant(AUTHENTICATED_USERS, "WRITE"),
        Grant(ADA, "READ"),
    )
    assert _read(_list()).grants_of(ADA, ADA) == ()
    only_owner = _read(_list(_grant("CanonicalUser", f"<ID>{ADA}</ID>", "FULL_CONTROL")))
    assert only_owner.grants_of(ADA, ADA) is None


@pytest.mark.parametrize(
    ("grants", "owner"),
    [
        (_list(), ""),
        (_list(), "<Owner/>"),
        ("", f"<Owner><ID>{ADA}</ID></Owner>"),
        (_list(_grant("BadType", f"<ID>{ADA}</ID>")), f"<Owner><ID>{ADA}</ID></Owner>"),
        (_list(_grant("Group", f"<ID>{ADA}</ID>")), f"<Owner><ID>{ADA}</ID></Owner>"),
        (
            _list(_grant("CanonicalUser", f"<ID>{ADA}</ID>", "WRONG")),
            f"<Owner><ID>{ADA}</ID></Owner>",
        ),
        (_list("<Grant><Permission>READ</Permission></Grant>"), f"<Owner><ID>{ADA}</ID></Owner>"),
        (
            _list(*[_grant("Group", f"<URI>{ALL_USERS}</URI>")] * 101),
            f"<Owner><ID>{ADA}</ID></Owner>",
        ),
    ],
)
def test_a_malformed_document_is_refused(grants: str, owner: str) -> None:
    """Without an owner or a list, with unknown words or over 100 grants: MalformedACLError."""
    assert code_of(_read, grants, owner) == "MalformedACLError"


@pytest.mark.parametrize(
    ("grants", "owner", "name"),
    [
        (_list(), "<Owner><ID>wrong-id</ID></Owner>", "CanonicalUser/ID"),
        (
            _list(_grant("CanonicalUser", "<ID>wrong-id</ID>")),
            f"<Owner><ID>{ADA}</ID></Owner>",
            "CanonicalUser/ID",
        ),
        (
            _list(_grant("Group", "<URI>http://x</URI>")),
            f"<Owner><ID>{ADA}</ID></Owner>",
            "Group/URI",
        ),
    ],
)
def test_a_document_of_strangers_is_refused(grants: str, owner: str, name: str) -> None:
    """Who is not known cannot be granted anything, nor be called the owner."""
    error = refusal_of(_read, grants, owner)
    assert error is not None
    assert (error.code, error.detail["ArgumentName"]) == ("InvalidArgument", name)


@pytest.mark.parametrize("name", sorted(OBJECT_CANNED))
def test_canned_acls_are_spelled_out(name: str) -> None:
    """Each canned ACL begins with the owner's full control, and says it once."""
    for bucket_owner in (ADA, BOB):
        grants = canned_grants(name, ADA, bucket_owner)
        assert grants[0] == Grant(ADA, "FULL_CONTROL")
        assert [grant.grantee for grant in grants].count(ADA) == 1
        assert is_public(grants) == (name in {"public-read", "public-read-write"} or "auth" in name)
        gives_bucket_owner = name.startswith("bucket-owner") and bucket_owner == BOB
        assert (BOB in {grant.grantee for grant in grants}) == gives_bucket_owner


def test_every_permission_has_its_header() -> None:
    """The five headers grant the five permissions."""
    assert set(GRANT_HEADERS.values()) == set(Permission)
