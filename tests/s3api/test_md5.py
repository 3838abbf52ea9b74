"""MD5 of many payloads at a time: what hashlib says, however they are cut and mixed."""

from __future__ import annotations

import os
from functools import partial
from hashlib import md5 as _hashlib_md5
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api import md5

if TYPE_CHECKING:
    from collections.abc import Callable

    from s3api.md5 import Md5

reference = partial(_hashlib_md5, usedforsecurity=False)
IS_CI = bool(os.environ.get("CI"))
compiled = pytest.mark.skipif(
    not md5.IS_COMPILED and not IS_CI, reason="no C compiler was there when S4 was installed"
)
# Around the ends of blocks (64) and of what a last block has room for (56), and some of no length.
LENGTHS = st.one_of(
    st.sampled_from([0, 1, 55, 56, 63, 64, 65, 119, 120, 128]), st.integers(0, 5000)
)


@compiled
def test_it_is_compiled() -> None:
    """Where there is a compiler, what it made is what is used."""
    assert md5.IS_COMPILED
    assert type(md5.new()).__module__ == "s3api._md5"


@pytest.mark.parametrize("new", [pytest.param(md5.new, marks=compiled), md5._new])
@given(lengths=st.lists(LENGTHS, max_size=6))
def test_one_payload_in_any_pieces(new: Callable[[], Md5], lengths: list[int]) -> None:
    """After each piece the digest is that of all bytes so far."""
    ours, theirs = new(), reference()
    for length in lengths:
        piece = os.urandom(length)
        ours.update(piece)
        theirs.update(piece)
        assert ours.digest() == theirs.digest()


@pytest.mark.parametrize(
    "functions",
    [
        pytest.param((md5.new, md5.update_all), marks=compiled, id="compiled"),
        pytest.param((md5._new, md5._update_all), id="hashlib"),
    ],
)
@given(rounds=st.lists(st.lists(LENGTHS, max_size=md5.LANES), max_size=4))
def test_many_payloads_side_by_side(functions: tuple[Any, Any], rounds: list[list[int]]) -> None:
    """Payloads of any lengths, as many as go at a time, do not disturb each other."""
    new, update_all = functions
    pairs = [(new(), reference()) for _ in range(md5.LANES)]
    for lengths in rounds:
        pieces = [os.urandom(length) for length in lengths]
        update_all([(ours, piece) for (ours, _), piece in zip(pairs, pieces, strict=False)])
        for (_, theirs), piece in zip(pairs, pieces, strict=False):
            theirs.update(piece)
        assert [ours.digest() for ours, _ in pairs] == [theirs.digest() for _, theirs in pairs]


@compiled
@pytest.mark.parametrize("count", range(1, md5.LANES + 1))
def test_any_number_at_a_time(count: int) -> None:
    """Each number of payloads, of equal length and then of odd ones, is hashed rightly."""
    for rest in (0, 1):
        pieces = [os.urandom(4096 + rest * 777 * one) for one in range(count)]
        hashers = [md5.new() for _ in pieces]
        md5.update_all(list(zip(hashers, map(memoryview, pieces), strict=True)))
        found = [hasher.digest() for hasher in hashers]
        assert found == [reference(piece).digest() for piece in pieces]


@compiled
def test_a_length_beyond_32_bits_of_bits() -> None:
    """The length that ends the message is counted in 64 bits."""
    ours, theirs, piece = md5.new(), reference(), bytes(1 << 24)
    for _ in range(33):  # 528 MiB: more than 2**32 bits
        ours.update(piece)
        theirs.update(piece)
    assert ours.digest() == theirs.digest()


@compiled
@pytest.mark.parametrize(
    "pairs",
    [
        None,
        ((md5.new(), b""),),
        [b""],
        [(md5.new(),)],
        [(md5.new(), b"", b"")],
        [(reference(), b"")],
        [(md5.new(), "")],
        [(md5.new(), b"")] * 17,
    ],
)
def test_what_is_no_list_of_pairs_is_refused(pairs: Any) -> None:
    """Anything else than up to 16 pairs of an MD5 and bytes is a TypeError, and keeps nothing."""
    held = bytearray(b"held")
    good = (md5.new(), held)
    with pytest.raises(TypeError):
        md5.update_all([good, *pairs] if isinstance(pairs, list) else pairs)
    held.clear()  # BufferError, were it still lent
    assert good[0].digest() == reference().digest()


@compiled
def test_it_is_made_of_nothing() -> None:
    """An MD5 starts without bytes: whoever gives some is told."""
    maker: Any = md5.new
    for arguments, names in [((b"bytes",), {}), ((), {"usedforsecurity": False})]:
        with pytest.raises(TypeError):
            maker(*arguments, **names)


@compiled
@pytest.mark.parametrize("wrong", ["MD5", "update_all", "digests", "lanes"])
def test_what_is_compiled_wrongly_is_not_used(wrong: str) -> None:
    """A part that lacks something, or computes something else, is no part of S4."""
    part: Any = md5._md5
    other = SimpleNamespace(MD5=part.MD5, update_all=part.update_all)
    assert md5._is_right(other)
    if wrong == "digests":
        other.MD5 = reference
        other.update_all = lambda pairs: md5._update_all(pairs[::-1][1:])
    elif wrong == "lanes":
        other.update_all = lambda pairs: part.update_all(pairs[:15])
    else:
        delattr(other, wrong)
    assert not md5._is_right(other)
