"""The commands about users, keys and buckets, run as people and scripts run them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.racing import ROOT, environment, racers

if TYPE_CHECKING:
    from pathlib import Path


def manage(data_dir: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command over the store in `data_dir`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        input=typed,
        capture_output=True,
        text=True,
        env=environment(data_dir),
        check=False,
    )


def answer(data_dir: Path, *words: str, typed: str = "") -> Any:
    """Run one command that succeeds and read its JSON."""
    done = manage(data_dir, *words, "--json", typed=typed)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with one Writer in it."""
    made = tmp_path_factory.mktemp("data") / "new" / "store"
    answer(made, "create_user", "ada", "--email", "ada@example.org")
    return made


def test_the_first_command_sets_the_store_up_and_tells_its_secrets(tmp_path: Path) -> None:
    """On a fresh machine a command makes the store; root's secrets go to stderr, once."""
    first = manage(tmp_path / "data", "list_users", "--json")
    assert first.returncode == 0, first.stderr
    assert [user["username"] for user in json.loads(first.stdout)] == ["root"]
    assert "password" in first.stderr
    assert "secret key" in first.stderr
    again = manage(tmp_path / "data", "list_users", "--json")
    assert again.stdout == first.stdout
    assert again.stderr == ""


def test_a_user_a_key_and_a_bucket_for_scripts(data_dir: Path) -> None:
    """The JSON answers hold what a script needs to go on, exactly as it was given."""
    canonical_id = "0123456789abcdef" * 4
    user = answer(
        data_dir,
        *("create_user", "bob", "--role", "Reader", "--display-name", "Bob B."),
        *("--canonical-id", canonical_id, "--account-id", "012345678901"),
    )
    assert user == {
        "username": "bob",
        "canonical_id": canonical_id,
        "account_id": "012345678901",
        "role": "Reader",
        "display_name": "Bob B.",
        "email": "",
    }
    key = answer(
        data_dir,
        *("create_key", "bob", "--access-key", "BOBSKEY", "--secret-key-stdin", "--name", "ci"),
        typed="bobs-secret\n",
    )
    assert key == {
        "username": "bob",
        "access_key": "BOBSKEY",
        "secret_key": "bobs-secret",
        "name": "ci",
    }
    bucket = answer(data_dir, "create_bucket", "photos", "--owner", "bob")
    assert bucket == {"name": "photos", "number": 1, "owner": "bob", "region": "us-east-1"}
    with racers(data_dir, 1) as store:
        (found,) = store.run("services.load_keyring().find('BOBSKEY').secret_key")
        assert found == "bobs-secret"
        (owner,) = store.run("buckets.load_registry().find('photos').owner_canonical_id")
        assert owner == canonical_id


def test_a_generated_key_and_its_end(data_dir: Path) -> None:
    """A key is generated, listed without its secret, disabled and enabled again."""
    key = answer(data_dir, "create_key", "ada")
    listed = manage(data_dir, "list_keys", "ada")
    assert key["access_key"] in listed.stdout
    assert key["secret_key"] not in listed.stdout
    assert not answer(data_dir, "disable_key", key["access_key"])["is_enabled"]
    assert "disabled" in manage(data_dir, "list_keys", "ada").stdout
    assert answer(data_dir, "disable_key", key["access_key"], "--undo")["is_enabled"]


def test_answers_for_people(data_dir: Path) -> None:
    """Without --json the answers are sentences that name what was made."""
    assert "Secret key" in manage(data_dir, "create_key", "ada").stdout
    assert "made for root" in manage(data_dir, "create_bucket", "for-root").stdout
    made = manage(data_dir, "create_user", "eve", "--password-stdin", typed="correct horse\n")
    assert made.stdout.startswith("User eve (Writer) made.")
    assert "eve" in manage(data_dir, "list_users").stdout


@pytest.mark.parametrize(
    ("words", "typed", "code", "complaint"),
    [
        (["create_user", "has space"], "", 2, "only letters"),
        (["create_user", "x", "--canonical-id", "short"], "", 2, "64 digits"),
        (["create_user", "x", "--password-stdin"], "password\n", 2, "too common"),
        (["create_user", "x", "--password-stdin"], "", 2, "standard input"),
        (["create_user", "ada"], "", 1, "already a user named ada"),
        (["create_key", "nobody"], "", 1, "no user nobody"),
        (["create_key", "ada", "--access-key", "a/b"], "", 2, "3 to 128"),
        (["create_key", "ada", "--secret-key-stdin"], "short\n", 2, "8 to 128"),
        (["create_bucket", "Photos"], "", 2, "lower-case"),
        (["create_bucket", "photos-x", "--owner", "nobody"], "", 1, "no user nobody"),
        (["disable_key", "NONE"], "", 1, "no access key NONE"),
    ],
)
def test_a_refusal_is_one_line_and_a_code(
    data_dir: Path, words: list[str], typed: str, code: int, complaint: str
) -> None:
    """What cannot be done is one line on stderr and an exit code, never a traceback."""
    done = manage(data_dir, *words, typed=typed)
    assert done.returncode == code
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
