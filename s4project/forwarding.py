"""Whom a request came from, by the words of a proxy that is trusted to tell.

Reads `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded` (RFC 7239), of requests whose peer
is a trusted proxy, and nothing else in them. Whatever a client wrote stands to the left of what the
proxies added: lists are read from the right, up to the first address that is no trusted proxy's.
Knows nothing of sockets or Django.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Headers = Sequence[tuple[bytes, bytes]]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FOR: Final = b"x-forwarded-for"
PROTO: Final = b"x-forwarded-proto"
FORWARDED: Final = b"forwarded"
NAMES: Final = frozenset({FOR, PROTO, FORWARDED})
SCHEMES: Final = frozenset({"http", "https"})
HOPS_MAX: Final = 32  # proxies in a row; more are nobody's network but somebody's attack
# An address, alone or with a port, as RFC 7239, 6 has it and some proxies write it elsewhere.
NODE: Final = re.compile(
    r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)"
)
# RFC 7239, 4: token "=" ( token / quoted-string ).
PAIR: Final = re.compile(r"""\s*([\w!#$%&'*+.^`|~-]+)=([\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*")\s*""")


class Malformed(Exception):  # noqa: N818  # an event; the text says what is wrong
    """A trusted proxy wrote what cannot be understood: the request must not be served."""


class Origin(NamedTuple):
    """Where a request began: the client's address and its scheme; None is what nobody told."""

    host: str | None
    scheme: str | None


class Proxies:
    """The proxies whose word counts."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def _trusts(self, host: str) -> bool:
        """Tell whether the peer at `host` is one of them."""
        try:
            return self._holds(host.partition("%")[0])
        except Malformed:
            return False

    def _holds(self, host: str) -> bool:
        address = read_node(host)
        return any(address in network for network in self._networks)

    def origin(self, headers: Headers) -> Origin:
        """Read from the headers of a trusted peer where a request began; Malformed."""
        found: dict[bytes, str] = {}
        for name, value in headers:
            if name in NAMES:
                text = value.decode("latin-1")
                found[name] = f"{found[name]},{text}" if name in found else text
        by_convention = self._by_convention(found.get(FOR), found.get(PROTO))
        if FORWARDED not in found:
            return by_convention
        by_standard = self._by_standard(found[FORWARDED])
        # A proxy writes one form, and may hand on what a client wrote in the other.
        if len(found) > 1 and by_convention != by_standard:
            raise Malformed("X-Forwarded-* and Forwarded contradict each other.")
        return by_standard

    def _by_convention(self, hosts: str | None, schemes: str | None) -> Origin:
        """Read the X headers; the second has one value, or one for each address of the first."""
        hops = [] if hosts is None else hosts.split(",")
        index = self._begin(hops)
        host = str(read_node(hops[index])) if hops else None
        if schemes is None:
            return Origin(host, None)
        words = schemes.split(",")
        if len(words) not in {1, len(hops)}:
            raise Malformed("X-Forwarded-Proto must have one value, or one for each address.")
        return Origin(host, read_scheme(words[index if len(words) > 1 else 0]))

    def _by_standard(self, text: str) -> Origin:
        """Read the header of RFC 7239."""
        elements = read_elements(text)
        chosen = elements[self._begin([element.get("for", "") for element in elements])]
        scheme = read_scheme(chosen["proto"]) if "proto" in chosen else None
        return Origin(str(read_node(chosen["for"])), scheme)

    def _begin(self, hops: Sequence[str]) -> int:
        """Find the right-most hop that is no trusted proxy; the first when all are."""
        for index in reversed(range(len(hops))):
            if len(hops) - index > HOPS_MAX:
                raise Malformed(f"A request came through more than {HOPS_MAX} trusted proxies.")
            if not self._holds(hops[index]):
                return index
        return 0


def read_node(text: str) -> Address:
    """Read an address as a proxy writes it; one of IPv4 in the clothes of IPv6 becomes itself."""
    match = NODE.fullmatch(text.strip())
    try:
        address = ip_address(match[1] or match[2] or match[3]) if match else None
    except ValueError:
        address = None
    if address is None:
        raise Malformed("A trusted proxy names a client by what is no address.")
    return getattr(address, "ipv4_mapped", None) or address


def read_scheme(word: str) -> str:
    """Read a scheme."""
    scheme = word.strip().lower()
    if scheme not in SCHEMES:
        raise Malformed("A trusted proxy names a scheme that is neither http nor https.")
    return scheme


def read_elements(text: str) -> list[dict[str, str]]:
    """Read a Forwarded header: its elements, each with its parameters by lower-case name."""
    elements: list[dict[str, str]] = [{}]
    position = 0
    while match := PAIR.match(text, position):
        name, value = match[1].lower(), match[2]
        if name in elements[-1]:
            break
        elements[-1][name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value
        position = match.end() + 1
        separator = text[match.end() : position]
        if not separator:
            return elements
        if separator == ",":
            elements.append({})
        elif separator != ";":
            break
    raise Malformed("A trusted proxy wrote a Forwarded header that is not one.")
