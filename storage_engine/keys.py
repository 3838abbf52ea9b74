"""Keys of every index table, encoded so that LMDB's byte order is the order we want.

Integers are big-endian and of fixed width, so byte order is number order. Only the encoding is
known here: no transaction, no value, no meaning. FORMAT.md states the same in prose.
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Final

from storage_engine.limits import DUE_SUBJECT_BYTES_MAX, NAME_BYTES_MAX

ROOT_DIRECTORY: Final = 0
"""The directory in which every bucket's keys begin; allocated ids start at 1."""

DIRECTORY_BYTES: Final = 16
"""Length of what all entries of one directory share: bucket id and directory id."""

SHA256_BYTES: Final = 32
UPLOAD_ID_BYTES: Final = 16
UPLOAD_TIME_BYTES: Final = 6

CONTINUES: Final = b"\x00"
"""Ends a stored name of NAME_BYTES_MAX bytes whose component goes on in another directory."""

_U64_MAX: Final = (1 << 64) - 1
_U64 = struct.Struct(">Q")
_U64_PAIR = struct.Struct(">QQ")
_DUE = struct.Struct(">QB")
_PART_NUMBER = struct.Struct(">H")


class Table(StrEnum):
    """Names of the index tables; the comment is the key, then the order it gives."""

    ENTRIES = "entries"  # entry(): keys of a bucket in UTF-8 byte order, as a tree
    INLINE = "inline"  # sequence(): age
    BLOBS = "blobs"  # blob(): none
    VOLUMES = "volumes"  # sequence(): age
    UPLOADS = "uploads"  # upload(): none
    UPLOAD_NAMES = "upload_names"  # entry(): as ENTRIES, for the keys with open uploads
    OPEN_UPLOADS = "open_uploads"  # open_upload(): initiation, within one key
    PARTS = "parts"  # part(): part number, within one upload
    MANIFESTS = "manifests"  # upload(): none
    DEAD = "dead"  # extent(): place on disk
    NAMESPACES = "namespaces"  # sequence(): bucket id
    DUE = "due"  # due(): time
    META = "meta"  # meta(): name
    QUARANTINE = "quarantine"  # blob(): none
    MARKERS = "markers"  # entry(): as ENTRIES, for the keys whose current version is a marker
    VERSIONS = "versions"  # version(): newest first, within one key
    LIFECYCLE = "lifecycle"  # look(): time, within one bucket
    ACCOUNTS = "accounts"  # sequence(): account id


class Due(IntEnum):
    """What falls due: the kinds of rows in the DUE table."""

    TOMBSTONE = 1  # a completed upload is forgotten
    RECEIPT = 2  # and a request with a token


def sequence(number: int) -> bytes:
    """Encode an id or sequence number (u64): inline payloads, volumes, namespaces. ValueError."""
    if not 0 <= number <= _U64_MAX:
        raise ValueError(f"{number} is no id: it does not fit into 64 bits")
    return _U64.pack(number)


def sequence_number(key: bytes) -> int:
    """Decode a key made by `sequence`."""
    (number,) = _U64.unpack(key)
    return int(number)


# --- entries -----------------------------------------------------------------------------------


def directory(bucket_id: int, directory_id: int) -> bytes:
    """Encode what every entry of one directory begins with (two u64)."""
    return sequence(bucket_id) + sequence(directory_id)


def entry(bucket_id: int, directory_id: int, name: bytes) -> bytes:
    """Encode the key of one directory's entry; `name` is one of `path_names`."""
    return directory(bucket_id, directory_id) + name


def path_names(key: bytes) -> list[bytes]:
    """Split a key into stored names: the directories on the way, then the object's own name.

    A component keeps its trailing `/`, so the name of a directory ends in one and the last name
    never does (it is empty for `a/`). A component longer than NAME_BYTES_MAX, its `/` counted,
    becomes a continuation: its first NAME_BYTES_MAX bytes and CONTINUES. No other stored name is
    that long, so none can lie between the two, and the order of full keys is kept.
    """
    names = []
    start = 0
    while True:
        slash = key.find(b"/", start, start + NAME_BYTES_MAX)
        if slash >= 0:
            end = slash + 1
            names.append(key[start:end])
        elif len(key) - start > NAME_BYTES_MAX:
            end = start + NAME_BYTES_MAX
            names.append(key[start:end] + CONTINUES)
        else:
            names.append(key[start:])
            return names
        start = end


def leads_on(name: bytes) -> bool:
    """Tell whether a stored name is a directory or a continuation rather than an object."""
    return name.endswith(b"/") or len(name) > NAME_BYTES_MAX


def path_piece(name: bytes) -> bytes:
    """Return the bytes of the full key that a stored name stands for."""
    return name[:NAME_BYTES_MAX]


def version(object_id: int, number: int) -> bytes:
    """Encode a noncurrent version: whose it is, then its number (u64) so that larger come first."""
    return _U64_PAIR.pack(object_id, _U64_MAX - number)


