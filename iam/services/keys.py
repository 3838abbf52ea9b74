"""Access keys: made, changed, disabled, deleted. A secret leaves this room once, when made."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import UTC
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from iam.errors import AccessKeyTaken, InvalidIdentity, NoSuchAccessKey, NoSuchUser
from iam.models import AccessKey, User
from iam.rates import check_rate
from iam.services.audit import record_change, record_difference
from iam.services.documents import check_narrowing
from iam.services.server_key import hold_server_key
from iam.services.writing import announce_change, arn, check_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


# 20 characters as AWS's have, with a prefix of our own; 16 of base 32 are 80 bits.
ACCESS_KEY_PREFIX: Final = "S4AK"
ACCESS_KEY_ALPHABET: Final = string.ascii_uppercase + "234567"
ACCESS_KEY_RANDOM_CHARACTERS: Final = 16
# 40 characters as AWS's have, without "/" and "+", which break in shells and URLs; 238 bits.
SECRET_KEY_ALPHABET: Final = string.ascii_letters + string.digits
SECRET_KEY_CHARACTERS: Final = 40
SECRET_KEY_CHARACTERS_MIN: Final = 8
SECRET_KEY_CHARACTERS_MAX: Final = 128
CREDENTIALS: Final = "credentials"
NOTED_FIELDS: Final = ("name", "is_enabled", "expires_at", "policy")


class Kept(Enum):
    """Stands for what is not to be another, where None is a value."""

    AS_IT_IS = 0


@dataclass(frozen=True, slots=True)
class NewKey:
    """An access key as it is shown once, to whom it was made for."""

    access_key: str
    secret_key: str = field(repr=False)


def create_key(  # noqa: PLR0913  # what a key is
    user_id: int,
    *,
    access_key: str | None = None,
    secret_key: str | None = None,
    name: str = "",
    expires_at: datetime | None = None,
    policy: str = "",
    from_environment: bool = False,
) -> NewKey:
    """Make an access key, generated unless given; the answer is the only sight of its secret.

    A given secret has 8 to 128 visible ASCII characters; a `policy` narrows what the key may.
    NoSuchUser, InvalidIdentity, InvalidPolicyDocument, LimitExceeded, AccessKeyTaken.
    """
    new = NewKey(access_key or generate_access_key(), secret_key or generate_secret_key())
    expires_at = _end(expires_at)
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidIdentity("expires_at", "A key cannot expire before it is made.")
    check_narrowing(policy)
    row = AccessKey(
        user_id=user_id,
        access_key=new.access_key,
        name=name,
        expires_at=expires_at,
        policy=policy,
        from_environment=from_environment,
    )
    with transaction.atomic():
        user = _hold_user(user_id)
        row.sealed_secret = seal_secret(new)
        check_row(row)
        _insert(row)
        record_change("iam:CreateAccessKey", arn(user), access_key=new.access_key, **_noted(row))
        announce_change(row)
    return new


def _insert(row: AccessKey) -> None:
    """Write a new row; AccessKeyTaken when there is such a key, whoever holds it."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise AccessKeyTaken(row.access_key) from error


def rotate_credentials(user_id: int) -> NewKey:
    """Make a user's key of the name `credentials`, and end the one he had; NoSuchUser.

    For clients that know one key for each user: keys of other names are not touched.
    """
    with transaction.atomic():
        _hold_user(user_id)  # so that one is made at a time
        hold_server_key()  # before any key, as whoever replaces it does
        _delete_credentials(user_id)
        return create_key(user_id, name=CREDENTIALS)


def delete_credentials(user_id: int) -> None:
    """Delete the key that `rotate_credentials` made. NoSuchUser, NoSuchAccessKey."""
    with transaction.atomic():
        _hold_user(user_id)
        if not _delete_credentials(user_id):
            raise NoSuchAccessKey(CREDENTIALS)


def _delete_credentials(user_id: int) -> int:
    """Delete those of the keys that have that name and are not the environment's; count them."""
    rows = AccessKey.objects.filter(user_id=user_id, name=CREDENTIALS, from_environment=False)
    found = list(rows.values_list("access_key", flat=True))
    for access_key in found:
        delete_key(access_key)
    return len(found)


def set_key_enabled(access_key: str, *, enabled: bool) -> None:
    """Enable or disable a key. NoSuchAccessKey."""
    with transaction.atomic():
        row = _lock(access_key)
        before = _noted(row)
        row.is_enabled = enabled
        row.save(update_fields=["is_enabled"])
        _record_update(row, before)
        announce_change(row)


