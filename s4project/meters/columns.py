"""What is kept of a span of time, word by word: the counts of five kinds of requests, and gauges.

Knows neither the file that keeps the words nor where they come from.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Kind(IntEnum):
    """What a request is about, as far as it is told apart in the past."""

    READ = 0
    WRITE = 1
    LIST = 2
    DELETE = 3
    OTHER = 4


KINDS: Final = {
    **dict.fromkeys(("GetObject", "HeadObject", "GetObjectAttributes"), Kind.READ),
    **dict.fromkeys(("PutObject", "PostObject", "CopyObject", "RenameObject"), Kind.WRITE),
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "UploadPartCopy"), Kind.WRITE),
    "CompleteMultipartUpload": Kind.WRITE,
    **dict.fromkeys(("ListBuckets", "ListObjects", "ListObjectsV2"), Kind.LIST),
    **dict.fromkeys(("ListObjectVersions", "ListParts", "ListMultipartUploads"), Kind.LIST),
    **dict.fromkeys(("DeleteObject", "DeleteObjects", "AbortMultipartUpload"), Kind.DELETE),
}

# Seconds up to which a request belongs to a bar of the histogram; the last bar has no end.
BOUNDS: Final = (
    *(0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025),
    *(0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
BARS: Final = len(BOUNDS) + 1

# The words of one kind of requests: replies by the hundreds of their status, the first word those
# that got none; bytes; the sum of all times; the histogram.
UNANSWERED, FINE, REDIRECTED, REFUSED, FAILED, RECEIVED, SENT, MICROSECONDS, TIMES = range(9)
STATUSES: Final = RECEIVED
KIND_WORDS: Final = TIMES + BARS


class Gauges(NamedTuple):
    """What there was at a moment: from `StorageEngine.stats`, and of the disk from statvfs."""

    at: int  # seconds since the epoch; 0: nobody looked
    objects: int
    versions: int
    object_bytes: int  # as clients see them, in all versions
    volume_bytes: int
    dead_bytes: int
    index_bytes: int
    blobs: int
    blob_references: int
    uploads: int
    quarantined: int
    disk_free: int  # to S4: without what the file system keeps for root
    disk_total: int


GAUGES: Final = KIND_WORDS * len(Kind)
WORDS: Final = GAUGES + len(Gauges._fields)


def gauges_of(words: list[int]) -> Gauges:
    """Read the gauges of a span."""
    return Gauges(*words[GAUGES:])
