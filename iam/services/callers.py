"""Who would ask, for explanations: a user or a key by name, and whether he is heard at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from iam.documents import load_policy
from iam.errors import InvalidIdentity, NoSuchAccessKey
from iam.models import AccessKey
from iam.services.snapshot import KeyringReader
from iam.services.users import find_user

if TYPE_CHECKING:
    from iam.documents import Policy
    from iam.keyring import Keyring
    from iam.models import User


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, perhaps by a key that narrows what he may.

    `refusal` says why no request of his is accepted, "" if they are, and `remedy` what to change.
    """

    canonical_id: str
    narrowing: Policy | None = None
    refusal: str = ""
    remedy: str = ""


def load_users() -> Keyring:
    """Read all users with their rights, and no keys: nothing is unsealed."""
    return KeyringReader("keys").read()


def find_caller(username: str | None, access_key: str | None) -> Caller | None:
    """Find who would ask; None: whoever does not sign.

    NoSuchUser, NoSuchAccessKey; InvalidIdentity for a key that is another's than the user's.
    """
    if access_key is None:
        return None if username is None else _caller(find_user(username))
    key = AccessKey.objects.select_related("user").filter(access_key=access_key).first()
    if key is None:
        raise NoSuchAccessKey(access_key)
    if username not in {None, key.user.username}:
        raise InvalidIdentity("access_key", f"{access_key} is a key of {key.user.username}.")
    return _caller(key.user, key)


def _caller(user: User, key: AccessKey | None = None) -> Caller:
    narrowing = load_policy(key.policy) if key is not None and key.policy else None
    why, remedy = _refusal(user, key)
    return Caller(user.canonical_id, narrowing, why, remedy)


def _refusal(user: User, key: AccessKey | None) -> tuple[str, str]:
    """Say why requests are refused before any policy is asked, and what to change."""
    if not user.is_active:
        return (
            f"{user.username} is disabled with all keys: no request is accepted.",
            f"Enable {user.username}.",
        )
    if key is None:
        return "", ""
    if not key.is_enabled:
        return (
            f"The access key {key.access_key} is disabled: no request is accepted.",
            "Enable the key.",
        )
    if key.expires_at is not None and key.expires_at <= timezone.now():
        return (
            f"The access key {key.access_key} has expired: no request is accepted.",
            "Let the key end later, or make another.",
        )
    return "", ""
