"""Signing in: what is told, what is counted, and what it costs whoever guesses."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.utils import timezone

from iam import services
from iam.errors import InvalidIdentity, TooManySignIns, WrongPassword
from iam.keyring import RoleName
from iam.models import SignInCount, User
from iam.passwords import PASSWORD_CHARACTERS_MAX, PasswordHasher, nobodys_hash
from iam.services import signing_in
from iam.throttle import BY_CLIENT, BY_NAME
from tests.iam.hashing import hashes_counted
from tests.people import PASSWORD, person
from tests.racing import racers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_engine import StorageEngine

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def attempt(name: str, password: str = "wrong", address: str = HERE) -> str:
    """Sign in; answer how it ended."""
    try:
        services.sign_in(name, password, address)
    except WrongPassword:
        return "wrong"
    except TooManySignIns:
        return "wait"
    return "in"


def pass_by(seconds: int) -> None:
    """Let time pass, as far as the counts know."""
    for row in SignInCount.objects.all():
        row.waits_until -= timedelta(seconds=seconds)
        row.forgotten_at -= timedelta(seconds=seconds)
        row.save()


@pytest.fixture(autouse=True)
def cheap() -> Iterator[pytest.MonkeyPatch]:
    """Hash with little work, where a test does not measure it and undoes this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHasher, "time_cost", 1)
        patch.setattr(PasswordHasher, "memory_cost", 64)
        yield patch


def test_name_and_password_let_in(boss: User) -> None:
    """The right password lets in, is noted as the last sign-in, and leaves no count of the name."""
    assert attempt("boss") == "wrong"
    user = services.sign_in("boss", PASSWORD, HERE)
    assert user.pk == boss.pk
    boss.refresh_from_db()
    assert boss.last_login is not None
    (row,) = SignInCount.objects.all()
    assert row.attempts == 1  # of the client, in vain


@pytest.mark.parametrize(
    "name", ["nobody", "BOSS", "keyless", "gone", "", "a b", "nul\0", "half\ud800", "x" * 10_000]
)
def test_whoever_cannot_sign_in_has_a_wrong_password(boss: User, name: str) -> None:
    """Names that nobody has, or that may not enter, are told what a wrong password is."""
    services.create_user("keyless", RoleName.READER)
    gone = person("gone", RoleName.READER)
    services.set_active(gone.pk, active=False)
    with pytest.raises(WrongPassword, match=r"^The user name or the password is wrong\.$"):
        services.sign_in(name, PASSWORD, HERE)


def test_a_password_beyond_every_length_is_wrong(boss: User) -> None:
    """A password longer than any can be is cut before it is hashed, and never right."""
    long = "p" * PASSWORD_CHARACTERS_MAX
    services.set_password(boss.pk, long)
    assert attempt("boss", long + "p") == "wrong"
    assert attempt("boss", long) == "in"
    with pytest.raises(InvalidIdentity, match="at most 1024 characters"):
        services.set_password(boss.pk, long + "p")


def test_all_refusals_cost_the_same(boss: User, cheap: pytest.MonkeyPatch) -> None:
    """An unknown, a disabled and a passwordless name cost the hash that a wrong password does."""
    cheap.undo()
    services.create_user("keyless", RoleName.READER)
    services.set_password(boss.pk, PASSWORD)
    gone = services.create_user("gone", RoleName.READER, password=PASSWORD)
    services.set_active(gone.pk, active=False)
    costs = {}
    for name in ("boss", "nobody", "keyless", "gone"):
        with hashes_counted() as hashed:
            assert attempt(name) == "wrong"
        costs[name] = hashed
    assert [len(hashed) for hashed in costs.values()] == [1, 1, 1, 1]
    assert len({*map(tuple, costs.values())}) == 1


def test_what_nobody_has_costs_what_a_hash_costs() -> None:
    """The hash of nobody has the parameters of everybody's, and another salt each time."""
    assert not PasswordHasher().must_update(nobodys_hash())
    assert nobodys_hash() != nobodys_hash()
    assert not check_password("x", nobodys_hash())


def test_one_client_must_wait_with_one_name(boss: User) -> None:
    """After the free attempts even the right password must wait, longer each time."""
    for _ in range(BY_NAME.free):
        assert attempt("boss") == "wrong"
    with pytest.raises(
        TooManySignIns, match=r"^Too many .* Try again in [1-5] seconds?\.$"
    ) as told:
        services.sign_in("boss", PASSWORD, HERE)
    assert 1 <= told.value.wait_seconds <= 5
    pass_by(5)
    assert attempt("boss") == "wrong"
    pass_by(5)
    assert attempt("boss", PASSWORD) == "wait"  # ten seconds this time
    pass_by(5)
    assert attempt("boss", PASSWORD) == "in"
    assert attempt("boss") == "wrong"  # and all is free again


def test_a_stranger_shuts_nobody_out_elsewhere(boss: User) -> None:
    """However often one client guesses, the name's owner signs in from another."""
    for _ in range(BY_NAME.free + 3):
        attempt("boss")
    assert attempt("boss", PASSWORD) == "wait"
    assert attempt("boss", PASSWORD, ELSEWHERE) == "in"