def version_parts(key: bytes) -> tuple[int, int]:
    """Decode a key made by `version` into (object id, version number)."""
    object_id, descending = _U64_PAIR.unpack(key)
    return int(object_id), _U64_MAX - int(descending)


# --- blobs, uploads, parts ----------------------------------------------------------------------


def blob(sha256: bytes) -> bytes:
    """Encode a blob's key: the raw SHA-256 of its payload."""
    assert len(sha256) == SHA256_BYTES
    return sha256


def extent(volume_id: int, offset: int) -> bytes:
    """Encode the place of a record: its volume and where it starts there (two u64)."""
    return _U64_PAIR.pack(volume_id, offset)


def extent_parts(key: bytes) -> tuple[int, int]:
    """Decode a key made by `extent` into (volume id, offset)."""
    volume_id, offset = _U64_PAIR.unpack(key)
    return int(volume_id), int(offset)


def upload(upload_id: bytes) -> bytes:
    """Encode a multipart upload's key: its raw id."""
    assert len(upload_id) == UPLOAD_ID_BYTES
    return upload_id


def upload_begun_ms(upload_id: bytes) -> int:
    """Tell when an upload was begun: its id starts with that (6 bytes)."""
    return int.from_bytes(upload_id[:UPLOAD_TIME_BYTES])


def open_upload(name_id: int, upload_id: bytes) -> bytes:
    """Encode the place of an open upload among those of one key, in order of upload id.

    `name_id` (u64) is what the UPLOAD_NAMES tree keeps for that key.
    """
    return _U64.pack(name_id) + upload(upload_id)


def open_upload_parts(key: bytes) -> tuple[int, bytes]:
    """Decode a key made by `open_upload` into (name id, upload id)."""
    assert len(key) == _U64.size + UPLOAD_ID_BYTES
    return sequence_number(key[: _U64.size]), key[_U64.size :]


def part(upload_id: bytes, part_number: int) -> bytes:
    """Encode a part's key; parts of one upload lie together, by number (u16)."""
    return upload(upload_id) + _PART_NUMBER.pack(part_number)


def part_number(key: bytes) -> int:
    """Decode the part number of a key made by `part`."""
    (number,) = _PART_NUMBER.unpack(key[UPLOAD_ID_BYTES:])
    return int(number)


# --- deadlines, meta ----------------------------------------------------------------------------


def due(at_ms: int, kind: int, subject: bytes) -> bytes:
    """Encode a deadline: time (u64, epoch milliseconds), kind (u8), then what falls due."""
    assert len(subject) <= DUE_SUBJECT_BYTES_MAX
    return _DUE.pack(at_ms, kind) + subject


def due_parts(key: bytes) -> tuple[int, int, bytes]:
    """Decode a key made by `due` into (time, kind, subject)."""
    at_ms, kind = _DUE.unpack_from(key)
    return int(at_ms), int(kind), key[_DUE.size :]


# --- lifecycle ---------------------------------------------------------------------------------

LOOK_DIGEST_BYTES: Final = 16
SCAN_MS: Final = 0
"""In place of a look's time: keys are still to be found that need one."""

_LOOK = struct.Struct(">QQ")


def look(bucket_id: int, at_ms: int, digest: bytes) -> bytes:
    """Encode when lifecycle looks at something of a bucket: two u64, then what (16 bytes)."""
    assert len(digest) == LOOK_DIGEST_BYTES
    return _LOOK.pack(bucket_id, at_ms) + digest


def look_parts(key: bytes) -> tuple[int, int, bytes]:
    """Decode a key made by `look` into (bucket id, time, digest)."""
    bucket_id, at_ms = _LOOK.unpack_from(key)
    return int(bucket_id), int(at_ms), key[_LOOK.size :]


# --- single values -----------------------------------------------------------------------------

RECEIPTS: Final = b"receipt."
TOKEN_BYTES: Final = 16


def receipt(token: bytes) -> bytes:
    """Encode the name of a receipt in the table of single values."""
    assert len(token) == TOKEN_BYTES
    return RECEIPTS + token


def lifecycle(bucket_id: int) -> bytes:
    """Encode the name of a bucket's rules in the table of single values."""
    return b"lifecycle." + sequence(bucket_id)


def lifecycle_done(bucket_id: int, rule_id: str = "") -> bytes:
    """Encode the name of what one rule has done; without a rule, what all such begin with."""
    name = b"lifecycle_done." + sequence(bucket_id)
    if rule_id:
        name += blake2b(rule_id.encode(), digest_size=LOOK_DIGEST_BYTES).digest()
    return name


def meta(name: str) -> bytes:
    """Encode a name in the table of single values."""
    return name.encode("ascii")


JOURNAL: Final = meta("journal")
"""Where the next frame goes; written with every commit, and itself in no frame."""
