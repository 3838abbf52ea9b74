"""Keys that hurt: slashes everywhere, neighbours in byte order, names about 400 bytes long.

The long runs end where a name is continued in another directory, and the two- and four-byte
characters are cut in two there.
"""

from __future__ import annotations

from hypothesis import strategies as st

from storage_engine.limits import KEY_BYTES_MAX, NAME_BYTES_MAX

SHORT = ["/", "a", "-", "0", "\x00", "é", "\U0010ffff"]
LONG = [
    "a" * (NAME_BYTES_MAX - 1),
    "a" * NAME_BYTES_MAX,
    "a" * (NAME_BYTES_MAX + 1),
    "a" * (NAME_BYTES_MAX - 1) + "é",
    "\U0010ffff" * (NAME_BYTES_MAX // 4),
    "b" + "\U0010ffff" * (NAME_BYTES_MAX // 4),
    "/" * (NAME_BYTES_MAX // 2),
]


def _fit(pieces: list[str]) -> bytes:
    return "".join(pieces).encode()[:KEY_BYTES_MAX].decode(errors="ignore").encode()


def texts(*, size_min: int = 0) -> st.SearchStrategy[bytes]:
    """Draw UTF-8 of at most 1,024 bytes, made of few and nasty pieces."""
    short = st.lists(st.sampled_from(SHORT), min_size=size_min, max_size=6)
    long = st.tuples(short, st.sampled_from(LONG), short, st.sampled_from(["", *LONG]), short)
    return st.one_of(short, long.map(lambda t: [*t[0], t[1], *t[2], t[3], *t[4]])).map(_fit)


object_keys = texts(size_min=1)

key_sets = st.sets(object_keys, max_size=30)

delimiters = st.sampled_from(
    [b"", b"/", b"/", b"-", b"a", b"//", b"a/", b"/a", b"\x00", "é".encode(), b"\xa9", b"\xff"]
)


def cuts_of(keys: set[bytes]) -> st.SearchStrategy[bytes]:
    """Draw a piece from the front of one of the keys (any byte may be the last), or any text."""
    known = st.sampled_from(sorted(keys) or [b""])
    cut = st.tuples(known, st.integers(0, 12), st.booleans()).map(
        lambda t: t[0][: t[1]] if t[2] else t[0][: len(t[0]) - t[1]]
    )
    return st.one_of(cut, known, texts(), st.binary(max_size=3))
