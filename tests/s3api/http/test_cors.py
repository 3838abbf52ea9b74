"""Cross-origin requests judged by a bucket's rules, as a table of rules, requests and headers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckets.configuration import CorsRule
from s3api.http.cors import NAMES_MAX, cors_headers, requested_names
from tests.s3api.http.requests import make_request

VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
ORIGIN = "https://example.com"


def rule(origins: str = ORIGIN, methods: str = "GET", **fields: Any) -> CorsRule:
    """Make a rule of origins and methods that are separated by blanks."""
    return CorsRule(
        allowed_origins=tuple(origins.split(" ")), allowed_methods=tuple(methods.split()), **fields
    )


def asked(
    *rules: CorsRule,
    origin: str = ORIGIN,
    method: str = "GET",
    wanted: str | None = None,
    names: str | None = None,
) -> dict[str, str]:
    """Answer the headers a reply carries; `wanted` and `names` are what a preflight asks for."""
    headers = {
        "origin": origin,
        "access-control-request-method": wanted,
        "access-control-request-headers": names,
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    found = cors_headers(rules, make_request(method, headers=sent))
    prefix = "Access-Control-"
    return {name.decode().removeprefix(prefix): value.decode("latin-1") for name, value in found}


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("https://example.com", "https://example.com"),
        ("*", "anything"),
        ("*", "null"),
        ("null", "null"),
        ("*suffix", "foo.suffix"),
        ("*suffix", "suffix"),
        ("start*end", "startend"),
        ("start*end", "start12end"),
        ("prefix*", "prefix"),
        ("prefix*", "prefix.suffix"),
        ("http://*.example.com", "http://a.b.example.com"),
        ("https://example.com:*", "https://example.com:8080"),
        ("other https://*.com", "https://example.com"),
        ("http://b\u00fccher", "http://b\u00fccher"),
    ],
)
def test_an_origin_that_fits_is_allowed(pattern: str, origin: str) -> None:
    """An origin fits itself, and a pattern in which one `*` stands for anything or for nothing."""
    allowed = asked(rule(pattern), origin=origin)
    assert allowed["Allow-Origin"] == ("*" if pattern == "*" else origin)


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("https://example.com", "http://example.com"),
        ("https://example.com", "https://example.com:443"),
        ("https://example.com", "https://EXAMPLE.com"),
        ("https://example.com", "https://example.com.evil"),
        ("https://example.com", "https://exampleXcom"),
        ("*suffix", "foo.suffix.get"),
        ("start*end", "0start12end"),
        ("start*art", "start"),
        ("prefix*", "bla.prefix"),
        ("http://*.origin.com", "http://test.origin.com/"),
        ("", "https://example.com"),
    ],
)
def test_an_origin_that_does_not_fit_is_told_nothing(pattern: str, origin: str) -> None:
    """Scheme, host, port and case count, a pattern covers the whole origin, and dots are dots."""
    assert asked(rule(pattern), origin=origin) == {}


@pytest.mark.parametrize("origin", ["", " "])
def test_a_request_without_an_origin_is_no_such_request(origin: str) -> None:
    """An empty Origin is none, whatever the rules."""
    assert asked(rule("*"), origin=origin) == {}
    assert cors_headers([rule("*")], make_request()) == []


def test_only_what_a_rule_says_is_told() -> None:
    """A rule of nothing but origin and method yields these, credentials and Vary."""
    assert asked(rule(methods="GET PUT")) == {
        "Allow-Origin": ORIGIN,
        "Allow-Credentials": "true",
        "Allow-Methods": "GET, PUT",
        "Vary": VARY,
    }


def test_any_origin_at_all_gets_no_credentials() -> None:
    """A rule for `*` answers `*`, also to an origin it names besides, and allows no credentials."""
    expected = {"Allow-Origin": "*", "Allow-Methods": "GET", "Vary": VARY}
    assert asked(rule("*")) == expected
    assert asked(rule(f"{ORIGIN} *")) == expected


def test_a_rule_tells_what_else_it_says() -> None:
    """Exposed headers come as they are written, the age even when it is zero."""
    told = asked(rule(expose_headers=("ETag", "x-amz-id-2"), max_age_seconds=0))
    assert told["Expose-Headers"] == "ETag, x-amz-id-2"
    assert told["Max-Age"] == "0"


@pytest.mark.parametrize(
    ("method", "wanted", "is_allowed"),
    [
        ("GET", None, True),
        ("PUT", None, False),
        ("HEAD", None, False),
        ("OPTIONS", "GET", True),
        ("OPTIONS", "get", False),
        ("OPTIONS", "PUT", False),
        ("OPTIONS", None, False),
        ("PUT", "GET", True),
        ("GET", "PUT", False),
    ],
)
def test_the_method_that_is_asked_for_counts(
    method: str, wanted: str | None, is_allowed: bool
) -> None:
    """Access-Control-Request-Method counts before the request's own, on any request, by case."""
    assert bool(asked(rule(), method=method, wanted=wanted)) is is_allowed


