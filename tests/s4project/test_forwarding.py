"""Whose word counts on where a request came from, and what becomes of words nobody can read."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4project.forwarding import HOPS_MAX, Malformed, Origin, Proxies
from tests.s4project.probing import probe, request

if TYPE_CHECKING:
    from pathlib import Path

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("192.0.2.9")])


def origin(**headers: str) -> Origin:
    """Read headers, given by their names in Python; `_2` marks the second line of one."""
    pairs = [
        (name.removesuffix("_2").replace("_", "-").encode(), value.encode())
        for name, value in headers.items()
    ]
    return PROXIES.origin(pairs)


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("192.0.2.9", True),
        ("192.0.2.10", False),
        ("fd00::1%eth0", True),
        ("2001:db8::1", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_only_named_peers_are_trusted(host: str, is_trusted: bool) -> None:
    """A peer is trusted when its address, in whichever clothes, is in a network of the setting."""
    assert PROXIES.trusts(host) is is_trusted
    assert Proxies().trusts(host) is False


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7, 10.0.0.1,10.0.0.2", "203.0.113.7"),
        ("garbage, <script>, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("10.0.0.3, 10.0.0.1", "10.0.0.3"),
    ],
)
def test_the_right_most_untrusted_address_is_the_clients(value: str, host: str) -> None:
    """What a client wrote itself stands further left and is not looked at."""
    assert origin(x_forwarded_for=value) == Origin(host, None)


def test_lines_of_a_repeated_header_are_one_list() -> None:
    """A proxy that adds a line of its own is heard as one that adds to the line."""
    assert origin(x_forwarded_for="6.6.6.6", x_forwarded_for_2="1.2.3.4").host == "1.2.3.4"


@pytest.mark.parametrize(
    ("hosts", "schemes", "scheme"),
    [
        ("1.2.3.4", "https", "https"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", " HTTPS ", "https"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", "http, https, http", "https"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", "https, http, https", "http"),
    ],
)
def test_the_scheme_is_that_of_the_clients_hop(hosts: str, schemes: str, scheme: str) -> None:
    """One value is the scheme; of a value for each hop, that of the hop the client reached."""
    assert origin(x_forwarded_for=hosts, x_forwarded_proto=schemes).scheme == scheme


def test_nothing_said_is_nothing_known() -> None:
    """Without these headers, and whatever others say, the peer stays the client."""
    nothing = Origin(None, None)
    assert origin() == nothing
    assert origin(x_forwarded_host="evil", x_forwarded_port="443", x_real_ip="6.6.6.6") == nothing
    assert origin(x_forwarded_proto="https") == Origin(None, "https")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=203.0.113.7;proto=https", Origin("203.0.113.7", "https")),
        ('For="[2001:db8::7]:4711" ; by=10.0.0.1', Origin("2001:db8::7", None)),
        ("for=6.6.6.6;proto=https, for=1.2.3.4;proto=http", Origin("1.2.3.4", "http")),
        ('for=1.2.3.4;host="a,b;c\\"d", for=10.0.0.1;proto=https', Origin("1.2.3.4", None)),
    ],
)
def test_the_header_of_the_standard_is_read_too(value: str, expected: Origin) -> None:
    """Forwarded of RFC 7239 tells client and scheme in one element."""
    assert origin(forwarded=value) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": ""},
        {"x_forwarded_for": "unknown"},
        {"x_forwarded_for": "1.2.3.4, "},
        {"x_forwarded_for": "1.2.3.4.5"},
        {"x_forwarded_for": "1.2.3.4:"},
        {"x_forwarded_for": "[1.2.3.4"},
        {"x_forwarded_for": "evil.example"},
        {"x_forwarded_for": ",".join(["1.2.3.4", *["10.0.0.1"] * HOPS_MAX])},
        {"x_forwarded_proto": "ftp"},
        {"x_forwarded_proto": ""},
        {"x_forwarded_for": "1.2.3.4", "x_forwarded_proto": "https, http"},
        {"forwarded": ""},
        {"forwarded": "for"},
        {"forwarded": "for="},
        {"forwarded": "for=unknown"},
        {"forwarded": "for=_hidden"},
        {"forwarded": "proto=https"},
        {"forwarded": "for=1.2.3.4;for=5.6.7.8"},
        {"forwarded": 'for="1.2.3.4'},
        {"forwarded": "for=1.2.3.4 proto=https"},
        {"forwarded": "for=1.2.3.4,"},
        {"forwarded": "for=1.2.3.4", "x_forwarded_for": "5.6.7.8"},
        {"forwarded": "for=1.2.3.4;proto=http", "x_forwarded_proto": "https"},
    ],
    ids=repr,
)
def test_what_nobody_can_read_is_refused(headers: dict[str, str]) -> None:
    """A list that a trusted proxy ended in no address, or two that differ, name no client."""
    with pytest.raises(Malformed):
        origin(**headers)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(hosts: bytes, schemes: bytes, standard: bytes) -> None:
    """Whatever the headers hold, the answer is an origin or a refusal."""
    headers = [(b"x-forwarded-for", hosts), (b"x-forwarded-proto", schemes)]
    for chosen in (headers, [(b"forwarded", standard)], [*headers, (b"forwarded", standard)]):
        try:
            found = PROXIES.origin(chosen)
        except Malformed:
            continue
        assert found.scheme in {None, "http", "https"}


def test_a_server_hears_its_proxies_alone(tmp_path: Path) -> None:
    """Client and scheme are what a trusted peer says, and the connection's own from another's."""
    said = ("X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-Proto: https")
    with probe(tmp_path / "trusting", proxies="127.0.0.0/8") as server, server.wire() as wire:
        for headers, client, scheme in (
            (said, "203.0.113.7", "https"),
            ((), "127.0.0.1", "http"),
            (("Forwarded: for=203.0.113.8;proto=https",), "203.0.113.8", "https"),
        ):
            wire.send(request("/info", b"", "GET", *headers))
            facts = wire.reply().json()
            assert (facts["client"], facts["scheme"]) == (client, scheme)
        wire.send(request("/info", b"", "GET", "X-Forwarded-For: nobody"))
        reply = wire.reply()
        assert reply.status == 400
        assert b"<Code>BadRequest</Code>" in reply.body
        assert b"nobody" not in reply.body
        assert wire.is_closed()
    with probe(tmp_path / "wary", proxies="10.0.0.0/8") as server, server.wire() as wire:
        wire.send(request("/info", b"", "GET", *said))
        facts = wire.reply().json()
        assert (facts["client"], facts["scheme"]) == ("127.0.0.1", "http")
