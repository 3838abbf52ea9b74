"""S4's storage engine: durable, atomic, content-addressed objects under (bucket id, key).

Open one per process, after fork, with `open_engine(path)`. Payloads are staged first
(`stage_bytes`, `begin_blob`), outside any lock; then a mutation is committed and its future
resolves once it is on disk. Reads see whole commits. FORMAT.md specifies the bytes.

Only what is named here is promised; every other module is the engine's own.
"""

from __future__ import annotations

from storage_engine.blob_users import BlobUser
from storage_engine.compaction import CompactionOptions, CompactionReport
from storage_engine.engine import StorageEngine, open_engine, renew_engine
from storage_engine.errors import (
    Busy,
    CorruptBlob,
    DiskFull,
    EngineClosed,
    EngineError,
    FormatError,
    IndexNotEmpty,
    InvalidKey,
    IsDeleteMarker,
    JournalDamaged,
    KeyDeleted,
    KeyTooLong,
    NamespaceClosed,
    NamespaceNotEmpty,
    NoSuchKey,
    NoSuchPrefix,
    NoSuchUpload,
    NoSuchVersion,
    ObjectLocked,
    PartChanged,
    PrefixOverlap,
    QuotaExceeded,
    StorageError,
    StoreInUse,
    TargetExists,
    TargetTooLarge,
)
from storage_engine.options import EngineOptions
from storage_engine.reader import ObjectReader
from storage_engine.rebuild import RebuildReport, rebuild_index
from storage_engine.salvage import SalvageReport, survey_volumes
from storage_engine.scrub import ScrubOptions, ScrubReport
from storage_engine.snapshots import Snapshot
from storage_engine.staging import BlobWriter, StagedBlob
from storage_engine.values import (
    Deletion,
    EngineStats,
    Guard,
    ListPage,
    LockMode,
    NamespaceCounts,
    ObjectAttributes,
    ObjectInfo,
    ObjectLock,
    ObjectPart,
    ObjectRef,
    Origin,
    PartInfo,
    PartPage,
    QuarantinedBlob,
    Quota,
    UploadInfo,
    UploadPage,
    Versioning,
    VersionPage,
    VolumeInfo,
    VolumeState,
)

__all__ = [
    "BlobUser",
    "BlobWriter",
    "Busy",
    "CompactionOptions",
    "CompactionReport",
    "CorruptBlob",
    "Deletion",
    "DiskFull",
    "EngineClosed",
    "EngineError",
    "EngineOptions",
    "EngineStats",
    "FormatError",
    "Guard",
    "IndexNotEmpty",
    "InvalidKey",
    "IsDeleteMarker",
    "JournalDamaged",
    "KeyDeleted",
    "KeyTooLong",
    "ListPage",
    "LockMode",
    "NamespaceClosed",
    "NamespaceCounts",
    "NamespaceNotEmpty",
    "NoSuchKey",
    "NoSuchPrefix",
    "NoSuchUpload",
    "NoSuchVersion",
    "ObjectAttributes",
    "ObjectInfo",
    "ObjectLock",
    "ObjectLocked",
    "ObjectPart",
    "ObjectReader",
    "ObjectRef",
    "Origin",
    "PartChanged",
    "PartInfo",
    "PartPage",
    "PrefixOverlap",
    "QuarantinedBlob",
    "Quota",
    "QuotaExceeded",
    "RebuildReport",
    "SalvageReport",
    "ScrubOptions",
    "ScrubReport",
    "Snapshot",
    "StagedBlob",
    "StorageEngine",
    "StorageError",
    "StoreInUse",
    "TargetExists",
    "TargetTooLarge",
    "UploadInfo",
    "UploadPage",
    "VersionPage",
    "Versioning",
    "VolumeInfo",
    "VolumeState",
    "open_engine",
    "rebuild_index",
    "renew_engine",
    "survey_volumes",
]
