"""The commands about policies, groups and roles, as an administrator types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.s4project.test_commands import answer, data_dir, manage

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["data_dir"]  # a fixture

READ = (
    '{"Version": "2012-10-17",'
    ' "Statement": {"Effect": "%s", "Action": "s3:GetObject", "Resource": "*"}}'
)


@pytest.fixture(scope="module")
def policy(data_dir: Path) -> str:
    """Make a managed policy, from standard input."""
    made = answer(data_dir, "create_policy", "read", "-", typed=READ % "Allow")
    assert made == {"name": "read", "description": "", "is_new": True}
    answer(data_dir, "create_user", "carl", "--no-role")
    answer(data_dir, "create_bucket", "lib", "--owner", "ada")
    return "read"


def outcome(data_dir: Path) -> str:
    """Ask what carl's request would meet."""
    done = manage(data_dir, "explain_access", "carl", "s3:GetObject", "lib/book", "--json")
    return f"{json.loads(done.stdout)['outcome']} {json.loads(done.stdout)['source']}"


def test_a_policy_goes_to_a_user_and_comes_back(data_dir: Path, policy: str) -> None:
    """Attached it counts, detached it does not; what is not attached cannot be taken."""
    assert outcome(data_dir).startswith("denied")
    given = answer(data_dir, "attach_policy", policy, "--user", "carl")
    assert given == {"policy": "read", "holder": "the user carl"}
    in_use = manage(data_dir, "delete_policy", policy)
    assert (in_use.returncode, len(in_use.stderr.splitlines())) == (1, 1)
    answer(data_dir, "detach_policy", policy, "--user", "carl")
    again = manage(data_dir, "detach_policy", policy, "--user", "carl")
    assert (again.returncode, again.stderr) == (1, "The policy read is not attached to carl.\n")


def test_groups_and_roles_are_made_given_and_deleted(data_dir: Path, policy: str) -> None:
    """Members have what their group has, and users what their role includes."""
    answer(data_dir, "create_group", "readers", "--policy", policy)
    answer(data_dir, "create_role", "inner", "--policy", policy)
    answer(data_dir, "create_role", "outer", "--include", "inner", "--include", "Reader")
    user = answer(data_dir, "set_user", "carl", "--role", "outer", "--group", "readers")
    assert user == {"username": "carl", "role": "outer", "groups": ["readers"], "is_active": True}
    assert [group["members"] for group in answer(data_dir, "list_groups")] == [["carl"]]
    roles = {role["name"]: role["includes"] for role in answer(data_dir, "list_roles")}
    assert (roles["outer"], "SuperUser" in roles) == (["Reader", "inner"], True)
    answer(data_dir, "delete_group", "readers")
    refused = manage(data_dir, "delete_role", "outer")
    assert (refused.returncode, "carl" in refused.stderr) == (1, True)
    user = answer(data_dir, "set_user", "carl", "--no-role", "--disable")
    assert (user["role"], user["groups"], user["is_active"]) == (None, [], False)
    answer(data_dir, "set_user", "carl", "--enable")
    for name in ("outer", "inner"):
        assert answer(data_dir, "delete_role", name) == {"name": name}


def test_a_policy_of_one_s_own(data_dir: Path, policy: str, tmp_path: Path) -> None:
    """An inline policy is set, replaced and deleted; a file that is none is one line."""
    path = tmp_path / "own.json"
    for effect in ("Allow", "Deny"):
        path.write_text(READ % effect)
        answer(data_dir, "put_inline_policy", "own", str(path), "--user", "carl")
    assert outcome(data_dir) == 'denied inline policy "own" of the user'
    answer(data_dir, "delete_inline_policy", "own", "--user", "carl")
    path.write_text(
        '{"Version": "2012-10-17",'
        ' "Statement": {"Effect": "Perhaps", "Action": "s3:*", "Resource": "*"}}'
    )
    for name in (str(path), str(tmp_path / "none")):
        done = manage(data_dir, "put_inline_policy", "own", name, "--user", "carl")
        assert (done.returncode in {1, 2}, len(done.stderr.splitlines())) == (True, 1)


def test_policies_are_listed_and_replaced(data_dir: Path, policy: str, tmp_path: Path) -> None:
    """A replaced document is listed as it is now; S4's own are neither replaced nor deleted."""
    path = tmp_path / "new.json"
    path.write_text(READ % "Deny")
    answer(data_dir, "create_policy", policy, str(path), "--replace")
    taken = manage(data_dir, "create_policy", policy, str(path))
    assert (taken.returncode, len(taken.stderr.splitlines())) == (1, 1)
    listed = {each["name"]: each for each in answer(data_dir, "list_policies")}
    assert listed[policy]["document"]["Statement"]["Effect"] == "Deny"
    assert [name for name, each in listed.items() if each["is_builtin"]] == [
        *("Reader", "SuperUser", "Writer")
    ]
    assert manage(data_dir, "delete_policy", "Writer").returncode == 1
    assert manage(data_dir, "create_policy", "Writer", str(path), "--replace").returncode == 1
