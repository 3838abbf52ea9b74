"""Users as the data path sees them, with what S4's own roles give them."""

from __future__ import annotations

from functools import cache

from iam.builtin import BUILTINS
from iam.documents import load_policy
from iam.keyring import Principal, RoleName
from iam.rights import Attached, Rights


@cache
def rights_of(role: RoleName) -> Rights:
    """Give what a role of S4's own allows."""
    policy = load_policy(BUILTINS[role].document)
    return Rights([Attached(f'policy "{role}" of the role "{role}"', policy, is_builtin=True)])


def principal(
    role: RoleName | None = RoleName.WRITER,
    *,
    canonical_id: str = "a" * 64,
    account_id: str = "111122223333",
    name: str = "ann",
    rights: Rights | None = None,
) -> Principal:
    """Make a user of a role, or with rights of his own."""
    own = rights_of(role) if role is not None else Rights()
    return Principal(
        user_id=1,
        username=name,
        canonical_id=canonical_id,
        display_name=name.capitalize(),
        email=f"{name}@example.com",
        role=role,
        is_root=False,
        account_id=account_id,
        rights=own if rights is None else rights,
    )
