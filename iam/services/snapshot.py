"""Makes the keyring from the database: a handful of queries, however many users there are.

It is done by every worker after every change, so only what the change was of is read, and only what
depends on that is made anew. A first reading reads everything, and goes the same way.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Final, NamedTuple

from django.conf import settings
from django.utils.dateparse import parse_datetime

from iam import sealing
from iam.documents import load_policy
from iam.keyring import Credential, Keyring, Principal
from iam.models.changes import Kind
from iam.services.changes import EVERYTHING
from iam.services.rights import RightsReader
from iam.services.tables import KeyRow, Tables, UserRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam.models import AccessKey
    from iam.rights import Rights
    from iam.sealing import ServerKeys
    from iam.services.changes import Changes


_NO: Final = "0"


class _Person(NamedTuple):
    """What is known of a user: his row as stored, and his usable keys, each with its own."""

    row: UserRow
    principal: Principal
    keys: dict[int, tuple[KeyRow, Credential]]


class KeyringReader:
    """Reads keyrings one after the other. Belongs to one thread at a time.

    After a reading that failed everything has to be read. `without` names tables that are left out.
    """

    def __init__(self, *without: str) -> None:
        self._tables = Tables(*without)
        self._rights = RightsReader(self._tables)
        self._keys_of: defaultdict[int, set[int]] = defaultdict(set)
        self._people: dict[int, _Person] = {}
        self._keyring = Keyring((), ())

    def read(self, changes: Changes = EVERYTHING) -> Keyring:
        """Read what changed of users and enabled keys; SealingError if one cannot be unsealed.

        The caller notes the generation before he calls: a change meanwhile moves it. That the
        queries below are answered as of one moment is `ChangeReader`'s to see to.
        """
        with _uncollected():
            users = self._read_everything() if changes.is_everything else self._read(changes)
            gone, come = self._make(users)
        if changes.is_everything:
            self._keyring = _keyring(self._people.values())
        elif gone or come:
            self._keyring = self._keyring.changed(_keyring(gone), _keyring(come))
        return self._keyring

    def _read_everything(self) -> set[int]:
        """Read every row; return the users that are there, and those that were."""
        self._tables.read_everything()
        self._rights.forget_everything()
        self._keys_of = defaultdict(set)
        self._note_holders(self._tables.rows["keys"])
        return self._tables.rows["users"].keys() | self._people.keys()

    def _read(self, changes: Changes) -> set[int]:
        """Read the rows of what changed; return the users whom that concerns."""
        users, keys, rows = set(changes.of(Kind.USER)), changes.of(Kind.KEY), self._tables.rows
        for key in keys & rows["keys"].keys():
            holder = rows["keys"][key][0][1]
            self._keys_of[holder].discard(key)
            users.add(holder)
        for kind, numbers in changes.numbers.items():
            self._tables.read(kind, numbers)
        users |= self._note_holders(keys & rows["keys"].keys())
        users |= self._rights.forget(changes)
        for user in users - rows["users"].keys():  # his keys went with him
            for key in self._keys_of.pop(user, ()):
                del rows["keys"][key]
        return users

    def _note_holders(self, keys: Iterable[int]) -> set[int]:
        """Note whose keys these are, which are there; return who that is."""
        users = set()
        for key in keys:
            holder = self._tables.rows["keys"][key][0][1]
            self._keys_of[holder].add(key)
            users.add(holder)
        return users

    def _make(self, users: Iterable[int]) -> tuple[list[_Person], list[_Person]]:
        """Make users as they are now; tell who is not as he was, before and after."""
        server_key = sealing.ServerKeys(settings.S4.data_dir)
        gone, come = [], []
        for user in users:
            before = self._people.pop(user, None)
            after = self._person(user, before, server_key)
            if after is not None:
                self._people[user] = after
            if after is not before:
                gone += [] if before is None else [before]
                come += [] if after is None else [after]
        return gone, come

    def _person(self, user: int, before: _Person | None, server_key: ServerKeys) -> _Person | None:
        """Make a user with his keys; None: there is no such user. What is as it was is the same."""
        found = self._tables.rows["users"].get(user)
        if found is None:
            return None
        row = UserRow(*found[0])
        rights = self._rights.of(user, row.role_id)
        is_same = before is not None and before.row == row and before.principal.rights is rights
        principal = before.principal if before is not None and is_same else _principal(row, rights)
        known = {} if before is None else before.keys
        keys = {}
        for key in () if row.active == _NO else self._keys_of.get(user, ()):
            (stored,) = self._tables.rows["keys"][key]
            earlier = known.get(key)
            if earlier is None or earlier[0] != stored:
                secret = _unsealed(KeyRow(*stored), server_key)
            elif is_same:
                keys[key] = earlier
                continue
            else:
                secret = earlier[1].secret_key
            keys[key] = KeyRow(*stored), _credential(KeyRow(*stored), principal, secret)
        if is_same and keys.keys() == known.keys() and all(keys[key] is known[key] for key in keys):
            return before
        return _Person(row, principal, keys)


def _keyring(people: Iterable[_Person]) -> Keyring:
    """Make a keyring of some."""
    people = list(people)
    return Keyring(
        (credential for person in people for _, credential in person.keys.values()),
        (person.principal for person in people),
    )


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


def _principal(row: UserRow, rights: Rights) -> Principal:
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


def _credential(row: KeyRow, principal: Principal, secret: str) -> Credential:
    """Show a key to the data path."""
    policy = load_policy(row.policy) if row.policy else None
    expires_ms = None if row.expires is None else stored_ms(row.expires)
    return Credential(
        row.access_key, secret, principal, expires_ms, policy, row.pk, row.requests_per_second
    )


def _unsealed(row: KeyRow, server_key: ServerKeys) -> str:
    """Unseal a key's secret; SealingError."""
    return server_key.unseal(bytes(row.sealed_secret), row.access_key.encode()).decode()


def stored_ms(stored: str) -> int:
    """Turn a moment, as the database writes it, into epoch milliseconds."""
    moment = parse_datetime(stored)
    assert moment is not None, "the database writes none that there cannot be"
    if moment.tzinfo is None:  # SQLite keeps UTC, and says nothing of it
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
