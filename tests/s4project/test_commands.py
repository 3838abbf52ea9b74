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
        "expires_at": None,
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


def test_an_explanation_for_people_and_scripts(data_dir: Path, tmp_path: Path) -> None:
    """Its exit code says what a request would meet: 0 allowed, 1 denied, 2 no such question."""
    answer(data_dir, "create_bucket", "explained", "--owner", "ada")
    narrow = tmp_path / "narrow.json"
    narrow.write_text(
        '{"Version": "2012-10-17",'
        ' "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*",'
        ' "Condition": {"StringEquals": {"s3:prefix": "in/"}}}}'
    )
    key = answer(data_dir, "create_key", "ada", "--policy", str(narrow), "--expires", "30d")
    told = answer(data_dir, "explain_access", "ada", "s3:ListBucket", "explained")
    assert (told["outcome"], told["heard"][0]["effect"]) == ("allowed", "allow")
    words = ("explain_access", "--key", key["access_key"], "s3:ListBucket", "explained")
    denied = manage(data_dir, *words)
    assert (denied.returncode, denied.stderr) == (1, "")
    first, second = denied.stdout.splitlines()[:2]
    assert first.startswith("DENIED: ada may not do s3:ListBucket on arn:aws:s3:::explained: ")
    assert "the request has no s3:prefix" in second
    assert manage(data_dir, *words, "--context", "s3:prefix=in/").returncode == 0
    anonymous = manage(data_dir, "explain_access", "--anonymous", "s3:ListBucket", "explained")
    assert anonymous.returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        ("nobody", "s3:GetObject", "b/k"),
        ("ada", "s3:Fly", "b/k"),
        ("ada", "s3:GetObject", "none/k"),
        ("ada", "s3:GetObject"),
        ("--anonymous", "ada", "s3:GetObject", "b/k"),
        ("--key", "AKNONE", "s3:GetObject", "b/k"),
        ("ada", "s3:ListAllMyBuckets", "*", "--context", "aws:Nonsense"),
        ("ada", "s3:ListAllMyBuckets", "*", "--context", "nonsense=1"),
    ],
)
def test_a_question_that_means_nothing_is_one_line(data_dir: Path, words: tuple[str, ...]) -> None:
    """What cannot be asked ends with 2 and one plain line, and no answer."""
    done = manage(data_dir, "explain_access", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_quotas_are_set_and_shown(data_dir: Path) -> None:
    """A bucket's and a user's quota: set by size, listed with what is used, taken off."""
    answer(data_dir, "create_bucket", "bounded", "--owner", "ada")
    made = answer(data_dir, "set_quota", "--bucket", "bounded", "--bytes", "5GB", "--objects", "9")
    assert made == {
        "kind": "bucket",
        "name": "bounded",
        "used_bytes": 0,
        "used_objects": 0,
        "quota": {"bytes": 5 * 1024**3, "objects": 9, "warn_percent": 80},
        "percent": 0,
        "state": "ok",
    }
    user = answer(data_dir, "set_quota", "--user", "ada", "--bytes", "100", "--warn-percent", "5")
    assert user in answer(data_dir, "list_usage", "--users")
    assert made in answer(data_dir, "list_usage")
    said = manage(data_dir, "set_quota", "--user", "ada", "--none")
    assert said.stdout.strip() == "The user ada has no quota; 0 bytes and 0 objects are used."
    said = manage(data_dir, "list_usage")
    row = next(line for line in said.stdout.splitlines() if line.startswith("bounded"))
    assert row.split() == ["bounded", "0", str(5 * 1024**3), "0", "9", "0", "ok"]


def test_a_rate_limit_is_set_and_taken_off(data_dir: Path) -> None:
    """A bucket's limit is told as it is set; one that cannot be is a line and a code."""
    answer(data_dir, "create_bucket", "hurried", "--owner", "ada")
    made = answer(data_dir, "set_rate_limit", "--bucket", "hurried", "--per-second", "50")
    assert made == {"kind": "bucket", "name": "hurried", "requests_per_second": 50}
    done = manage(data_dir, "set_rate_limit", "--bucket", "hurried", "--default")
    assert "no limit of its own" in done.stdout
    for whose, rate, code in ((("--key", "AKNOBODY"), "1", 1), (("--bucket", "hurried"), "x", 2)):
        done = manage(data_dir, "set_rate_limit", *whose, "--per-second", rate)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--bucket", "nobody-has-it", "--bytes", "5"), 1, "There is no bucket nobody-has-it."),
        (("--user", "ada", "--bytes", "much"), 2, "much is no such number."),
        (("--user", "ada", "--objects", "-5"), 2, "A bound is a number from 0"),
        (("--user", "ada", "--none", "--bytes", "5"), 2, "Either a quota is taken off"),
    ],
)
def test_a_quota_that_cannot_be_is_one_line(
    data_dir: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    """What nobody can mean, and whom it cannot concern, is refused with a line and a code."""
    done = manage(data_dir, "set_quota", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
