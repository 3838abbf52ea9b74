"""Looking uploads and their parts up, inside a caller's read transaction."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from storage_engine import keys, rows
from storage_engine.errors import NoSuchUpload
from storage_engine.limits import PART_NUMBER_MAX
from storage_engine.uploads import COMPLETION, get_upload, raw_upload_id, upload_info
from storage_engine.values import PartInfo, PartPage, UploadInfo, UploadPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lmdb

    from storage_engine.index import Tables
    from storage_engine.namespace import Namespace


class UploadReads:
    """Reads of the tables of multipart uploads."""

    def __init__(self, tables: Tables, upload_names: Namespace) -> None:
        self._tables = tables
        self._upload_names = upload_names

    def upload(
        self, txn: lmdb.Transaction[bytes], bucket_id: int, key: str, upload_id: str
    ) -> UploadInfo:
        """Return an upload that is open or was completed within a day; NoSuchUpload."""
        raw_id = raw_upload_id(upload_id)
        row = get_upload(txn, self._tables, raw_id)
        if row is None or (row.bucket_id, row.key) != (bucket_id, key):
            raise NoSuchUpload(upload_id)
        return upload_info(raw_id, row)

    def parts(
        self, txn: lmdb.Transaction[bytes], upload: UploadInfo, after_part: int, limit: int
    ) -> PartPage:
        """Return a page of an upload's parts, by number."""
        raw_id = raw_upload_id(upload.upload_id)
        parts: list[PartInfo] = []
        if after_part >= PART_NUMBER_MAX:
            return PartPage(upload, parts, is_truncated=False)
        with txn.cursor(self._tables.parts) as cursor:
            is_found = cursor.set_range(keys.part(raw_id, max(after_part, COMPLETION) + 1))
            while is_found and cursor.key().startswith(raw_id):
                if len(parts) >= limit:
                    return PartPage(upload, parts, is_truncated=bool(parts))
                number = keys.part_number(cursor.key())
                parts.append(rows.decode_part(cursor.value()).info(number))
                is_found = cursor.next()
        return PartPage(upload, parts, is_truncated=False)

    def page(
        self,
        txn: lmdb.Transaction[bytes],
        bucket_id: int,
        *,
        prefix: str,
        delimiter: str,
        after: tuple[str, str],
        limit: int,
    ) -> UploadPage:
        """Return a page of open uploads and common prefixes, after a (key, upload id)."""
        scope = _Scope(bucket_id, prefix.encode(), delimiter.encode())
        found = list(islice(self._places(txn, scope, *after), limit + 1)) if limit > 0 else []
        uploads, common_prefixes = [], []
        for name, raw_id in found[:limit]:
            if raw_id is None:
                common_prefixes.append(name.decode())
            else:
                value = txn.get(keys.upload(raw_id), db=self._tables.uploads)
                assert value is not None
                uploads.append(upload_info(raw_id, rows.decode_upload(value)))
        last_name, last_id = found[:limit][-1] if found else (b"", None)
        return UploadPage(
            uploads,
            common_prefixes,
            is_truncated=len(found) > limit,
            next_key=last_name.decode(),
            next_upload_id=last_id.hex() if last_id is not None else "",
        )

    def _places(
        self, txn: lmdb.Transaction[bytes], scope: _Scope, after_key: str, after_id: str
    ) -> Iterator[tuple[bytes, bytes | None]]:
        """Walk (key, upload id) and (common prefix, None) in order, from the marker on."""
        after = after_key.encode()
        if after and after_id and scope.lists(after):
            name_id = self._upload_names.get(txn, scope.bucket_id, after)
            if name_id is not None:
                for raw_id in self._open_ids(txn, name_id, after_id):
                    yield after, raw_id
        is_truncated = True
        while is_truncated:
            page = self._upload_names.scan(
                txn,
                scope.bucket_id,
                prefix=scope.prefix,
                delimiter=scope.delimiter,
                after=after,
            )
            for name, name_id in page.items:
                if name_id is None:
                    yield name, None
                else:
                    for raw_id in self._open_ids(txn, name_id):
                        yield name, raw_id
            is_truncated, after = page.is_truncated, page.last

    def _open_ids(
        self, txn: lmdb.Transaction[bytes], name_id: bytes, after_id: str = ""
    ) -> Iterator[bytes]:
        """Walk the open uploads of one key, oldest first."""
        after = raw_upload_id(after_id)
        start = name_id + after + b"\x00" if after else name_id
        with txn.cursor(self._tables.open_uploads) as cursor:
            is_found = cursor.set_range(start)
            while is_found and cursor.key().startswith(name_id):
                yield keys.open_upload_parts(cursor.key())[1]
                is_found = cursor.next()


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a listing of uploads may show."""

    bucket_id: int
    prefix: bytes
    delimiter: bytes

    def lists(self, name: bytes) -> bool:
        """Tell whether a key is listed itself, rather than left out or rolled up."""
        if not name.startswith(self.prefix):
            return False
        return not self.delimiter or self.delimiter not in name[len(self.prefix) :]
