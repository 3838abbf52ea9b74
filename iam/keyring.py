"""Who may sign requests: an immutable snapshot of users and access keys, found in O(1).

The data path reads it instead of SQL and takes a new one when the "iam" generation moved.
Knows no Django: `iam.services.load_keyring` fills it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from iam.rights import NO_RIGHTS, Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam.documents import Policy

Item = TypeVar("Item")


ACCOUNT_ARN: Final = "arn:aws:iam::"  # and an account's id, in what policies call users by


class RoleName(StrEnum):
    """The roles that S4 has by itself; `iam.builtin` says what each may do."""

    READER = "Reader"
    WRITER = "Writer"
    SUPERUSER = "SuperUser"


@dataclass(frozen=True, slots=True)
class Principal:
    """A user as the data path sees one, an account of his own.

    `canonical_id` is 64 lower-case hex digits, `account_id` 12 digits.
    """

    user_id: int
    username: str
    canonical_id: str
    display_name: str
    email: str
    role: str | None  # by name
    is_root: bool
    account_id: str = ""
    rights: Rights = field(default=NO_RIGHTS, repr=False, compare=False)

    @property
    def is_super(self) -> bool:
        """Whether the user administers S4."""
        return self.role == RoleName.SUPERUSER

    @property
    def arn(self) -> str:
        """The name that policies call the user by."""
        return f"{ACCOUNT_ARN}{self.account_id}:user/{self.username}"

    @property
    def names(self) -> frozenset[str]:
        """Every name a policy's principal element may call the user by, or his account."""
        return _names(self.arn, self.account_id, self.canonical_id)


@lru_cache(maxsize=1024)
def _names(arn: str, account_id: str, canonical_id: str) -> frozenset[str]:
    return frozenset({arn, f"{ACCOUNT_ARN}{account_id}:root", account_id, canonical_id})


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key with its secret; `expires_ms` is epoch milliseconds, None means never.

    `policy` narrows what its user may; None: to nothing less. `requests_per_second` None is what
    the settings say, 0 is no limit; `key_id` 0 is a key that no table has.
    """

    access_key: str
    secret_key: str = field(repr=False)
    principal: Principal
    expires_ms: int | None = None
    policy: Policy | None = field(default=None, repr=False)
    key_id: int = 0
    requests_per_second: int | None = None

    def is_expired(self, now_ms: int) -> bool:
        """Whether the key's time is over; it ends at `expires_ms`, not after it."""
        return self.expires_ms is not None and now_ms >= self.expires_ms


class Keyring:
    """Enabled keys of active users, and all users by canonical id. Never changes once made."""

    __slots__ = ("_by_account", "_by_email", "_credentials", "_principals")

    def __init__(self, credentials: Iterable[Credential], principals: Iterable[Principal]) -> None:
        self._credentials = {credential.access_key: credential for credential in credentials}
        self._principals = {principal.canonical_id: principal for principal in principals}
        self._by_account = {user.account_id: user for user in self._principals.values()}
        self._by_email: dict[str, list[Principal]] | None = None  # made when first asked for

    def __len__(self) -> int:
        return len(self._credentials)

    def changed(self, gone: Keyring, come: Keyring) -> Keyring:
        """Make the keyring that has not the keys and users of one, and has those of another."""
        found = Keyring((), ())
        found._credentials = _changed(self._credentials, gone._credentials, come._credentials)
        found._principals = _changed(self._principals, gone._principals, come._principals)
        found._by_account = _changed(self._by_account, gone._by_account, come._by_account)
        return found

    def find(self, access_key: str, *, now_ms: int | None = None) -> Credential | None:
        """Find the credential of an access key; None when there is none or it has expired.

        Expiry is judged at every call, by the clock unless `now_ms` is given: time passes
        without a generation moving.
        """
        credential = self._credentials.get(access_key)
        if credential is None or credential.expires_ms is None:
            return credential
        now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        return None if credential.is_expired(now_ms) else credential

    def principal(self, canonical_id: str) -> Principal | None:
        """Find a user by canonical id, also one who is disabled or has no key.

        For naming owners in answers: being found here gives no right.
        """
        return self._principals.get(canonical_id)

    def knows(self, name: str) -> bool:
        """Whether a policy's principal element of this name means a user that is there."""
        account = name.removeprefix(ACCOUNT_ARN).partition(":")[0]
        user = self._principals.get(name) or self._by_account.get(account)
        return user is not None and name in user.names

    def principals_by_email(self, email: str) -> list[Principal]:
        """List the users who have an e-mail address; several may share one."""
        if self._by_email is None:
            found: dict[str, list[Principal]] = {}
            for principal in self._principals.values():
                if principal.email:
                    found.setdefault(principal.email.lower(), []).append(principal)
            self._by_email = found
        return list(self._by_email.get(email.lower(), ()))


def _changed(
    before: dict[str, Item], gone: dict[str, Item], come: dict[str, Item]
) -> dict[str, Item]:
    after = before.copy()
    for name in gone:
        after.pop(name, None)
    after.update(come)
    return after
