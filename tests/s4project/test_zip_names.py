"""Paths in zips: whatever keys say, each unpacks in its own place below one folder."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4project.zip_names import NAME_BYTES_MAX, Paths

PARTS = st.sampled_from(
    ["", ".", "..", "a", "a ", "A", "a_", "C:", "b.txt", "a\\b", "\x00", "é", "e\u0301"]
)
KEYS = st.one_of(st.lists(PARTS, min_size=1, max_size=4).map("/".join), st.text(max_size=300))


@given(st.lists(KEYS, max_size=12))
def test_paths_stay_apart_and_below(keys: list[str]) -> None:
    """No path leads out of its folder, none is another's folder, and no two are the same."""
    paths = Paths()
    found = [
        paths.of_folder(key) if number % 4 == 3 else paths.of_file(key)
        for number, key in enumerate(keys)
    ]
    files = [path for path in found if not path.endswith("/")]
    flat = {normalize("NFC", path).casefold() for path in files}
    assert len(flat) == len(files)
    above = {path[:at] for path in found for at, sign in enumerate(path) if sign == "/"}
    assert flat.isdisjoint(normalize("NFC", path).casefold() for path in above)
    for path in found:
        for part in path.removesuffix("/").split("/"):
            assert part not in {"", ".", ".."}
            assert len(part.encode()) <= NAME_BYTES_MAX
            assert not any(sign < " " or sign in "\\\x7f" for sign in part)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("photos/a b.jpg", "photos/a b.jpg"),
        ("../../etc/passwd", "__/__/etc/passwd"),
        ("/etc/passwd", "_/etc/passwd"),
        ("C:\\boot.ini", "C__boot.ini"),
        ("a//b", "a/_/b"),
        ("ü😀/<script>", "ü😀/<script>"),
    ],
)
def test_a_name_is_kept_where_it_can_be(key: str, path: str) -> None:
    """A name that file systems take is kept, and of others as much as can be."""
    assert Paths().of_file(key) == path


def test_a_file_and_a_folder_of_one_name() -> None:
    """The object `a` and what is below `a/` both unpack, in either order."""
    paths = Paths()
    assert (paths.of_file("a"), paths.of_file("a/b")) == ("a", "a_/b")
    paths = Paths()
    assert (paths.of_file("a/b"), paths.of_file("a")) == ("a/b", "a (2)")


def test_names_that_differ_where_no_file_can() -> None:
    """Any number of keys that want one path each get their own, at the price of a look."""
    paths = Paths()
    controls = [chr(code) for code in range(1, 32)]
    keys = [one + other + third for one in controls for other in controls for third in controls]
    found = {paths.of_file(key) for key in keys}
    assert len(found) == len(keys)
    assert {"___", "___ (29791)"} < found
    assert (paths.of_file("A"), paths.of_file("a")) == ("A", "a (2)")
