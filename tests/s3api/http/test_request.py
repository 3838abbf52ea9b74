"""What s3api.http.request promises: headers byte-exact and never ambiguous."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3api.errors import S3Error
from s3api.http.request import Request
from tests.s3api.http.requests import make_request, make_scope, receive_of


def test_what_a_scope_holds() -> None:
    """Method, scheme, path, query, client and body are the scope's."""
    request = make_request("PUT", b"/bucket/a%20b", b"acl&x=1", body=[b"payload"])
    assert (request.method, request.scheme) == ("PUT", "http")
    assert request.raw_path == b"/bucket/a%20b"
    assert request.query.items() == [("acl", ""), ("x", "1")]
    assert request.client == "127.0.0.1"


def test_a_path_is_made_up_where_the_server_keeps_no_raw_one() -> None:
    """Without raw_path, the decoded path is escaped again."""
    scope = make_scope() | {"raw_path": None, "path": "/bucket/é b", "client": None}
    request = Request(scope, receive_of([]))
    assert request.raw_path == b"/bucket/%C3%A9%20b"
    assert request.client is None


def test_headers_by_name() -> None:
    """A header answers by its lower-case name, trimmed; an absent one is None."""
    request = make_request(headers={"X-Amz-Meta-A": " b "})
    assert request.header("x-amz-meta-a") == "b"
    assert request.header("x-amz-meta-b") is None


def test_repeated_headers_are_joined() -> None:
    """Lines of one header are one value with commas, and stay what they are beside it."""
    items = [(b"x-amz-meta-a", b" 1"), (b"host", b"h"), (b"x-amz-meta-a", b"2 ")]
    request = make_request(headers=items)
    assert request.header("x-amz-meta-a") == "1,2"
    assert request.header("host") == "h"
    assert request.header_items == items


@given(value=st.binary(max_size=20).map(bytes.strip))
def test_header_bytes_survive(value: bytes) -> None:
    """Whatever bytes a header holds, encoding the answer gives them back."""
    text = make_request(headers=[(b"x-amz-meta-a", b" " + value)]).header("x-amz-meta-a")
    assert text is not None
    assert text.encode("latin-1") == value


@pytest.mark.parametrize(
    ("headers", "length"),
    [({}, None), ({"content-length": "0"}, 0), ({"content-length": "12"}, 12)],
)
def test_content_length(headers: dict[str, str], length: int | None) -> None:
    """The declared length is a number or there is none."""
    assert make_request(headers=headers).content_length == length


@pytest.mark.parametrize("value", ["", "-1", "1e3", "+1", "0x10", "1_0", "1,1"])
def test_lengths_that_are_none(value: str) -> None:
    """A length that is not a plain number is refused."""
    with pytest.raises(S3Error) as refusal:
        _ = make_request(headers={"content-length": value}).content_length
    assert refusal.value.code == "InvalidArgument"


def test_other_headers_take_the_place_of_those_sent() -> None:
    """The same request, its body too, says something else; the one that came stays as it was."""
    sent = make_request("POST", b"/b", b"acl=", {"content-type": "text/plain", "host": "h"})
    request = sent.with_headers([(b"host", b"h"), (b"x-amz-acl", b"private")])
    assert (request.header("content-type"), request.header("x-amz-acl")) == (None, "private")
    assert (request.method, request.raw_path, request.body) == ("POST", b"/b", sent.body)
    assert not request.query
    assert sent.header("content-type") == "text/plain"
    assert "acl" in sent.query


@pytest.mark.parametrize(
    "item", [(b"x-amz-meta-\xc3\xbc", b"v"), (b"a b", b"v"), (b"a", b"1\r\n2")]
)
def test_what_no_header_can_hold_is_refused(item: tuple[bytes, bytes]) -> None:
    """It could never be answered."""
    with pytest.raises(S3Error) as refusal:
        make_request().with_headers([item])
    assert refusal.value.code == "InvalidArgument"
