"""Looking objects and their versions up, and listing them, inside a caller's read transaction."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from storage_engine import blobs, rows
from storage_engine.listing import Page, Query
from storage_engine.paths import PathCache
from storage_engine.values import (
    ListPage,
    ObjectInfo,
    ObjectPart,
    ObjectParts,
    Versioning,
    VersionPage,
)
from storage_engine.version_walk import versions_behind
from storage_engine.versions import check_readable, find_version, parse_version_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace


class ObjectReads:
    """Reads of the tables of objects: the tree of keys with an object, and that of markers."""

    def __init__(self, tables: Tables, entries: Namespace, markers: Namespace) -> None:
        self._tables = tables
        self._entries = entries
        self._paths = PathCache(tables, entries, tables.entries)
        self._markers = markers

    def entry(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str, version_id: str | None = None
    ) -> tuple[rows.Entry, bool]:
        """Return a version, the current one without an id, and whether it is the current one.

        NoSuchKey, or KeyDeleted when a marker hides it; NoSuchVersion, IsDeleteMarker.
        """
        current = self.current(txn, bucket_id, key)
        if version_id is None:
            return check_readable(current, key, None), True
        found = find_version(txn, self._tables, current, version_id)
        return check_readable(found, key, version_id), found is current

    def replaced(
        self, txn: lmdb.Transaction[bytes], current: rows.Entry | None, versioning: Versioning
    ) -> rows.Entry | None:
        """Return the version that would go if another were added, as `History.replaced`."""
        if versioning is Versioning.ENABLED:
            return None
        return find_version(txn, self._tables, current, rows.NULL_VERSION_ID)

    def info(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str, version_id: str | None = None
    ) -> ObjectInfo:
        """Return a version's metadata; raises as `entry` does."""
        entry, is_latest = self.entry(txn, bucket_id, key, version_id)
        return entry.info(key, is_latest=is_latest)

    def parts(
        self,
        txn: lmdb.Transaction[bytes],
        name: tuple[int, str, str | None],
        after_part: int,
        limit: int,
    ) -> ObjectParts:
        """Return parts of the version named by (bucket, key, id) that come after a number."""
        entry, is_latest = self.entry(txn, *name)
        info = entry.info(name[1], is_latest=is_latest)
        if not entry.part_count:
            return ObjectParts(info, [], is_truncated=False)
        assert isinstance(entry.payload, bytes)
        manifest = blobs.get_manifest(txn, self._tables, entry.payload)
        parts: list[ObjectPart] = []
        start = beyond = 0
        for number, end in zip(manifest.part_numbers(), manifest.part_ends(), strict=True):
            beyond += number > after_part
            if number > after_part and len(parts) < limit:
                part = blobs.get_part(txn, self._tables, entry.payload, number)
                parts.append(ObjectPart(number, start, end - start, part.checksums))
            start = end
        return ObjectParts(info, parts, is_truncated=0 < len(parts) < beyond)

    def page(self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query) -> ListPage:
        """Return a page of objects and common prefixes."""
        page = self._entries.read(txn, bucket_id, query)
        objects, common_prefixes = [], []
        for name, value in page.items:
            if value is None:
                common_prefixes.append(name.decode())
            else:
                objects.append(rows.decode_entry(value).info(name.decode()))
        return ListPage(objects, common_prefixes, page.is_truncated, page.last.decode())

    # --- versions ------------------------------------------------------------------------------

    def version_page(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query, after_version_id: str
    ) -> VersionPage:
        """Return a page of versions and common prefixes.

        It goes on behind that version of the key `query.after`, or, without an id, after the key.
        InvalidVersionId.
        """
        if after_version_id:
            parse_version_id(after_version_id)
        if query.limit <= 0:
            return VersionPage([], [], is_truncated=False, next_key="", next_version_id="")
        page = self._merged(txn, bucket_id, query)
        places = self._places(txn, bucket_id, query, after_version_id, page)
        found = list(islice(places, query.limit + 1))
        shown = found[: query.limit]
        versions, common_prefixes = [], []
        for name, entry, is_latest in shown:
            if entry is None:
                common_prefixes.append(name.decode())
            else:
                versions.append(entry.info(name.decode(), is_latest=is_latest))
        last_name, last, _ = shown[-1] if shown else (b"", None, False)
        return VersionPage(
            versions,
            common_prefixes,
            is_truncated=len(found) > len(shown) or page.is_truncated,
            next_key=last_name.decode(),
            next_version_id="" if last is None else rows.version_position(last.version),
        )

    def _places(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        query: Query,
        after_version_id: str,
        page: Page,
    ) -> Iterator[tuple[bytes, rows.Entry | None, bool]]:
        """Walk (key, version, is current) and (common prefix, None, _) in order."""
        name = query.after
        if after_version_id and name.startswith(query.prefix) and query.rolled_up(name) is None:
            current = self.current(txn, bucket_id, name.decode())
            if current is not None:
                for entry, is_latest in self._older(txn, current, after_version_id):
                    yield name, entry, is_latest
        for name, value in page.items:
            if value is None:
                yield name, None, False
            else:
                current = rows.decode_entry(value)
                yield name, current, True
                for entry in versions_behind(txn, self._tables, current):
                    yield name, entry, False

    def _older(
        self, txn: lmdb.Transaction[bytes], current: rows.Entry, after_version_id: str
    ) -> Iterator[tuple[rows.Entry, bool]]:
        """Walk the versions of a key that are older than one; all when nobody knows its place."""
        number = parse_version_id(after_version_id)
        if number is None:
            named = find_version(txn, self._tables, current, after_version_id)
            number = None if named is None else named.version
        if number is None or current.version < number:
            yield current, True
            number = None
        for entry in versions_behind(txn, self._tables, current, number):
            yield entry, False

    def _merged(self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query) -> Page:
        """Read a page from both trees as if they were one; a common prefix of both is one item."""
        wanted = Query(query.prefix, query.delimiter, query.after, query.limit + 1)
        pages = [tree.read(txn, bucket_id, wanted) for tree in (self._entries, self._markers)]
        # Beyond the end of a page that was cut short, its tree may have more that comes first.
        ends = [page.last for page in pages if page.is_truncated]
        items = dict(item for page in pages for item in page.items)
        names = sorted(name for name in items if not ends or name <= min(ends))
        return Page(names, [items[name] for name in names], is_truncated=bool(ends))

    def current(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str) -> rows.Entry | None:
        """Return the current version of a key, object or marker."""
        name = key.encode()
        value = self._paths.get(txn, bucket_id, name)
        if value is None:
            value = self._markers.get(txn, bucket_id, name)
        return None if value is None else rows.decode_entry(value)
