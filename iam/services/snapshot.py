"""Makes the keyring from the database: a handful of queries, however many users there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from iam import sealing
from iam.documents import load_policy
from iam.keyring import Credential, Keyring, Principal
from iam.models import AccessKey, User
from iam.services.rights import RightsReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from iam.sealing import ServerKey


def load_keyring() -> Keyring:
    """Read all users, and every enabled key of an active one; SealingError if one cannot be.

    The caller notes the generation before he calls: a change between the queries below moves
    it, so a snapshot that mixes before and after is replaced at the next request.
    """
    server_key = sealing.load_server_key(settings.S4.data_dir)
    principals = {principal.user_id: principal for principal in _principals()}
    return Keyring(_credentials(server_key, principals), principals.values())


def load_secret(row: AccessKey) -> str:
    """Unseal the secret of one key; SealingError."""
    server_key = sealing.load_server_key(settings.S4.data_dir)
    return server_key.unseal(bytes(row.sealed_secret), row.access_key.encode()).decode()


def _principals() -> Iterator[Principal]:
    """Read every user, without password hashes."""
    rights = RightsReader()
    rows = User.objects.order_by().values_list(
        *("pk", "username", "canonical_id", "account_id", "display_name", "email"),
        *("role_id", "is_root"),
    )
    for pk, username, canonical_id, account_id, display_name, email, role, is_root in rows:
        yield Principal(
            user_id=pk,
            username=username,
            canonical_id=canonical_id,
            account_id=account_id,
            display_name=display_name or username,
            email=email,
            role=role,
            is_root=is_root,
            rights=rights.of(pk, role),
        )


def _credentials(server_key: ServerKey, principals: dict[int, Principal]) -> Iterator[Credential]:
    """Read and unseal every usable key; one whose user came after `principals` waits."""
    rows = AccessKey.objects.filter(is_enabled=True, user__is_active=True).order_by()
    for user_id, access_key, sealed, expires_at, policy in rows.values_list(
        "user_id", "access_key", "sealed_secret", "expires_at", "policy"
    ):
        if user_id not in principals:
            continue
        # bytes(): PostgreSQL gives a memoryview
        secret = server_key.unseal(bytes(sealed), access_key.encode()).decode()
        yield Credential(
            access_key,
            secret,
            principals[user_id],
            _milliseconds(expires_at),
            load_policy(policy) if policy else None,
        )


def _milliseconds(moment: datetime | None) -> int | None:
    """Turn a moment into epoch milliseconds."""
    return None if moment is None else int(moment.timestamp() * 1000)
