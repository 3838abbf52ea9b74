"""What a group of operations shares while it is carried out: one LMDB write transaction.

Every change goes through here, and is noted for the journal as it is made. Counters that every
operation moves (namespaces, accounts, volumes, the sequence) are read once and written once for
the whole group. Everything is thrown away and done again when the group must be re-run, so
nothing here may reach outside the transaction.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from storage_engine import keys, rows
from storage_engine.changes import Changes
from storage_engine.errors import NamespaceClosed
from storage_engine.namespace import Namespace
from storage_engine.options import wall_clock

if TYPE_CHECKING:
    import lmdb

    from storage_engine.index import Tables
    from storage_engine.options import Clock

SEQUENCE: Final = keys.meta("sequence")
LAST_VOLUME: Final = keys.meta("last_volume")
STORE_ID: Final = keys.meta("store_id")
SALVAGING: Final = keys.meta("salvaging")
HELD_VOLUMES: Final = keys.meta("held_volumes")
HELD_SINCE: Final = keys.meta("held_since")
SCRUB: Final = keys.meta("scrub")
MOVED: Final = keys.meta("moved")
SHARED: Final = keys.meta("shared")
RETAINED_FROM: Final = keys.meta("retained_from")
GENERATION: Final = keys.meta("generation")
GENERATION_TOPICS: Final = keys.meta("generation.")
CONFIRMED: Final = keys.meta("confirmed")
SEQUENCE_TIME_SHIFT: Final = 16
NO_ACCOUNT: Final = rows.AccountRow()
_I64 = struct.Struct(">q")


def number(value: bytes | None) -> int:
    """Decode a counter of the META or VOLUMES table; an absent one is 0."""
    return int(_I64.unpack(value)[0]) if value else 0


def topic_key(topic: str) -> bytes:
    """Return the META key of one topic's generation."""
    return GENERATION_TOPICS + keys.meta(topic)


