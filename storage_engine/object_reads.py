"""Looking objects and their versions up, and listing them, inside a caller's read transaction."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Generic, TypeVar

from storage_engine import blobs, rows
from storage_engine.listing import Page, Query
from storage_engine.paths import PathCache
from storage_engine.values import (
    ListedVersion,
    Listing,
    ListPage,
    ObjectInfo,
    ObjectPart,
    ObjectParts,
    Versioning,
    VersionPage,
)
from storage_engine.version_ids import NULL_VERSION_ID, version_position
from storage_engine.version_walk import values_behind
from storage_engine.versions import check_readable, find_version, parse_version_id

if TYPE_CHECKING:
    from collections.abc import Callable

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace

Row = TypeVar("Row", rows.Entry, ListedVersion)
"""A version's row, decoded: all of it, or what listings show."""


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
        return find_version(txn, self._tables, current, NULL_VERSION_ID)

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
        found = self.listing(txn, bucket_id, query, rows.decode_entry)
        return ListPage(_infos(found), found.common_prefixes, found.is_truncated, found.next_key)

    def listing(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        query: Query,
        decode: Callable[[bytes], Row],
    ) -> Listing[Row]:
        """Return a page of objects and common prefixes, of what is decoded."""
        page = self._entries.read(txn, bucket_id, query)
        found: _Found[Row] = _Found()
        found.names = page.names
        found.versions = [None if value is None else decode(value) for value in page.values]
        found.are_latest = [True] * len(page.names)
        return found.listing(query.limit, is_truncated=page.is_truncated)

    # --- versions ------------------------------------------------------------------------------

    def version_page(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query, after_version_id: str
    ) -> VersionPage:
        """Return a page of versions and common prefixes; as `version_listing`."""
        found = self.version_listing(txn, bucket_id, query, after_version_id, rows.decode_entry)
        return VersionPage(
            _infos(found),
            found.common_prefixes,
            found.is_truncated,
            found.next_key,
            found.next_version_id,
        )

    def version_listing(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        query: Query,
        after_version_id: str,
        decode: Callable[[bytes], Row],
    ) -> Listing[Row]:
        """Return a page of versions and common prefixes, of what is decoded.

        It goes on behind that version of the key `query.after`, or, without an id, after the key.
        InvalidVersionId.
        """
        if after_version_id:
            parse_version_id(after_version_id)
        found: _Found[Row] = _Found()
        if query.limit <= 0:
            return found.listing(0, is_truncated=False)
        room = query.limit + 1  # the last one only tells that there are more
        page = self._merged(txn, bucket_id, query)
        with txn.cursor(self._tables.versions) as cursor:
            if after_version_id and query.lists(query.after):
                values, are_latest = self._older(txn, cursor, bucket_id, query, after_version_id)
                found.add(query.after, list(map(decode, values)), are_latest)
            for name, value in zip(page.names, page.values, strict=True):
                if len(found.names) >= room:
                    break
                if found.names and query.is_over():
                    return found.listing(query.limit, is_truncated=True)
                if value is None:
                    found.add(name, [None], [False])
                    continue
                current = decode(value)
                found.add(name, [current], [True])
                if current.object_id:
                    left = room - len(found.names)
                    behind = values_behind(cursor, current.object_id, left)
                    found.add(name, list(map(decode, behind)), [False] * len(behind))
        return found.listing(query.limit, is_truncated=page.is_truncated)

    def _older(
        self,
        txn: lmdb.Transaction[bytes],
        cursor: lmdb.Cursor[bytes],
        bucket_id: int,
        query: Query,
        version_id: str,
    ) -> tuple[list[bytes], list[bool]]:
        """Read the versions of `query.after` that are older than one, and which is the current.

        All when nobody knows the place of that one.
        """
        value = self._current_value(txn, bucket_id, query.after)
        if value is None:
            return [], []
        current = rows.decode_entry(value)
        number = parse_version_id(version_id)
        if number is None:
            named = find_version(txn, self._tables, current, version_id)
            number = None if named is None else named.version
        shown = [value] if number is None or current.version < number else []
        before = None if shown else number
        behind = []
        if current.object_id:
            behind = values_behind(cursor, current.object_id, query.limit + 1, before)
        return shown + behind, [True] * len(shown) + [False] * len(behind)

    def _merged(self, txn: lmdb.Transaction[bytes], bucket_id: int, query: Query) -> Page:
        """Read a page from both trees as if they were one; a common prefix of both is one item."""
        wanted = replace(query, limit=query.limit + 1)
        pages = [tree.read(txn, bucket_id, wanted) for tree in (self._entries, self._markers)]
        if not pages[1].names:
            return pages[0]
        # Beyond the end of a page that was cut short, its tree may have more that comes first.
        ends = [page.last for page in pages if page.is_truncated]
        items = dict(item for page in pages for item in page.items)
        names = sorted(name for name in items if not ends or name <= min(ends))
        return Page(names, [items[name] for name in names], is_truncated=bool(ends))

    def current(self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str) -> rows.Entry | None:
        """Return the current version of a key, object or marker."""
        value = self._current_value(txn, bucket_id, key.encode())
        return None if value is None else rows.decode_entry(value)

    def _current_value(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, name: bytes
    ) -> bytes | None:
        value = self._paths.get(txn, bucket_id, name)
        return self._markers.get(txn, bucket_id, name) if value is None else value


class _Found(Generic[Row]):
    """What a page is made of, in order: versions, and common prefixes, of which there are none."""

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.versions: list[Row | None] = []
        self.are_latest: list[bool] = []

    def add(self, name: bytes, versions: list[Row | None], are_latest: list[bool]) -> None:
        """Add versions of one key, or a common prefix."""
        self.names += [name] * len(versions)
        self.versions += versions
        self.are_latest += are_latest

    def listing(self, limit: int, *, is_truncated: bool) -> Listing[Row]:
        """Make a page of as many as it may have."""
        is_truncated |= len(self.names) > limit
        keys = [name.decode() for name in self.names[:limit]]
        versions, are_latest = self.versions[:limit], self.are_latest[:limit]
        next_key, last = (keys[-1], versions[-1]) if keys else ("", None)
        is_version = [version is not None for version in versions]
        common_prefixes = []
        if not all(is_version):
            common_prefixes = list(compress(keys, map(not_, is_version)))
            keys = list(compress(keys, is_version))
            are_latest = list(compress(are_latest, is_version))
        return Listing(
            keys,
            [version for version in versions if version is not None],
            are_latest,
            common_prefixes,
            is_truncated,
            next_key,
            "" if last is None else version_position(last.version),
        )


def _infos(found: Listing[rows.Entry]) -> list[ObjectInfo]:
    rows_of_keys = zip(found.keys, found.versions, found.are_latest, strict=True)
    return [entry.info(key, is_latest=is_latest) for key, entry, is_latest in rows_of_keys]
