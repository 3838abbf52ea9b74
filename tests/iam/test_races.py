"""Identity when several processes change it at the same moment."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests import postgresql
from tests.racing import Racers, racers

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 10


def set_active(username: str, *, active: bool) -> str:
    """Write the expression that enables or disables a user."""
    return f"services.set_active(services.find_user({username!r}).pk, active={active})"


def superusers(store: Racers) -> str:
    """Write out who is an active SuperUser."""
    (names,) = store.run("sorted(u.username for u in services.list_users() if u.is_superuser)")
    return names


def test_two_superusers_cannot_disable_each_other_at_once(tmp_path: Path) -> None:
    """When two processes each disable one of the last two SuperUsers, exactly one succeeds."""
    with racers(tmp_path, 2) as store:
        store.run("services.create_user('other', RoleName.SUPERUSER).pk")
        for _ in range(ROUNDS):
            outcomes = store.run(
                set_active("root", active=False), set_active("other", active=False)
            )
            assert sorted(outcomes) == ["LastSuperUser", "None"]
            assert superusers(store) in {"['root']", "['other']"}
            store.run(set_active("root", active=True))
            store.run(set_active("other", active=True))


def test_names_and_keys_are_made_once(tmp_path: Path) -> None:
    """Of processes that make the same user, or the same key, one succeeds, the rest are told."""
    with racers(tmp_path, 3) as store:
        for number in range(ROUNDS):
            user = f"services.create_user('user{number}', RoleName.READER).username"
            assert sorted(store.run(user, user, user)) == [
                "UsernameTaken",
                "UsernameTaken",
                f"user{number}",
            ]
            key = f"services.create_key(1, access_key='KEY{number}').access_key"
            assert sorted(store.run(key, key, key)) == [
                "AccessKeyTaken",
                "AccessKeyTaken",
                f"KEY{number}",
            ]


def test_every_process_obeys_a_key_that_another_disabled(tmp_path: Path) -> None:
    """Once a service has returned in one process, the generation that another reads has moved."""
    with racers(tmp_path, 2) as store:
        generation = "__import__('storage_engine.apps').apps.get_engine().generation()"
        store.run("services.create_key(1, access_key='SHARED').access_key")
        _, before = store.run("0", generation)
        store.run("services.set_key_enabled('SHARED', enabled=False)")
        (
            _,
            after,
        ) = store.run("0", generation)
        assert int(after) > int(before)
        _, found = store.run("0", "services.load_keyring().find('SHARED')")
        assert found == "None"


@pytest.mark.skipif(not postgresql.IS_INSTALLED, reason="PostgreSQL is not installed")
def test_no_two_wait_for_each_other(tmp_path: Path) -> None:
    """In PostgreSQL, too, roles and clients' keys that are changed at once are all changed."""
    with (
        postgresql.cluster() as cluster,
        racers(tmp_path, 2, DATABASE_URL=cluster.database()) as store,
    ):
        store.run("[services.create_role(f'r{n}').pk for n in range(6)]")
        store.run("services.create_user('u0', 'Writer').pk")

        def changing(role: str) -> str:
            pk = f"services.find_role({role!r}).pk"
            change = f"services.update_role({pk}, description=f'{{n}}', policies=[], includes=[])"
            return f"[{change} for n in range(40)] and 'changed'"

        assert store.run(changing("r0"), changing("r5")) == ["changed", "changed"]
        one = "services.rotate_credentials(services.find_user('u0').pk)"
        making = f"[{one} for n in range(20)] and 'made'"
        assert store.run(making, making) == ["made", "made"]
        assert store.run("len(services.list_keys(services.find_user('u0').pk))") == ["1"]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nobody_who_signs_in_stands_in_anothers_way(tmp_path: Path, database: str) -> None:
    """A user who signs in several times at once, from one client, is let in each time."""
    if database == "postgresql" and not postgresql.IS_INSTALLED:
        pytest.skip("PostgreSQL is not installed")
    cheap = "setattr(__import__('iam.passwords').passwords.PasswordHasher, 'memory_cost', 64)"
    entry = "services.sign_in('root', 'correct horse', f'192.0.2.{client}').username"
    entering = f"{{{entry} for client in range(5) for n in range(8)}}"
    with ExitStack() as stack:
        url = ""
        if database == "postgresql":
            url = stack.enter_context(postgresql.cluster()).database()
        store = stack.enter_context(racers(tmp_path, 3, DATABASE_URL=url))
        store.run(cheap, cheap, cheap)
        assert store.run(entering, entering, entering) == ["{'root'}"] * 3
