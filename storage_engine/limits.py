"""Every bound of the storage engine, in one place, with the reason beside it.

Sizes are bytes and times are milliseconds unless the name says otherwise. A bound that shapes
what lies on disk says so: changing it needs a new format version. Knows nothing else.
"""

from __future__ import annotations

from typing import Final

# --- names -------------------------------------------------------------------------------------

LMDB_KEY_BYTES_MAX: Final = 511
"""LMDB's compiled-in bound on a key; every encoded key stays under it."""

KEY_BYTES_MAX: Final = 1024
"""Longest object key, as UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""

NAME_BYTES_MAX: Final = 400
"""Longest piece of a key kept in one directory; longer ones continue in another. On disk."""

SCAN_STEPS_MAX: Final = 20_000
"""Index positions one list page may visit (about 1 us each) before it ends early, which S3 allows.
Only absurd trees come near: a thousand keys that each lie ten directories apart. A fifth of it
leads from any key to the next, so that a page without any item shows a damaged tree."""

RUN_ITEMS_MIN: Final = 4
"""Items in a row after which a listing reads ahead, at first as many: fewer cost more than they
save."""

RUN_ITEMS_MAX: Final = 256
"""Items that a listing reads ahead at most, in some 20 pages of the index: between two looks at
the clock."""

PAGE_ITEMS_MAX: Final = 100_000
"""Items of one page of any listing at most, whatever is asked for: about a second's work."""

RENAME_VERSIONS_MAX: Final = 1000
"""Versions that one rename removes at its target: about 30 ms at most."""

RENAME_LOOKS_MAX: Final = 10_000
"""Versions that one rename looks at for locks, where any in the bucket may bind: about 50 ms."""

RENAME_PARTS_MAX: Final = 10_000
"""Parts of multipart objects that one rename removes besides: as many as one object may have, and
as any put over it removes in one commit. About 80 ms at most."""

PATHS_REMEMBERED_MAX: Final = 10_000
"""Directories whose id a process remembers by path, in some megabytes; all are forgotten then."""

DUE_SUBJECT_BYTES_MAX: Final = 400
"""Longest name of a thing that falls due."""

# --- payloads ----------------------------------------------------------------------------------

INLINE_BYTES_MAX: Final = 4096
"""Payloads shorter than this are kept in the index, unless the options say otherwise."""

BLOB_BYTES_MAX: Final = 1 << 40
"""Longest payload of one record; a header that claims more is corrupt. On disk."""

BLOCK_BYTES: Final = 64 * 1024
"""What one checksum covers, and so the least that is read to serve a byte. On disk."""

BLOCK_CHECKS_IN_INDEX_MAX: Final = 16
"""Blobs of more blocks keep their checksums only in their record, not in the index as well."""

PIECES_BYTES_MAX: Final = 256 * 1024
"""Small writes to a blob are gathered until they come to this."""

HASTEN_BYTES: Final = 8 * 1024 * 1024
"""How much of a payload is written before the disk is asked to begin: without that a small
payload's sync waits for all that large ones have written beside it."""

GROUP_BYTES_MAX: Final = 32 * 1024 * 1024
"""Payloads that are written and synced together at most: none waits long for its neighbours."""

GATHER_BYTES: Final = 1024 * 1024
"""Payloads that the requests of a busy loop gather before they are handed on to be written: so
the loop goes on receiving while the disk has something to do."""

MOVES_FOLLOWED_MAX: Final = 8
"""How often one step of a read looks a payload up again that was moved under it."""

READ_BYTES_MAX: Final = 1024 * 1024
"""Most that one call reads from a volume where nobody waits for all of it."""

BUFFER_BYTES: Final = READ_BYTES_MAX + BLOCK_BYTES
"""Most that it reads of a payload: the blocks of a MiB, wherever in one that begins."""

BUFFERS_MAX: Final = 16
"""Buffers of that size that a thread keeps. Clients may take their time with what is in them; each
more of these costs what he is sent."""

# --- volumes -----------------------------------------------------------------------------------

