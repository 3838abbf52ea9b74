"""Makes the keyring from the database: a handful of queries, however many users there are.

It is done by every worker after every change, so what a change does not touch is taken from the
keyring before: rows are read as they are stored and compared, and only new ones are worked on.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.db.models import IntegerField, TextField
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime

from iam import sealing
from iam.documents import load_policy
from iam.keyring import Credential, Keyring, Principal
from iam.models import AccessKey, User
from iam.services.rights import RightsReader, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam.rights import Rights
    from iam.sealing import ServerKeys


_NO: Final = "0"


class _UserRow(NamedTuple):
    """A user as stored, without his password's hash."""

    pk: int
    username: str
    canonical_id: str
    account_id: str
    display_name: str
    email: str
    role_id: str | None
    active: str  # as `_flag`
    root: str


class _KeyRow(NamedTuple):
    """A key as stored."""

    user_id: int
    access_key: str
    sealed_secret: bytes | memoryview  # PostgreSQL gives a view
    expires: str | None
    policy: str
    pk: int
    requests_per_second: int | None


class KeyringReader:
    """Reads keyrings one after the other. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._rights: RightsReader | None = None
        self._principals: dict[int, tuple[_UserRow, Principal]] = {}
        self._credentials: dict[str, tuple[_KeyRow, Credential]] = {}

    def read(self) -> Keyring:
        """Read all users, and every enabled key of an active one; SealingError if one cannot be.

        The caller notes the generation before he calls: a change between the queries below moves
        it, so a snapshot that mixes before and after is replaced at the next request.
        """
        server_key = sealing.ServerKeys(settings.S4.data_dir)
        with _uncollected():
            self._principals = self._read_principals()
            self._credentials = self._read_credentials(server_key)
        return Keyring(
            (credential for _, credential in self._credentials.values()),
            (principal for _, principal in self._principals.values()),
        )

    def read_users(self) -> Keyring:
        """Read all users with their rights, and no keys: nothing is unsealed."""
        return Keyring((), (principal for _, principal in self._read_principals().values()))

    def _read_principals(self) -> dict[int, tuple[_UserRow, Principal]]:
        """Read every user; one whose row and rights are as they were is the same."""
        tables = read_tables()
        has_moved = self._rights is None or self._rights.tables != tables
        rights = RightsReader(tables, self._rights) if has_moved else self._rights
        assert rights is not None, "it was read once"
        before, found = self._principals, {}
        rows = User.objects.order_by().annotate(active=_flag("is_active"), root=_flag("is_root"))
        for values in rows.values_list(*_UserRow._fields):
            known = before.get(values[0])
            is_known = known is not None and known[0] == values
            if has_moved or not is_known:
                row = _UserRow(*values)
                held = rights.of(row.pk, row.role_id)
                if known is None or not is_known or known[1].rights is not held:
                    known = (row, _principal(row, held))
            assert known is not None, "it was made"
            found[values[0]] = known
        rights.forget_earlier()
        self._rights = rights
        return found

    def _read_credentials(self, server_key: ServerKeys) -> dict[str, tuple[_KeyRow, Credential]]:
        """Read every usable key, and unseal what is new; one whose user came meanwhile waits."""
        before, principals, found = self._credentials, self._principals, {}
        rows = AccessKey.objects.filter(is_enabled=True).order_by()
        rows = rows.annotate(expires=Cast("expires_at", TextField()))
        for values in rows.values_list(*_KeyRow._fields):
            user = principals.get(values[0])
            if user is None or user[0].active == _NO:
                continue
            known = before.get(values[1])
            if known is None or known[0] != values or known[1].principal is not user[1]:
                secret = None if known is None or known[0] != values else known[1].secret_key
                row = _KeyRow(*values)
                known = (row, _credential(row, user[1], secret or _unsealed(row, server_key)))
            found[values[1]] = known
        return found


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: rows in their thousands look like much, and make no cycles.

    At 10,000 users and keys a full collection takes as long as all the reading.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def load_keyring() -> Keyring:
    """Read a keyring from the first row on; SealingError if a secret cannot be unsealed."""
    return KeyringReader().read()


def load_secret(row: AccessKey) -> str:
    """Unseal the secret of one key; SealingError."""
    server_key = sealing.ServerKeys(settings.S4.data_dir)
    return server_key.unseal(bytes(row.sealed_secret), row.access_key.encode()).decode()


def _flag(name: str) -> Cast:
    """Have a truth value read as a text: making a bool of each row takes as long as the query."""
    return Cast(Cast(name, IntegerField()), TextField())


def _principal(row: _UserRow, rights: Rights) -> Principal:
    """Show a user to the data path."""
    return Principal(
        user_id=row.pk,
        username=row.username,
        canonical_id=row.canonical_id,
        account_id=row.account_id,
        display_name=row.display_name or row.username,
        email=row.email,
        role=row.role_id,
        is_root=row.root != _NO,
        rights=rights,
    )


def _credential(row: _KeyRow, principal: Principal, secret: str) -> Credential:
    """Show a key to the data path."""
    policy = load_policy(row.policy) if row.policy else None
    expires_ms = None if row.expires is None else stored_ms(row.expires)
    return Credential(
        row.access_key, secret, principal, expires_ms, policy, row.pk, row.requests_per_second
    )


def _unsealed(row: _KeyRow, server_key: ServerKeys) -> str:
    """Unseal a key's secret; SealingError."""
    return server_key.unseal(bytes(row.sealed_secret), row.access_key.encode()).decode()


def stored_ms(stored: str) -> int:
    """Turn a moment, as the database writes it, into epoch milliseconds."""
    moment = parse_datetime(stored)
    assert moment is not None, "the database writes none that there cannot be"
    if moment.tzinfo is None:  # SQLite keeps UTC, and says nothing of it
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
