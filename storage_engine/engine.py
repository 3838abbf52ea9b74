"""The engine's facade: every verb the rooms above may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from storage_engine.blobs import BlobWriter, StagedBlob
    from storage_engine.reader import ObjectReader
    from storage_engine.values import (
        EngineStats,
        Guard,
        ListPage,
        NamespaceCounts,
        ObjectAttributes,
        ObjectInfo,
        ObjectPart,
        ObjectRef,
        PartInfo,
        PartPage,
        UploadInfo,
        UploadPage,
        VolumeInfo,
    )


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What may be chosen when a store is opened; sizes in bytes."""

    inline_bytes_max: int = 4096  # payloads shorter than this are kept in the index
    volume_bytes_max: int = 1 << 30
    map_bytes: int = 1 << 36


def open_engine(path: Path, options: EngineOptions = EngineOptions()) -> StorageEngine:
    """Open the store at `path`, creating it in an absent or empty directory.

    FormatError when the directory is not ours or a newer version wrote it.
    """
    raise NotImplementedError


class StorageEngine:
    """An open store. Thread-safe; belongs to the process that opened it."""

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...
    def is_inline(self, size: int) -> bool: ...
    def stage_bytes(self, data: bytes, sha256: bytes | None = None) -> StagedBlob: ...
    def begin_blob(
        self,
        size: int,
        *,
        bucket_id: int = 0,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> BlobWriter: ...
    def discard(self, blob: StagedBlob) -> None: ...
    def put_object(
        self,
        bucket_id: int,
        key: str,
        blob: StagedBlob,
        attributes: ObjectAttributes,
        *,
        guard: Guard | None = None,
    ) -> Future[ObjectInfo]: ...
    def delete_object(
        self, bucket_id: int, key: str, *, guard: Guard | None = None
    ) -> Future[ObjectInfo | None]: ...
    def delete_objects(
        self, bucket_id: int, keys: Sequence[tuple[str, Guard | None]]
    ) -> Future[list[ObjectInfo | None | Exception]]: ...
    def copy_object(
        self,
        source: ObjectRef,
        target: ObjectRef,
        attributes: Callable[[ObjectInfo], ObjectAttributes],
        *,
        source_guard: Guard | None = None,
        guard: Guard | None = None,
    ) -> Future[ObjectInfo]: ...
    def create_upload(
        self, bucket_id: int, key: str, attributes: ObjectAttributes
    ) -> Future[UploadInfo]: ...
    def put_part(
        self,
        bucket_id: int,
        key: str,
        upload_id: str,
        part_number: int,
        blob: StagedBlob,
        etag: str,
        checksums: dict[str, str],
    ) -> Future[PartInfo]: ...
    def complete_upload(
        self,
        bucket_id: int,
        key: str,
        upload_id: str,
        parts: Sequence[PartInfo],
        attributes: ObjectAttributes,
        *,
        guard: Guard | None = None,
    ) -> Future[ObjectInfo]: ...
    def abort_upload(self, bucket_id: int, key: str, upload_id: str) -> Future[None]: ...
    def close_namespace(self, bucket_id: int) -> Future[None]: ...
    def bump_generation(self, topic: str) -> int: ...
    def head_object(self, bucket_id: int, key: str) -> ObjectInfo: ...
    def open_object(self, bucket_id: int, key: str) -> ObjectReader: ...
    def object_parts(self, bucket_id: int, key: str) -> list[ObjectPart]: ...
    def list_objects(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> ListPage: ...
    def get_upload(self, bucket_id: int, key: str, upload_id: str) -> UploadInfo: ...
    def list_parts(
        self, bucket_id: int, key: str, upload_id: str, *, after_part: int = 0, limit: int = 1000
    ) -> PartPage: ...
    def list_uploads(
        self,
        bucket_id: int,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_upload_id: str = "",
        limit: int = 1000,
    ) -> UploadPage: ...
    def generation(self) -> int: ...
    def generations(self) -> dict[str, int]: ...
    def namespace_counts(self, bucket_id: int) -> NamespaceCounts: ...
    def stats(self) -> EngineStats: ...
    def volumes(self) -> list[VolumeInfo]: ...
    def verify(self) -> Iterator[str]: ...
    def reclaim(self) -> dict[str, int]: ...