def update_key(
    access_key: str,
    *,
    name: str | None = None,
    expires_at: datetime | Kept | None = Kept.AS_IT_IS,
    policy: str | None = None,
) -> None:
    """Change what a key is for, when it ends (the past: now; None: never), and its policy.

    A name or policy of None stays. NoSuchAccessKey, InvalidIdentity, InvalidPolicyDocument,
    LimitExceeded.
    """
    if policy is not None:
        check_narrowing(policy)
    ends_at = expires_at if isinstance(expires_at, Kept) else _end(expires_at)
    with transaction.atomic():
        row = _lock(access_key)
        before = _noted(row)
        row.name = row.name if name is None else name
        row.expires_at = row.expires_at if isinstance(ends_at, Kept) else ends_at
        row.policy = row.policy if policy is None else policy
        check_row(row)
        row.save(update_fields=["name", "expires_at", "policy"])
        _record_update(row, before)
        announce_change(row)


def set_key_rate(access_key: str, rate: int | None) -> None:
    """Limit how many requests a second a key may sign; 0: no limit, None: as the settings say.

    NoSuchAccessKey, InvalidIdentity.
    """
    check_rate(rate)
    with transaction.atomic():
        row = _lock(access_key)
        before = row.requests_per_second
        if before != rate:
            AccessKey.objects.filter(pk=row.pk).update(requests_per_second=rate)
            change = {"old": before, "new": rate}
            named = {"access_key": access_key, "requests_per_second": change}
            record_change("s4:SetKeyRateLimit", arn(row.user), **named)
        announce_change(row)


def delete_key(access_key: str) -> None:
    """Delete a key for ever. NoSuchAccessKey."""
    with transaction.atomic():
        row = _lock(access_key)
        record_change("iam:DeleteAccessKey", arn(row.user), access_key=access_key, name=row.name)
        announce_change(row)
        row.delete()


def _end(moment: datetime | None) -> datetime | None:
    """Say in UTC when a key ends; InvalidIdentity where that is before the year 1 or after 9999.

    PostgreSQL keeps such moments, and then nobody could read the keys any more.
    """
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidIdentity("expires_at", "In UTC its year is none from 1 to 9999.") from error


def _record_update(row: AccessKey, before: dict[str, Any]) -> None:
    """Note what is not as it was; a key is told by its user and its id."""
    named = {"access_key": row.access_key}
    record_difference("iam:UpdateAccessKey", arn(row.user), before, _noted(row), **named)


def _noted(row: AccessKey) -> dict[str, Any]:
    """Show what of a key is noted."""
    return {name: getattr(row, name) for name in NOTED_FIELDS}


def _hold_user(user_id: int) -> User:
    """Hold a user's row to the end of the transaction; NoSuchUser."""
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NoSuchUser(user_id)
    return user


def _lock(access_key: str) -> AccessKey:
    """Hold a key's row to the end of the transaction; NoSuchAccessKey."""
    rows = AccessKey.objects.select_for_update(of=("self",)).select_related("user")
    row = rows.filter(access_key=access_key).first()
    if row is None:
        raise NoSuchAccessKey(access_key)
    return row


def list_keys(user_id: int | None = None) -> Sequence[AccessKey]:
    """List the keys of one user, or of all, by user and key; each row carries its user."""
    rows = AccessKey.objects.select_related("user").order_by("user__username", "access_key")
    return list(rows if user_id is None else rows.filter(user_id=user_id))


def seal_secret(key: NewKey) -> bytes:
    """Seal a secret, bound to its access key, in the transaction that keeps it. InvalidIdentity."""
    if not is_usable_secret(key.secret_key):
        raise InvalidIdentity("secret_key", "A secret key has 8 to 128 visible ASCII characters.")
    return hold_server_key().seal(key.secret_key.encode(), key.access_key.encode())


def is_usable_secret(secret_key: str) -> bool:
    """Whether a secret has an allowed length and only visible ASCII characters."""
    is_visible = secret_key.isascii() and secret_key.isprintable() and " " not in secret_key
    return is_visible and SECRET_KEY_CHARACTERS_MIN <= len(secret_key) <= SECRET_KEY_CHARACTERS_MAX


def generate_access_key() -> str:
    """Make a random access key id."""
    return ACCESS_KEY_PREFIX + _random_text(ACCESS_KEY_ALPHABET, ACCESS_KEY_RANDOM_CHARACTERS)


def generate_secret_key() -> str:
    """Make a random secret."""
    return _random_text(SECRET_KEY_ALPHABET, SECRET_KEY_CHARACTERS)


def generate_password() -> str:
    """Make a random password: 24 letters and digits, 142 bits."""
    return _random_text(SECRET_KEY_ALPHABET, 24)


def _random_text(alphabet: str, count: int) -> str:
    """Draw `count` characters from the system's secure randomness."""
    return "".join(secrets.choice(alphabet) for _ in range(count))
