"""Counts the whole index again, as of one commit, and tells where it contradicts itself.

Keeps in memory the references of each blob and inline payload: about 150 bytes for each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from storage_engine import blobs, keys, links, locks, rows
from storage_engine.errors import CorruptBlob
from storage_engine.meta import read_shared
from storage_engine.namespace import Namespace
from storage_engine.pace import Stopped, never
from storage_engine.transaction import SEQUENCE, number
from storage_engine.tree_check import TreeCheck
from storage_engine.uploads import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import lmdb

    from storage_engine.index import Tables

STEPS_BETWEEN_LOOKS: Final = 1024  # at the wish to stop: a millisecond or two


class Recount:
    """Everything counted again. `problems` are sentences; `blobs` are the rows as found."""

    def __init__(
        self,
        txn: lmdb.Transaction[bytes],
        tables: Tables,
        should_stop: Callable[[], bool] = never,
    ) -> None:
        self._txn = txn
        self._tables = tables
        self._should_stop = should_stop
        self.problems: list[str] = []
        self.blobs: dict[bytes, rows.Blob] = {}
        self._references: Counter[bytes] = Counter()
        self._inline: Counter[int] = Counter()
        self._manifests: Counter[bytes] = Counter()
        self._part_owners: dict[bytes, str] = {}
        self._totals: defaultdict[int, rows.NamespaceRow] = defaultdict(rows.NamespaceRow)
        self._accounts: defaultdict[int, rows.AccountRow] = defaultdict(rows.AccountRow)
        # By object id: the bucket, the numbers of the current and of the null version behind it.
        self._owners: dict[int, tuple[int, int, int | None]] = {}
        self._sequence = number(txn.get(SEQUENCE, db=tables.meta))
        self._count_objects()
        self._count_uploads()
        self._check_manifests()
        self._count_parts()
        self._check_inline()
        self._check_blobs()
        self._check_namespaces()
        self._check_accounts()

    def blobs_in_order(self) -> list[tuple[bytes, rows.Blob]]:
        """Return the blobs as they lie on disk."""
        return sorted(self.blobs.items(), key=lambda item: (item[1].volume_id, item[1].offset))

    def _say(self, problem: str) -> None:
        self.problems.append(problem)

    def _rows(self, table: lmdb._Database) -> Iterator[tuple[bytes, bytes]]:
        """Walk a table; Stopped."""
        with self._txn.cursor(table) as cursor:
            for count, row in enumerate(cursor):
                if count % STEPS_BETWEEN_LOOKS == 0 and self._should_stop():
                    raise Stopped
                yield row

    def _use(self, payload: rows.Payload, size: int, user: str) -> None:
        """Count one reference to a payload."""
        if isinstance(payload, int):
            self._inline[payload] += 1
            self._check_inline_payload(payload, size, user)
        elif payload is not None:
            self._references[payload] += 1
        elif size:
            self._say(f"{user} has {size} bytes and no payload")

    def _check_inline_payload(self, sequence: int, size: int, user: str) -> None:
        try:
            found = len(blobs.read_inline(self._txn, self._tables, sequence))
        except CorruptBlob as error:
            self._say(f"{user}: {error}")
        else:
            if found != size:
                self._say(f"{user} has {size} bytes, its inline payload {found}")

    # --- the trees -----------------------------------------------------------------------------

    def _count_objects(self) -> None:
        for table, what in ((self._tables.entries, "entries"), (self._tables.markers, "markers")):
            for bucket_id, name, value in self._walk_tree(table, what):
                user = f"object {name!r} in namespace {bucket_id}"
                entry = self._read_entry(value, user)
                if entry is None:
                    continue
                if entry.is_marker != (what == "markers"):
                    self._say(f"{user} is in the tree of {what}")
                self._totals[bucket_id].objects += not entry.is_marker
                self._count_version(bucket_id, entry, user)
                self._note_owner(bucket_id, entry, user)
        self._check_apart()
        self._count_versions()

    def _read_entry(self, value: bytes, user: str) -> rows.Entry | None:
        try:
            return rows.decode_entry(value)
        except msgspec.MsgspecError as error:
            self._say(f"{user} cannot be read: {error}")
            return None

    def _count_version(self, bucket_id: int, entry: rows.Entry, user: str) -> None:
        self._check_sequence(max(entry.version, entry.object_id), user)
        totals = self._totals[bucket_id]
        totals.versions += 1
        totals.markers += entry.is_marker
        locks.count(totals, entry, 1)
        totals.object_bytes += entry.size
        if entry.part_count:
            assert isinstance(entry.payload, bytes)
            self._manifests[entry.payload] += 1
            self._check_object_parts(user, entry)
        else:
            self._use(entry.payload, entry.size, user)

    # --- versions ------------------------------------------------------------------------------

    def _note_owner(self, bucket_id: int, entry: rows.Entry, user: str) -> None:
        """Remember whose the versions of an object id are."""
        if not entry.object_id:
            if entry.version or not entry.is_null or entry.null_behind is not None:
                self._say(f"{user} has versions and no id for them")
            return
        if entry.object_id in self._owners:
            self._say(f"{user} shares its versions with another key")
        if entry.is_null and entry.null_behind is not None:
            self._say(f"{user} has a second null version")
        self._owners[entry.object_id] = (bucket_id, entry.version, entry.null_behind)

    def _check_apart(self) -> None:
        """Make sure that no key is in both trees."""
        entries, markers = Namespace(self._tables.entries), Namespace(self._tables.markers)
        for bucket_id in [id_ for id_, totals in self._totals.items() if totals.markers]:
            after, is_truncated = b"", True
            while is_truncated:
                try:
                    page = markers.scan(self._txn, bucket_id, after=after)
                except CorruptBlob as error:
                    self._say(f"markers of namespace {bucket_id}: {error}")
                    break
                for name, _ in page.items:
                    if entries.get(self._txn, bucket_id, name) is not None:
                        self._say(f"{name!r} in namespace {bucket_id} is object and marker at once")
                is_truncated, after = page.is_truncated, page.last

    def _count_versions(self) -> None:
        nulls = {
            keys.version(object_id, null_behind)
            for object_id, (_, _, null_behind) in self._owners.items()
            if null_behind is not None
        }
        for key, value in self._rows(self._tables.versions):
            object_id, number = keys.version_parts(key)
            user = f"version {number} of object id {object_id}"
            entry = self._read_entry(value, user)
            if entry is None:
                continue
            bucket_id, newest, _ = self._owners.get(object_id, (None, 0, None))
            if bucket_id is None:
                self._say(f"{user} belongs to no key")
                continue
            if (entry.object_id, entry.version) != (object_id, number) or number >= newest:
                self._say(f"{user} is not where it belongs")
            if entry.is_null != (key in nulls):
                self._say(f"{user} and the current version disagree on which is the null version")
            nulls.discard(key)
            self._count_version(bucket_id, entry, user)
        for key in nulls:
            self._say(f"null version {keys.version_parts(key)} is missing")

    def _walk_tree(self, table: lmdb._Database, what: str) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (bucket, stored name, value) of each object; check the directories on the way."""
        tree = TreeCheck()
        for key, value in self._rows(table):
            bucket, name = key[: keys.DIRECTORY_BYTES // 2], key[keys.DIRECTORY_BYTES :]
            tree.add(key, value)
            if keys.leads_on(name) and len(value) != links.LINK_BYTES:
                continue  # the tree's check tells
            if keys.leads_on(name):
                child = keys.sequence_number(links.child(value))
                self._check_sequence(child, f"directory {name!r}")
            else:
                yield keys.sequence_number(bucket), name, value
        for problem in tree.problems():
            self._say(f"{what}: {problem}")

    def _check_sequence(self, used: int, user: str) -> None:
        if used > self._sequence:
            self._say(f"{user} has number {used}, and the counter stands at {self._sequence}")

    # --- uploads and parts ---------------------------------------------------------------------

    def _count_uploads(self) -> None:
        names = {
            (bucket_id, name_id)
            for bucket_id, _, name_id in self._walk_tree(self._tables.upload_names, "upload names")
        }
        ids = {name_id for _, name_id in names}
        places = {key[8:]: key[:8] for key, _ in self._rows(self._tables.open_uploads)}
        for name_id in ids ^ set(places.values()):
            self._say(f"open uploads of name {name_id.hex()} and the names disagree")
        due = self._check_due()
        for raw_id, value in self._rows(self._tables.uploads):
            row = rows.decode_upload(value)
            is_open = row.completed is None
            if is_open != (raw_id in places) or is_open == (raw_id in due):
                self._say(f"upload {raw_id.hex()} is neither open nor remembered as it should be")
            if is_open:
                self._part_owners[raw_id] = "upload"
                self._totals[row.bucket_id].uploads += 1
            places.pop(raw_id, None)
            due.discard(raw_id)
        for raw_id in due.union(places):
            self._say(f"upload {raw_id.hex()} is listed as open or due and does not exist")

    def _check_due(self) -> set[bytes]:
        """Check that receipts fall due and that what falls due is there; return the uploads."""
        uploads: set[bytes] = set()
        receipts: set[bytes] = set()
        for key, _ in self._rows(self._tables.due):
            _, kind, subject = keys.due_parts(key)
            (receipts if kind == keys.Due.RECEIPT else uploads).add(subject)
        start = len(keys.RECEIPTS)
        held = {
            key[start:] for key, _ in self._rows(self._tables.meta) if key.startswith(keys.RECEIPTS)
        }
        for token in receipts ^ held:
            self._say(f"receipt {token.hex()} is not remembered as it should be")
        return uploads

    def _check_object_parts(self, user: str, entry: rows.Entry) -> None:
        assert isinstance(entry.payload, bytes)
        value = self._txn.get(entry.payload, db=self._tables.manifests)
        if value is None:
            self._say(f"{user} has lost its manifest")
            return
        manifest = rows.decode_manifest(value)
        ends = manifest.part_ends()
        if (len(ends), ends[-1]) != (entry.part_count, entry.size):
            self._say(f"{user} and its manifest disagree")

    def _check_manifests(self) -> None:
        for raw_id, value in self._rows(self._tables.manifests):
            manifest = rows.decode_manifest(value)
            found = self._manifests.pop(raw_id, 0)
            if manifest.references != found:
                self._say(
                    f"manifest {raw_id.hex()} counts {manifest.references} objects, has {found}"
                )
            if raw_id in self._part_owners:
                self._say(f"the parts of {raw_id.hex()} belong to an upload and an object")
            self._part_owners[raw_id] = "object"
            self._check_manifest_parts(raw_id, manifest)
        for raw_id in self._manifests:
            self._say(f"manifest {raw_id.hex()} is referred to and missing")

    def _check_manifest_parts(self, raw_id: bytes, manifest: rows.Manifest) -> None:
        start = 0
        cited = manifest.part_numbers()
        for part_number, end in zip(cited, manifest.part_ends(), strict=True):
            value = self._txn.get(keys.part(raw_id, part_number), db=self._tables.parts)
            if value is None or rows.decode_part(value).size != end - start:
                self._say(f"part {part_number} of object {raw_id.hex()} is missing or changed")
            start = end
        held = sum(keys.part_number(key) != COMPLETION for key in self._part_keys(raw_id))
        if held != len(cited):
            self._say(f"object {raw_id.hex()} cites {len(cited)} parts and holds {held}")

    def _part_keys(self, raw_id: bytes) -> Iterator[bytes]:
        with self._txn.cursor(self._tables.parts) as cursor:
            is_found = cursor.set_range(raw_id)
            while is_found and cursor.key().startswith(raw_id):
                yield cursor.key()
                is_found = cursor.next()

    def _count_parts(self) -> None:
        for key, value in self._rows(self._tables.parts):
            raw_id = key[: keys.UPLOAD_ID_BYTES]
            user = f"part {keys.part_number(key)} of {raw_id.hex()}"
            part = rows.decode_part(value)
            self._check_sequence(part.sequence, user)
            self._use(part.payload, part.size, user)
            owner = self._part_owners.get(raw_id)
            if owner is None:
                self._say(f"{user} belongs to nothing")
            elif owner == "upload":
                upload = self._txn.get(raw_id, db=self._tables.uploads)
                assert upload is not None
                totals = self._totals[rows.decode_upload(upload).bucket_id]
                totals.parts += 1
                totals.upload_bytes += part.size

    # --- payloads and totals -------------------------------------------------------------------

    def _check_inline(self) -> None:
        for key, _ in self._rows(self._tables.inline):
            sequence = keys.sequence_number(key)
            self._check_sequence(sequence, "an inline payload")
            if self._inline[sequence] != 1:
                self._say(f"inline payload {sequence} has {self._inline[sequence]} users")

    def _check_blobs(self) -> None:
        live: Counter[int] = Counter()
        shared = 0
        for sha256, value in self._rows(self._tables.blobs):
            blob = rows.decode_blob(value)
            self.blobs[sha256] = blob
            live[blob.volume_id] += blob.length
            found = self._references.pop(sha256, 0)
            shared += blob.references - 1
            if blob.references != found:
                self._say(f"blob {sha256.hex()} counts {blob.references} users, has {found}")
        for sha256 in self._references:
            self._say(f"blob {sha256.hex()} is referred to and missing")
        counted = read_shared(self._txn, self._tables)
        if counted not in {None, shared}:
            self._say(f"the index counts {counted} users beside the first, has {shared}")
        for key, value in self._rows(self._tables.volumes):
            volume_id = keys.sequence_number(key)
            found = live.pop(volume_id, 0)
            if number(value) != found:
                self._say(f"volume {volume_id} counts {number(value)} live bytes, has {found}")
        for volume_id in live:
            self._say(f"volume {volume_id} has blobs and no row")
        self._check_overlaps()
        self._check_quarantine()

    def _check_quarantine(self) -> None:
        for sha256, value in self._rows(self._tables.quarantine):
            row, blob = rows.decode_quarantined(value), self.blobs.get(sha256)
            if blob is None or (blob.volume_id, blob.offset) != (row.volume_id, row.offset):
                self._say(f"blob {sha256.hex()} is in quarantine for a record it does not have")

    def _check_overlaps(self) -> None:
        places = [(blob.volume_id, blob.offset, blob.length) for blob in self.blobs.values()]
        for key, value in self._rows(self._tables.dead):
            places.append((*keys.extent_parts(key), rows.decode_dead(value).length))
        places.sort()
        for (volume_id, offset, length), after in pairwise(places):
            if volume_id == after[0] and offset + length > after[1]:
                self._say(f"records overlap in volume {volume_id} at {after[1]}")

    def _check_namespaces(self) -> None:
        for key, value in self._rows(self._tables.namespaces):
            bucket_id = keys.sequence_number(key)
            row = rows.decode_namespace(value)
            found = self._totals.pop(bucket_id, rows.NamespaceRow())
            found.is_closed = row.is_closed
            found.quota_bytes, found.quota_versions = row.quota_bytes, row.quota_versions
            found.account = row.account
            self._accounts[row.account].add(found.share, 1)
            found.lifecycle = row.lifecycle
            # That of the row may be of a version that is gone.
            found.retained_until_ms = max(found.retained_until_ms, row.retained_until_ms)
            if row != found:
                self._say(f"namespace {bucket_id} counts {row}, has {found}")
            if row.is_closed and (row.versions or row.uploads):
                self._say(f"namespace {bucket_id} is closed and not empty")
        for bucket_id in self._totals:
            self._say(f"namespace {bucket_id} has objects and no row")

    def _check_accounts(self) -> None:
        self._accounts.pop(0, None)  # what is nobody's
        for key, value in self._rows(self._tables.accounts):
            account_id, row = keys.sequence_number(key), rows.decode_account(value)
            found = self._accounts.pop(account_id, rows.AccountRow())
            found.quota_bytes, found.quota_versions = row.quota_bytes, row.quota_versions
            if row != found:
                self._say(f"account {account_id} counts {row}, has {found}")
        for account_id, found in self._accounts.items():
            if found != rows.AccountRow():
                self._say(f"account {account_id} has {found} and no row")
