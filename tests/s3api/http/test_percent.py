"""What s3api.http.percent promises: strict decoding, and one canonical encoding."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http import percent

escaped = st.lists(
    st.one_of(
        st.sampled_from(
            [b"a", b"Z", b"/", b"~", b"-", b"=", b"+", b"%2F", b"%2f", b"%41", b"%C3%A9"]
        ),
        st.integers(0, 255).map(lambda byte: b"%%%02X" % byte),
    ),
    max_size=12,
).map(b"".join)


@given(text=st.text(max_size=40))
def test_decoding_undoes_any_encoding(text: str) -> None:
    """A name comes back whichever of its characters the client escaped."""
    assert percent.decode(quote(text, safe="").encode()) == text
    assert percent.decode(quote(text, safe="/+=&,:").encode()) == text
    assert percent.decode(percent.encode(text)) == text


@given(st.text())
def test_a_name_in_a_document_decodes_like_a_form(name: str) -> None:
    """What is shown of a key is ASCII, and any reader of forms gets the key back."""
    for keep in ("", "/"):
        shown = percent.encode_name(name, keep=keep)
        assert shown.isascii()
        assert unquote_plus(shown) == name
    assert percent.encode_name("a b/c~*+%") == "a+b%2Fc%7E*%2B%25"


@given(st.lists(st.text(st.sampled_from("ab/*._-~ +%|&\n\x00é€😀"), max_size=8), max_size=5))
def test_many_names_are_encoded_as_each_is(names: list[str]) -> None:
    """What is encoded together is what is encoded one by one, whatever joins them."""
    assert percent.encode_names(names) == [percent.encode_name(name, keep="/") for name in names]


@pytest.mark.parametrize("raw", [b"%", b"a%2", b"%zz", b"%%20", b"%ff", b"%c3", b"\xff", b"%+1"])
def test_broken_escapes_are_refused(raw: bytes) -> None:
    """Half an escape, or bytes that are not UTF-8, are InvalidURI."""
    with pytest.raises(S3Error) as refusal:
        percent.decode(raw)
    assert refusal.value.code == "InvalidURI"


@given(raw=escaped)
def test_paths_have_one_canonical_form(raw: bytes) -> None:
    """Encoding a path keeps what it names, is idempotent, and agrees with AWS's UriEncode."""
    encoded = percent.encode_path(raw)
    assert unquote_to_bytes(encoded) == unquote_to_bytes(raw)
    assert percent.encode_path(encoded) == encoded
    assert encoded.decode() == quote(unquote_to_bytes(raw), safe="/~")


@given(value=st.text(max_size=40))
def test_values_are_encoded_but_for_the_unreserved(value: str) -> None:
    """Query names and values are escaped down to RFC 3986's unreserved characters."""
    assert percent.encode(value).decode() == quote(value, safe="~")
