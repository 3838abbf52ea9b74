"""The keyring: keys found, expired keys not, secrets in no repr."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.keyring import Credential, Keyring, Principal, RoleName

ADA = Principal(1, "ada", "a" * 64, "Ada", "", RoleName.WRITER, is_root=False)


@given(st.sets(st.text(min_size=3), min_size=1), st.text(min_size=3))
def test_finds_exactly_the_keys_it_was_made_from(keys: set[str], other: str) -> None:
    """A keyring finds each of its keys by its exact text, and no other."""
    keyring = Keyring([Credential(key, f"secret of {key}", ADA) for key in keys], [ADA])
    for key in keys:
        found = keyring.find(key)
        assert found is not None
        assert found.secret_key == f"secret of {key}"
    assert (keyring.find(other) is not None) == (other in keys)
    assert len(keyring) == len(keys)


@pytest.mark.parametrize(
    ("expires_ms", "now_ms", "is_found"),
    [(None, 10**15, True), (1000, 999, True), (1000, 1000, False), (1000, 1001, False)],
)
def test_a_key_ends_at_its_moment(expires_ms: int | None, now_ms: int, is_found: bool) -> None:
    """A key works until the millisecond before it expires, one without expiry for ever."""
    keyring = Keyring([Credential("KEY", "secret", ADA, expires_ms)], [ADA])
    assert (keyring.find("KEY", now_ms=now_ms) is not None) == is_found


def test_expiry_follows_the_clock_without_a_new_keyring() -> None:
    """A key whose time is over by the clock is not found, though the keyring is an old one."""
    keyring = Keyring([Credential("OLD", "s", ADA, 1), Credential("NEW", "s", ADA, 2**60)], [ADA])
    assert keyring.find("OLD") is None
    assert keyring.find("NEW") is not None


def test_names_every_user_by_canonical_id() -> None:
    """A user without a key is known by canonical id; an unknown id is nobody."""
    keyring = Keyring([], [ADA])
    assert keyring.principal("a" * 64) is ADA
    assert keyring.principal("b" * 64) is None


def test_knows_every_name_of_a_user_and_no_other() -> None:
    """A policy may call a user by ARN, account (two ways) or canonical id, and by nobody else's."""
    ada, bob = (
        replace(ADA, username=name, canonical_id=name[0] * 64, account_id=digit * 12)
        for name, digit in (("ada", "1"), ("bob", "2"))
    )
    keyring = Keyring([], [ada, bob])
    assert all(keyring.knows(name) for user in (ada, bob) for name in user.names)
    mixed = f"arn:aws:iam::{bob.account_id}:user/ada"
    for name in (mixed, f"{mixed}:x", "arn:aws:iam::", "", "ada", "3" * 12, "*"):
        assert not keyring.knows(name)


KEYS = st.dictionaries(st.sampled_from("ABCD"), st.integers(0, 9))


@given(before=KEYS, gone=st.sets(st.sampled_from("ABCD")), come=KEYS)
def test_a_changed_keyring_has_not_what_went_and_has_what_came(
    before: dict[str, int], gone: set[str], come: dict[str, int]
) -> None:
    """What comes counts where something of its name goes; the keyring before stays as it was."""

    def keyring(keys: dict[str, int]) -> Keyring:
        users = {key: replace(ADA, canonical_id=key, account_id=key) for key in keys}
        return Keyring(
            [Credential(key, str(secret), users[key]) for key, secret in keys.items()],
            users.values(),
        )

    first = keyring(before)
    after = first.changed(keyring(dict.fromkeys(gone, 0)), keyring(come))
    expected = {key: secret for key, secret in before.items() if key not in gone} | come
    for known, keys in ((first, before), (after, expected)):
        assert len(known) == len(keys)
        for key in "ABCD":
            found = known.find(key)
            assert (found and found.secret_key) == (str(keys[key]) if key in keys else None)
            assert (known.principal(key) is not None) == known.knows(key) == (key in keys)


def test_finds_users_by_email() -> None:
    """An address finds everyone who has it, in any case; nobody is found by having none."""
    twins = [replace(ADA, canonical_id=letter * 64, email="Two@x.org") for letter in "bc"]
    keyring = Keyring([], [ADA, *twins])
    assert keyring.principals_by_email("two@X.org") == twins
    assert keyring.principals_by_email("") == []
    assert keyring.principals_by_email("one@x.org") == []


def test_a_secret_is_in_no_repr() -> None:
    """Neither a credential nor a keyring shows a secret when it is printed."""
    credential = Credential("KEY", "do-not-print", ADA)
    assert "do-not-print" not in repr(credential)
    assert "do-not-print" not in repr(Keyring([credential], [ADA]))