def test_a_client_that_tries_many_names_must_wait(boss: User) -> None:
    """Names are no way around: the client is counted as well, and its network of IPv6."""
    for number in range(BY_CLIENT.free):
        assert attempt(f"name{number}", address=f"2001:db8::{number:x}") == "wrong"
    assert attempt("boss", PASSWORD, "2001:db8::ffff") == "wait"
    assert attempt("boss", PASSWORD, "2001:db8:0:1::1") == "in"


def test_an_own_account_buys_no_guesses(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in rightly between guesses does not make the client's guesses new."""
    monkeypatch.setattr(signing_in, "BY_CLIENT", BY_CLIENT._replace(first_wait_seconds=900))
    person("mallory", RoleName.READER)
    wrong = 0
    for number in range(4 * BY_CLIENT.free):
        wrong += attempt(f"name{number}") == "wrong"
        attempt("mallory", PASSWORD)
    assert wrong <= BY_CLIENT.free


def test_guesses_of_many_processes_are_counted_together(tmp_path: Path) -> None:
    """Of guesses that workers take at the same moment no more are looked at than one by one."""
    guess = "services.sign_in('root', 'wrong', '192.0.2.7')"
    cheap = "setattr(__import__('iam.passwords').passwords.PasswordHasher, 'memory_cost', 64)"
    with racers(tmp_path, 3) as store:
        store.run(cheap, cheap, cheap)
        ends = [end for _ in range(4) for end in store.run(guess, guess, guess)]
    assert ends.count("WrongPassword") == BY_NAME.free
    assert set(ends) == {"WrongPassword", "TooManySignIns"}


def test_who_waits_costs_nothing(boss: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that must wait is refused without a hash and without a write."""
    for _ in range(BY_NAME.free):
        attempt("boss")
    before = list(SignInCount.objects.values())
    monkeypatch.setattr(PasswordHasher, "verify", None)
    assert attempt("boss", PASSWORD) == "wait"
    assert list(SignInCount.objects.values()) == before


def test_only_so_many_wait_to_be_looked_at(boss: User) -> None:
    """When too many are being looked at, the next is told to come again, and not counted."""
    with ExitStack() as places:
        for _ in range(signing_in.QUEUE_MAX):
            places.enter_context(signing_in._place_in_queue())
        assert attempt("boss", PASSWORD) == "wait"
    assert not SignInCount.objects.exists()
    assert attempt("boss", PASSWORD) == "in"


def test_counts_are_forgotten(boss: User) -> None:
    """An hour after the last attempt nothing of it counts, and the rows go."""
    for _ in range(BY_NAME.free):
        attempt("boss")
    assert services.forget_sign_ins() == 0
    pass_by(3600)
    assert attempt("boss") == "wrong"
    assert {row.attempts for row in SignInCount.objects.all()} == {1}
    pass_by(3600)
    assert services.forget_sign_ins() == 2
    assert not SignInCount.objects.exists()


def test_a_flood_of_names_does_not_grow_the_table(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound the oldest counts go, and what is newest still holds."""
    monkeypatch.setattr(signing_in, "COUNTS_MAX", 100)
    later = timezone.now() + timedelta(seconds=60)
    SignInCount.objects.bulk_create(
        SignInCount(key=f"{number:064}", waits_until=later, forgotten_at=later)
        for number in range(100)
    )
    for _ in range(BY_NAME.free):
        attempt("boss")
    assert SignInCount.objects.count() <= 100
    assert attempt("boss", PASSWORD) == "wait"


def test_the_table_names_nobody(boss: User) -> None:
    """A name that was typed is not in the table: it may be a password in the wrong field."""
    attempt("my-secret-password")
    text = " ".join(str(row) for row in SignInCount.objects.values_list())
    assert "my-secret" not in text
    assert HERE not in text


def test_a_hash_of_other_parameters_is_made_anew(boss: User, store: StorageEngine) -> None:
    """Who signs in has his password hashed as today's parameters say; his sessions go on."""
    old = PasswordHasher()
    old.time_cost, old.memory_cost, old.parallelism = 1, 32, 1  # type: ignore[misc]
    User.objects.filter(pk=boss.pk).update(password=old.encode(PASSWORD, old.salt()))
    boss.refresh_from_db()
    session_before = boss.get_session_auth_hash()
    assert attempt("boss", PASSWORD) == "in"
    boss.refresh_from_db()
    assert not PasswordHasher().must_update(boss.password)
    assert boss.get_session_auth_hash() == session_before
    assert attempt("boss", PASSWORD) == "in"


def test_the_parameters_are_argon2ids(cheap: pytest.MonkeyPatch) -> None:
    """Passwords are hashed by Argon2id with 64 MiB, three passes and four lanes."""
    cheap.undo()
    assert make_password("x").startswith("argon2$argon2id$v=19$m=65536,t=3,p=4$")
