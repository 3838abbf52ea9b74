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
Only absurd trees come near: a thousand keys that each lie ten directories apart."""

DUE_SUBJECT_BYTES_MAX: Final = 400
"""Longest name of a thing that falls due."""