@pytest.mark.parametrize(
    ("allowed", "names", "told"),
    [
        (("*",), "x-amz-request-payer", "x-amz-request-payer"),
        (("*",), "x-b,X-A , x-b", "x-b, x-a, x-b"),
        (("x-AMZ-date", "content-type"), "Content-Type,X-Amz-Date", "content-type, x-amz-date"),
        (("x-amz-*",), "x-amz-date,x-amz-", "x-amz-date, x-amz-"),
        (("*-type",), "content-type", "content-type"),
        (("x-*-id",), "x-amz-id", "x-amz-id"),
        ((), "", None),
        ((), " , ", None),
    ],
)
def test_headers_that_are_allowed_are_told(
    allowed: tuple[str, ...], names: str, told: str | None
) -> None:
    """Each name is compared without case, and told in lower case in the order asked."""
    answer = asked(rule(allowed_headers=allowed), method="OPTIONS", wanted="GET", names=names)
    assert answer["Allow-Origin"] == ORIGIN
    assert answer.get("Allow-Headers") == told


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        ((), "x-amz-date"),
        (("x-amz-date",), "x-amz-date,x-amz-acl"),
        (("x-amz-*",), "x-amz"),
        (("x-*-id",), "x-id"),
        (("",), "x"),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_one_header_too_many_and_nothing_is_allowed(
    allowed: tuple[str, ...], names: str, method: str
) -> None:
    """A name that no pattern fits makes the rule not match, on the request itself too."""
    assert asked(rule(allowed_headers=allowed), method=method, wanted="GET", names=names) == {}


def test_no_rule_allows_headers_without_end() -> None:
    """A hundred headers are held against the patterns; with one more nothing is allowed."""
    every = rule(allowed_headers=("x-*",))
    for count in (NAMES_MAX, NAMES_MAX + 1):
        names = ",".join(f"x-{number}" for number in range(count))
        assert bool(asked(every, names=names)) is (count == NAMES_MAX)


def test_the_first_rule_that_matches_decides() -> None:
    """Rules are tried in order, each as a whole."""
    first = rule("https://other", "GET PUT", max_age_seconds=1)
    second = rule("*", "PUT", max_age_seconds=2)
    third = rule(ORIGIN, "GET PUT", max_age_seconds=3)
    assert asked(first, second, third)["Max-Age"] == "3"
    assert asked(first, second, third, method="PUT")["Max-Age"] == "2"
    assert asked(first, second, third, method="PUT", origin="https://other")["Max-Age"] == "1"
    assert asked(first, second, third, method="HEAD") == {}


def test_names_are_read_from_repeated_headers() -> None:
    """The lines of a repeated header are one list."""
    lines = [(b"access-control-request-headers", value) for value in (b"A, b", b"c")]
    assert requested_names(make_request(headers=lines)) == ["a", "b", "c"]


CONTROLS = bytes({*range(32), 127} - {9})
FIELD = st.binary(max_size=24).map(lambda raw: raw.translate(None, CONTROLS))
WORDS = st.lists(st.text(max_size=6), max_size=3).map(tuple)


@given(
    origin=FIELD,
    wanted=st.sampled_from([b"GET", b"", b"get"]),
    names=FIELD,
    origins=WORDS,
    headers=WORDS,
)
def test_whatever_is_asked_yields_legal_headers(
    origin: bytes,
    wanted: bytes,
    names: bytes,
    origins: tuple[str, ...],
    headers: tuple[str, ...],
) -> None:
    """No origin and no names make anything but lines that a reply can carry, or none."""
    lines = [
        (b"origin", origin),
        (b"access-control-request-method", wanted),
        (b"access-control-request-headers", names),
    ]
    for rules in ([rule("*", allowed_headers=("*",))], [rule(allowed_headers=headers)]):
        own = [
            CorsRule(
                allowed_origins=(*origins, origin.decode("latin-1")),
                allowed_methods=("GET",),
                allowed_headers=headers,
            )
        ]
        for name, value in cors_headers([*own, *rules], make_request(headers=lines)):
            assert name.isascii()
            assert not set(value) & {0, 10, 13}
