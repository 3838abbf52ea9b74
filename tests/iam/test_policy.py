"""What each role may do, as one table, and denial of everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.keyring import Principal, Role
from iam.policy import is_allowed

ME, OTHER = "a" * 64, "b" * 64

# action, whose bucket -> who may (R: Reader, W: Writer, S: SuperUser)
TABLE = [
    ("s3:ListAllMyBuckets", None, "RWS"),
    ("s3:CreateBucket", None, "WS"),
    ("s3:GetObject", ME, "RWS"),
    ("s3:ListBucket", ME, "RWS"),
    ("s3:ListMultipartUploadParts", ME, "RWS"),
    ("s3:HeadBucket", ME, "RWS"),
    ("s3:GetBucketLocation", ME, "RWS"),
    ("s3:PutObject", ME, "WS"),
    ("s3:DeleteObject", ME, "WS"),
    ("s3:DeleteBucket", ME, "WS"),
    ("s3:AbortMultipartUpload", ME, "WS"),
    ("s3:PutBucketPolicy", ME, "WS"),
    ("s3:GetObject", OTHER, "S"),
    ("s3:PutObject", OTHER, "S"),
    ("s3:ListBucket", OTHER, "S"),
    ("s3:DeleteBucket", OTHER, "S"),
    ("s3:GetObject", None, "S"),
    ("s3:PutObject", None, "S"),
    ("s3:GetObject", "", "S"),
    ("iam:CreateUser", ME, "S"),
    ("", ME, "S"),
]
LETTERS = {Role.READER: "R", Role.WRITER: "W", Role.SUPERUSER: "S"}


def principal(role: Role) -> Principal:
    """Make a user of a role."""
    return Principal(1, "me", ME, "Me", "", role, is_root=False)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("action", "owner", "who"), TABLE)
def test_table(action: str, owner: str | None, who: str, role: Role) -> None:
    """Each role may do exactly what the table says."""
    assert is_allowed(principal(role), action, owner) == (LETTERS[role] in who)


@given(st.text(), st.none() | st.text(alphabet="0123456789abcdef", min_size=64, max_size=64))
def test_a_superuser_may_do_anything_nobody_else_touches_a_stranger(
    action: str, owner: str | None
) -> None:
    """Whatever the action, a SuperUser may do it, and others nothing on a bucket not theirs."""
    assert is_allowed(principal(Role.SUPERUSER), action, owner)
    if owner != ME and action not in {"s3:ListAllMyBuckets", "s3:CreateBucket"}:
        assert not is_allowed(principal(Role.WRITER), action, owner)
        assert not is_allowed(principal(Role.READER), action, owner)


@given(st.text(min_size=1).map("s3:".__add__), st.sampled_from([ME, OTHER, None]))
def test_a_writer_may_do_what_a_reader_may(action: str, owner: str | None) -> None:
    """No action is open to a Reader and closed to a Writer."""
    reader = is_allowed(principal(Role.READER), action, owner)
    assert is_allowed(principal(Role.WRITER), action, owner) or not reader
