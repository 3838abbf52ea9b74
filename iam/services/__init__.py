"""The only writers of users and access keys, and the reader that makes the keyring.

Each call is one SQL transaction, announced to every worker by a step of the "iam" generation
(`iam.services.changes`): when it has returned all obey it. All calls are synchronous; refusals are
the types of `iam.errors`.
"""

from __future__ import annotations

from iam.services.callers import Caller, find_caller, load_users
from iam.services.changes import ChangeReader, announce, forget_changes, is_settled
from iam.services.groups import (
    create_group,
    delete_group,
    find_group,
    list_groups,
    update_group,
)
from iam.services.keys import (
    NewKey,
    create_key,
    delete_credentials,
    delete_key,
    list_keys,
    rotate_credentials,
    set_key_enabled,
    set_key_rate,
    update_key,
)
from iam.services.last_use import record_uses
from iam.services.policies import (
    attach_policy,
    create_policy,
    delete_inline_policy,
    delete_policy,
    detach_policy,
    find_policy,
    list_policies,
    put_inline_policy,
    update_policy,
)
from iam.services.quotas import quota_column, set_user_quota, settle_user
from iam.services.rights import load_rights, load_rights_of_role
from iam.services.roles import (
    create_role,
    delete_role,
    ensure_builtins,
    find_role,
    list_roles,
    update_role,
)
from iam.services.root import FirstStart, ensure_root
from iam.services.server_key import replace_server_key, settle_server_key
from iam.services.signing_in import forget_sign_ins, sign_in
from iam.services.snapshot import KeyringReader, load_keyring
from iam.services.users import (
    create_user,
    delete_user,
    end_tokens,
    find_user,
    hash_password,
    is_last_superuser,
    keep_hash,
    list_users,
    lock_owner,
    set_active,
    set_groups,
    set_password,
    set_policies,
    set_role,
    update_profile,
)

__all__ = [
    "Caller",
    "ChangeReader",
    "FirstStart",
    "KeyringReader",
    "NewKey",
    "announce",
    "attach_policy",
    "create_group",
    "create_key",
    "create_policy",
    "create_role",
    "create_user",
    "delete_credentials",
    "delete_group",
    "delete_inline_policy",
    "delete_key",
    "delete_policy",
    "delete_role",
    "delete_user",
    "detach_policy",
    "end_tokens",
    "ensure_builtins",
    "ensure_root",
    "find_caller",
    "find_group",
    "find_policy",
    "find_role",
    "find_user",
    "forget_changes",
    "forget_sign_ins",
    "hash_password",
    "is_last_superuser",
    "is_settled",
    "keep_hash",
    "list_groups",
    "list_keys",
    "list_policies",
    "list_roles",
    "list_users",
    "load_keyring",
    "load_rights",
    "load_rights_of_role",
    "load_users",
    "lock_owner",
    "put_inline_policy",
    "quota_column",
    "record_uses",
    "replace_server_key",
    "rotate_credentials",
    "set_active",
    "set_groups",
    "set_key_enabled",
    "set_key_rate",
    "set_password",
    "set_policies",
    "set_role",
    "set_user_quota",
    "settle_server_key",
    "settle_user",
    "sign_in",
    "update_group",
    "update_key",
    "update_policy",
    "update_profile",
    "update_role",
]
