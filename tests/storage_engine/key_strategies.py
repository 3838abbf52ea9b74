"""Keys that hurt: slashes everywhere, neighbours in byte order, names about 400 bytes long.

The long runs end where a name is continued in another directory, and the two- and four-byte
characters are cut in two there. One set of keys is built from few pieces, so that its keys begin
alike and what one key is, is a prefix or a delimiter of others.
"""

from __future__ import annotations

from hypothesis import strategies as st

from storage_engine.limits import KEY_BYTES_MAX, NAME_BYTES_MAX

SHORT = [b"/", b"a", b"-", b"0", b"\x00", "é".encode(), "\U0010ffff".encode(), b"\xff"]
LONG = [
    b"a" * (NAME_BYTES_MAX - 1),
    b"a" * NAME_BYTES_MAX,
    b"a" * (NAME_BYTES_MAX + 1),
    b"a" * (NAME_BYTES_MAX - 1) + "é".encode(),
    "\U0010ffff".encode() * (NAME_BYTES_MAX // 4),
    b"-" + "\U0010ffff".encode() * (NAME_BYTES_MAX // 4),
    b"/" * (NAME_BYTES_MAX // 2),
]

alphabets = st.one_of(
    st.lists(st.sampled_from(SHORT), min_size=2, max_size=3, unique=True),
    st.lists(st.sampled_from([*SHORT, *LONG]), min_size=2, max_size=5, unique=True),
)


def texts(alphabet: list[bytes], *, size_min: int, size_max: int) -> st.SearchStrategy[bytes]:
    """Draw at most 1,024 bytes made of an alphabet's pieces."""
    pieces = st.lists(st.sampled_from(alphabet), min_size=size_min, max_size=size_max)
    return pieces.map(lambda drawn: b"".join(drawn)[:KEY_BYTES_MAX])


object_keys = alphabets.flatmap(lambda alphabet: texts(alphabet, size_min=1, size_max=7))

key_sets = alphabets.flatmap(
    lambda alphabet: st.sets(texts(alphabet, size_min=1, size_max=5), max_size=40)
)

DELIMITERS = [b"", b"/", b"-", b"a", b"0", b"//", b"a/", b"/a", b"-a", b"\x00", b"\xa9", b"\xff"]


def delimiters_of(keys: set[bytes]) -> st.SearchStrategy[bytes]:
    """Draw `/` or nothing often, and otherwise mostly what is really in the keys."""
    inside = [text for text in DELIMITERS if text and any(text in key for key in keys)]
    return st.one_of(
        st.sampled_from([b"/", b""]),
        st.sampled_from(inside or DELIMITERS),
        st.sampled_from(DELIMITERS),
    )


def cuts_of(keys: set[bytes]) -> st.SearchStrategy[bytes]:
    """Draw nothing, a piece from the front of a key (any byte may be its last), or any bytes."""
    known = st.sampled_from(sorted(keys) or [b""])
    cut = st.tuples(known, st.integers(0, 8), st.booleans()).map(
        lambda t: t[0][: t[1]] if t[2] else t[0][: len(t[0]) - t[1]]
    )
    return st.one_of(st.just(b""), cut, cut, known, object_keys, st.binary(max_size=3))
