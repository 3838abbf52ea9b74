"""How many wrong passwords are taken from whom, and how long the next one must wait.

Counted for a name from one client, and for a client whatever the name: never for a name alone, or a
stranger could shut its owner out. Pure: knows no Django and no clock.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

FORGOTTEN_SECONDS: Final = 3600  # after the last attempt that was counted
IPV6_PREFIX_BITS: Final = 64  # what one customer has at the least: he is one client


class Limit(NamedTuple):
    """How many attempts are free, and how the wait grows after them."""

    free: int
    first_wait_seconds: int = 5
    wait_seconds_max: int = 900

    def wait_seconds(self, attempts: int) -> int:
        """Tell how long the next attempt must wait after `attempts` in vain."""
        beyond = attempts - self.free
        if beyond < 0:
            return 0
        return min(self.first_wait_seconds << min(beyond, 16), self.wait_seconds_max)


BY_NAME: Final = Limit(free=5)
BY_CLIENT: Final = Limit(free=50)  # people behind one address mistype, too


def client_of(address: str) -> str:
    """Name the client an address belongs to: of IPv6 the network of 64 bits."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, IPV6_PREFIX_BITS), strict=False))