RECORD_ALIGNMENT: Final = 512
"""Records and volume headers start at multiples of this: one sector. On disk."""

RECORD_HEADER_BYTES_MAX: Final = 64 * 1024
"""Longest record header; a description that would not fit is left out. On disk."""

VOLUME_BYTES_MAX: Final = 1 << 30
"""Length at which a volume is followed by another; one larger blob gets a volume of its own."""

PUNCH_BYTES_MIN: Final = 256 * 1024
"""Dead regions of this size give their room back as holes; readers of such blobs hold a lock."""

PUNCH_GRACE_MS: Final = 10 * 60 * 1000
"""Age at which a dead blob's room is given back: most slow readers have left by then."""

COMPACTION_THRESHOLD: Final = 0.3
"""Share of dead bytes from which a volume is rewritten: at most 2.3 bytes copied for each won."""

COMPACTION_GAIN_BYTES_MIN: Final = 64 * 1024
"""Room below which rewriting a volume is not worth it: file systems round by about as much."""

COMPACTION_BATCH_BYTES: Final = 8 * 1024 * 1024
"""What compaction copies before it syncs and commits (more when one blob is larger)."""

COMPACTION_RESERVE_SHARE: Final = 0.25
"""How much of the reserve compaction leaves: less than the others must, for it makes their room."""

MERGE_FLOOR_BYTES: Final = 1024 * 1024
"""Volumes smaller than this count as this large when small ones are merged."""

DESCRIPTORS_MAX: Final = 256
"""Volumes a process keeps open for reading."""

DISK_RESERVE_BYTES: Final = 64 * 1024 * 1024
"""Room kept so that deletes and the index still work when the disk is full for everyone else."""

SCRUB_NOTE_BYTES: Final = 64 * 1024 * 1024
"""What the scrub reads again at most when it was cut off: so often it notes how far it is."""

QUARANTINE_REASON_CHARACTERS_MAX: Final = 200
"""How much of what was wrong with a blob is remembered."""

# --- index -------------------------------------------------------------------------------------

MAP_BYTES: Final = 1 << 36
"""Address room of the index, not its size on disk; it doubles when it is used up."""

INDEX_ROOM_BYTES: Final = 8 * 1024 * 1024
"""Blocks the index's file is given ahead of its use, so that no commit finds the disk full while it
writes its pages: LMDB cannot tell that from a broken disk."""

DISK_FULL_BYTES: Final = 1024 * 1024
"""Room under which a disk counts as full when LMDB says no more than that a write failed."""

READERS_MAX: Final = 1024
"""Read transactions open at once, over all processes."""

SPARE_READERS_MAX: Final = 16
"""Read transactions a process keeps for reuse: beginning one then costs 0.3 us, not 1 us."""

COMMIT_OPERATIONS_MAX: Final = 1024
"""Operations that share one commit at most, so that none waits long for its neighbours."""

BRIEF_OPERATIONS_MAX: Final = 64
"""Of these, what an event loop is given between two requests: about a millisecond."""

BRIEF_SECONDS: Final = 0.002
"""After which it leaves the rest: what the guards of callers take is theirs to say."""

# --- journal, checkpoints, snapshots -----------------------------------------------------------

JOURNAL_PAGE_BYTES: Final = 4096
"""Frames and segment headers fill whole pages of this: a torn write harms one frame only, and
overwriting whole pages of a recycled file reads none of them first. On disk."""

JOURNAL_SEGMENT_BYTES: Final = 32 * 1024 * 1024
"""Length of a segment: some seconds of the busiest small writes; a larger group gets its own."""

JOURNAL_SPARES_MAX: Final = 4
"""Recycled segments kept for reuse; more are removed."""

CHECKPOINT_SECONDS: Final = 2.0
"""How long changes wait for a checkpoint at most; without changes nothing is written. Pages that a
commit replaces are free again only two checkpoints later: longer means a larger index file."""

CHECKPOINT_STEP_BYTES: Final = 4 * 1024 * 1024
"""How much of the index is written out at a time before a checkpoint's sync, so that the journal's
syncs are not queued behind hundreds of megabytes."""

