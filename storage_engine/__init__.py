"""S4's storage engine: durable, atomic, content-addressed objects under (bucket id, key).

Open one per process, after fork, with `open_engine(path)`. Payloads are staged first
(`stage_bytes`, `begin_blob`), outside any lock; then a mutation is committed and its future
resolves once it is on disk. Reads see whole commits. FORMAT.md specifies the bytes.

Only what is named here is promised; every other module is the engine's own.
"""

from __future__ import annotations

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
    NamespaceClosed,
    NamespaceNotEmpty,
    NoSuchKey,
    NoSuchUpload,
    PartChanged,
    StorageError,
    StoreInUse,
)
from storage_engine.options import EngineOptions
from storage_engine.reader import ObjectReader
from storage_engine.salvage import SalvageReport, survey_volumes
from storage_engine.scrub import ScrubOptions, ScrubReport
from storage_engine.staging import BlobWriter, StagedBlob
from storage_engine.values import (
    EngineStats,
    Guard,
    ListPage,
    NamespaceCounts,
    ObjectAttributes,
    ObjectInfo,
    ObjectPart,
    ObjectRef,
    Origin,
    PartInfo,
    PartPage,
    QuarantinedBlob,
    UploadInfo,
    UploadPage,
    VolumeInfo,
    VolumeState,
)

__all__ = [
    "BlobWriter",
    "Busy",
    "CompactionOptions",
    "CompactionReport",
    "CorruptBlob",
    "DiskFull",
    "EngineClosed",
    "EngineError",
    "EngineOptions",
    "EngineStats",
    "FormatError",
    "Guard",
    "IndexNotEmpty",
    "ListPage",
    "NamespaceClosed",
    "NamespaceCounts",
    "NamespaceNotEmpty",
    "NoSuchKey",
    "NoSuchUpload",
    "ObjectAttributes",
    "ObjectInfo",
    "ObjectPart",
    "ObjectReader",
    "ObjectRef",
    "Origin",
    "PartChanged",
    "PartInfo",
    "PartPage",
    "QuarantinedBlob",
    "SalvageReport",
    "ScrubOptions",
    "ScrubReport",
    "StagedBlob",
    "StorageEngine",
    "StorageError",
    "StoreInUse",
    "UploadInfo",
    "UploadPage",
    "VolumeInfo",
    "VolumeState",
    "open_engine",
    "renew_engine",
    "survey_volumes",
]
