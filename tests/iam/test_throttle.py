"""How waits grow with wrong passwords, and who counts as one client."""

from __future__ import annotations

import pytest

from iam.throttle import BY_CLIENT, BY_NAME, Limit, client_of


def test_the_first_attempts_are_free_and_then_waits_double() -> None:
    """Up to the limit nobody waits; beyond it each attempt in vain doubles the wait, to a bound."""
    limit = Limit(free=3, first_wait_seconds=5, wait_seconds_max=60)
    waits = [limit.wait_seconds(attempts) for attempts in range(1, 10)]
    assert waits == [0, 0, 5, 10, 20, 40, 60, 60, 60]
    assert limit.wait_seconds(10**9) == 60


def test_one_name_is_guarded_more_closely_than_one_client() -> None:
    """A client may mistype many names, for many people sit behind one address."""
    assert BY_NAME.free < BY_CLIENT.free
    assert BY_NAME.wait_seconds_max >= 600


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_a_client_is_an_address_or_a_network(address: str, client: str) -> None:
    """Of IPv6 the network of 64 bits is one client, for one customer has all of it."""
    assert client_of(address) == client