CHECKPOINT_JOURNAL_BYTES: Final = 64 * 1024 * 1024
"""Journal after which a checkpoint comes at once: this, not the number of objects, bounds how long
a recovery takes."""

REPLAY_BYTES: Final = 4 * 1024 * 1024
"""How much of the journal a recovery commits at a time."""

RECOVERY_READERS: Final = 16
"""Threads that read the index ahead of a recovery: disks serve so many at once as fast as one."""

SNAPSHOT_JOURNAL_BYTES: Final = 256 * 1024 * 1024
"""Journal since the last snapshot after which a new one is due, or half the index if that is more:
so snapshots add at most twice as many bytes as the changes themselves."""

# --- multipart ---------------------------------------------------------------------------------

PART_NUMBER_MAX: Final = 10_000
"""Largest part number (Amazon S3 User Guide, "Multipart upload limits")."""

COMPLETION_BYTES_MAX: Final = 100 + 42 * PART_NUMBER_MAX
"""Longest record that tells which parts an upload was completed with."""

EXTENTS_RESOLVED_MAX: Final = 256
"""Parts whose place a reader looks up at once; about 0.4 ms."""

TOMBSTONE_MS: Final = 24 * 60 * 60 * 1000
"""How long a completed upload is remembered, for clients that ask to complete it again."""

RECEIPT_MS: Final = 15 * 60 * 1000
"""How long a request with a token is remembered; no client retries for so long."""

HOUSEKEEPING_BATCH: Final = 256
"""Things one housekeeping commit touches, so that requests are never held up."""

# --- lifecycle ---------------------------------------------------------------------------------

LIFECYCLE_LOOKS: Final = 64
"""Keys that lifecycle looks at in one commit."""

LIFECYCLE_VERSIONS_MAX: Final = 256
"""Versions and uploads that it looks at in one commit: so requests never wait long for it."""

LIFECYCLE_SCAN_VERSIONS_MAX: Final = 1024
"""Versions that a scan looks at in one commit, where it only tells when they fall due."""

LIFECYCLE_PREVIEW_VERSIONS_MAX: Final = 20_000
"""Versions after which a page of what would be done begins no other key: about 150 ms."""

LIFECYCLE_ASKED: Final = 32
"""Questions whether a rule is about a version that count as much as a version itself."""

LIFECYCLE_PARTS_MAX: Final = 10_000
"""Parts of multipart objects and uploads that it removes in one: as a rename may."""

LIFECYCLE_LOOK_AHEAD: Final = 64
"""Versions among which a change of a key looks for what falls due next: about 60 us. Where that is
not enough it has lifecycle look at the key without delay."""

LIFECYCLE_KEPT_WALK_MAX: Final = 1000
"""Superseded versions among which a rule finds the newest that it keeps (100 at most, and nearly
always the very first); if it does not find so many there, it removes nothing."""

LIFECYCLE_KEPT_ASKED_MAX: Final = 10_000
"""Questions that all such rules of a key ask on the way; those that found less by then remove
nothing either. Some milliseconds, for a bucket may have 1,000 rules with tags of their own."""

# --- salvage -----------------------------------------------------------------------------------

SALVAGE_BATCH: Final = 256
"""Records that one commit of a salvage brings into the index."""

DAMAGES_TOLD_MAX: Final = 1000
"""Damaged places that a report of salvage names; more are only counted."""

SAMPLE_KEYS_MAX: Final = 5
"""Keys that a report of salvage names for each bucket, so that people recognise it."""

assert BLOCK_BYTES % RECORD_ALIGNMENT == 0
assert BUFFER_BYTES % BLOCK_BYTES == 0
assert INLINE_BYTES_MAX < PUNCH_BYTES_MIN
assert RECORD_HEADER_BYTES_MAX < VOLUME_BYTES_MAX
assert PART_NUMBER_MAX < 1 << 16
assert JOURNAL_SEGMENT_BYTES % JOURNAL_PAGE_BYTES == 0
