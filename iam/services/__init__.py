"""The only writers of users and access keys, and the reader that makes the keyring.

Each call is one SQL transaction, then one step of the "iam" generation, so that when it has
returned every worker obeys it. All calls are synchronous; refusals are the types of `iam.errors`.
"""

from __future__ import annotations

from iam.services.keys import (
    NewKey,
    create_key,
    delete_key,
    list_keys,
    set_key_enabled,
    update_key,
)
from iam.services.root import FirstStart, ensure_root
from iam.services.snapshot import load_keyring
from iam.services.users import (
    create_user,
    delete_user,
    find_user,
    is_last_superuser,
    list_users,
    lock_owner,
    set_active,
    set_password,
    set_role,
    update_profile,
)

__all__ = [
    "FirstStart",
    "NewKey",
    "create_key",
    "create_user",
    "delete_key",
    "delete_user",
    "ensure_root",
    "find_user",
    "is_last_superuser",
    "list_keys",
    "list_users",
    "load_keyring",
    "lock_owner",
    "set_active",
    "set_key_enabled",
    "set_password",
    "set_role",
    "update_key",
    "update_profile",
]
