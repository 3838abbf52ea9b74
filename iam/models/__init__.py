"""Identity as rows. Read by `iam` and by Django; written only by `iam.services`.

Who may do what is not decided here but in `iam.policy` (S3) and `iam.console` (the admin).
"""

from __future__ import annotations

from iam.models.audit import AuditCursor, AuditEntry
from iam.models.changes import Change
from iam.models.keys import AccessKey, SealingMark
from iam.models.policies import Group, InlinePolicy, Policy, Role
from iam.models.sign_ins import SignInCount
from iam.models.users import User, random_account_id, random_canonical_id

__all__ = [
    "AccessKey",
    "AuditCursor",
    "AuditEntry",
    "Change",
    "Group",
    "InlinePolicy",
    "Policy",
    "Role",
    "SealingMark",
    "SignInCount",
    "User",
    "random_account_id",
    "random_canonical_id",
]