class Transaction:
    """One write transaction, its tables, and the counters its operations share.

    Reads that only look may use `txn`; a change made there would be missing from the journal.
    """

    __slots__ = (
        "_accounts",
        "_counted",
        "_live",
        "_namespaces",
        "_retained_from_ms",
        "_sequence",
        "_shared",
        "changes",
        "entries",
        "is_brief",
        "markers",
        "now_ms",
        "tables",
        "txn",
        "upload_names",
    )

    def __init__(
        self, txn: lmdb.Transaction[bytes], tables: Tables, clock: Clock = wall_clock
    ) -> None:
        self.txn = txn
        self.tables = tables
        self.now_ms = clock()
        self.changes = Changes(tables)
        self.entries = Namespace(tables.entries)
        self.markers = Namespace(tables.markers)
        self.upload_names = Namespace(tables.upload_names)
        self.is_brief = False  # an event loop waits meanwhile: see `TakesLong`
        self._sequence: int | None = None
        self._namespaces: dict[int, rows.NamespaceRow] = {}
        self._accounts: dict[int, rows.AccountRow] = {}
        self._counted: dict[int, rows.Share] = {}  # by bucket: what its account counts so far
        self._live: dict[int, int] = {}
        self._shared = 0
        self._retained_from_ms: int | None = None

    # --- rows ----------------------------------------------------------------------------------

    def get(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Return the value of a row as the group has left it so far, or None."""
        return self.txn.get(key, db=table)

    def put(self, table: lmdb._Database, key: bytes, value: bytes, *, append: bool = False) -> None:
        """Write a row; `append` when its key is the largest of the table, which fills pages."""
        self.txn.put(key, value, append=append, db=table)
        self.changes.put(table, key, value)

    def delete(self, table: lmdb._Database, key: bytes) -> None:
        """Remove a row, if there is one."""
        if self.txn.delete(key, db=table):
            self.changes.delete(table, key)

    def pop(self, table: lmdb._Database, key: bytes) -> bytes | None:
        """Remove a row; return its value, or None if there was none."""
        value = self.txn.pop(key, db=table)
        if value is not None:
            self.changes.delete(table, key)
        return value

    def keys_from(self, table: lmdb._Database, prefix: bytes, limit: int = 0) -> list[bytes]:
        """Return the keys that begin with `prefix`, in order; at most `limit` if that is not 0."""
        found: list[bytes] = []
        with self.txn.cursor(table) as cursor:
            is_found = cursor.set_range(prefix)
            while is_found and cursor.key().startswith(prefix) and not 0 < limit <= len(found):
                found.append(cursor.key())
                is_found = cursor.next()
        return found

    # --- counters ------------------------------------------------------------------------------

    def next_sequence(self) -> int:
        """Return a number that no committed transaction was ever given, each larger."""
        if self._sequence is None:
            self._sequence = number(self.txn.get(SEQUENCE, db=self.tables.meta))
        self._sequence += 1
        return self._sequence

    def skip_sequences(self) -> None:
        """Let numbers go on above all that were given in commits which the index has lost.

        A number for each 15 nanoseconds since 1970: nothing has been given so many.
        """
        self._sequence = max(self.next_sequence(), self.now_ms << SEQUENCE_TIME_SHIFT)
        self.put(self.tables.meta, SEQUENCE, _I64.pack(self._sequence))

    def retained_from_ms(self) -> int:
        """Return when a period of retention begins: now, but never before one that was given.

        So a clock that is set back shortens none. Whoever asks gives one: it is kept.
        """
        if self._retained_from_ms is None:
            given = number(self.txn.get(RETAINED_FROM, db=self.tables.meta))
            self._retained_from_ms = max(self.now_ms, given)
        return self._retained_from_ms

    def retain_from_now(self) -> None:
        """Have periods of retention begin now, whatever clock was believed before."""
        self._retained_from_ms = self.now_ms

    def count(self, name: bytes) -> int:
        """Raise a counter of the META table by one and return it."""
        value = number(self.txn.get(name, db=self.tables.meta)) + 1
        self.put(self.tables.meta, name, _I64.pack(value))
        return value

    def set_number(self, name: bytes, value: int) -> None:
        """Set a number of the META table that nothing else in the group counts."""
        self.put(self.tables.meta, name, _I64.pack(value))

    def namespace(self, bucket_id: int) -> rows.NamespaceRow:
        """Return a bucket's totals, to be changed in place; `finish` writes them."""
        row = self._namespaces.get(bucket_id)
        if row is None:
            value = self.txn.get(keys.sequence(bucket_id), db=self.tables.namespaces)
            row = rows.NamespaceRow() if value is None else rows.decode_namespace(value)
            self._namespaces[bucket_id] = row
            self._counted[bucket_id] = row.share
        return row

    def account(self, account_id: int) -> rows.AccountRow:
        """Return an account's row, whose bounds may be changed in place; `finish` writes it.

        Its totals lag behind until `count_accounts`.
        """
        row = self._accounts.get(account_id)
        if row is None:
            value = self.txn.get(keys.sequence(account_id), db=self.tables.accounts)
            row = rows.AccountRow() if value is None else rows.decode_account(value)
            self._accounts[account_id] = row
        return row

    def count_accounts(self) -> None:
        """Bring the totals of accounts up to what their namespaces have come to in the group."""
        for bucket_id, row in self._namespaces.items():
            before, now = self._counted[bucket_id], row.share
            if now == before:
                continue
            for share, sign in ((before, -1), (now, 1)):
                if share.account:
                    self.account(share.account).add(share, sign)
            self._counted[bucket_id] = now

    def open_namespace(self, bucket_id: int) -> rows.NamespaceRow:
        """Return the totals of a bucket that takes writes; NamespaceClosed when it does not."""
        row = self.namespace(bucket_id)
        if row.is_closed:
            raise NamespaceClosed(str(bucket_id))
        return row

    def add_live(self, volume_id: int, length: int) -> None:
        """Count bytes of a volume as used, or (negative) as no longer used."""
        self._live[volume_id] = self._live.get(volume_id, 0) + length

    def add_shared(self, delta: int) -> None:
        """Count users of blobs beyond the first of each, or (negative) that some are gone."""
        self._shared += delta

    def finish(self) -> None:
        """Write the counters that moved; nothing may follow but the commit."""
        tables = self.tables
        if self._sequence is not None:
            self.put(tables.meta, SEQUENCE, _I64.pack(self._sequence))
        if self._retained_from_ms is not None:
            self.set_number(RETAINED_FROM, self._retained_from_ms)
        self._finish_accounts()
        for bucket_id, row in self._namespaces.items():
            key, value = keys.sequence(bucket_id), rows.encode(row)
            if value != self.txn.get(key, db=tables.namespaces):  # many only look
                self.put(tables.namespaces, key, value)
        for volume_id, delta in self._live.items():
            key = keys.sequence(volume_id)
            live = number(self.txn.get(key, db=tables.volumes)) + delta
            self.put(tables.volumes, key, _I64.pack(live))
        # An index from before there was the counter goes on without: it could not be right.
        if self._shared and (shared := self.txn.get(SHARED, db=tables.meta)) is not None:
            self.set_number(SHARED, number(shared) + self._shared)

    def _finish_accounts(self) -> None:
        """Write the accounts that moved; of one that has nothing and no bounds there is no row."""
        self.count_accounts()
        table = self.tables.accounts
        for account_id, row in self._accounts.items():
            key, value = keys.sequence(account_id), rows.encode(row)
            if row == NO_ACCOUNT:
                self.delete(table, key)
            elif value != self.txn.get(key, db=table):
                self.put(table, key, value)
