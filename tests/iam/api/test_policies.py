"""Policies, groups and roles over HTTP, and what a user has of them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iam import services
from iam.keyring import RoleName
from iam.models import Policy, User
from tests.calling import Program
from tests.people import person

if TYPE_CHECKING:
    from storage_engine import StorageEngine


@pytest.fixture
def rita(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)


def document(action: str = "s3:GetObject", effect: str = "Allow") -> dict[str, Any]:
    """Write a policy of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": "arn:aws:s3:::shared/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_policy_is_made_attached_changed_and_deleted(boss: User, rita: User) -> None:
    """The life of a managed policy; it is not deleted while somebody holds it."""
    program = Program(boss)
    made = program.post("/admin/policies", {"name": "share", "document": document()})
    assert made.status == 201
    assert made.body["document"] == document()
    assert made.body["is_builtin"] is False
    rights = {"policies": ["share"]}
    assert program.put(f"/admin/users/{rita.pk}", rights).body["policies"] == ["share"]
    changed = program.put("/admin/policies/share", {"document": document("s3:*")})
    assert changed.body["document"] == document("s3:*")
    assert program.get("/admin/policies/share").body == changed.body
    held = program.delete("/admin/policies/share")
    assert held.status == 409
    assert "rita" in held.error
    program.put(f"/admin/users/{rita.pk}", {"policies": []})
    assert program.delete("/admin/policies/share").status == 204
    assert program.get("/admin/policies/share").status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x"}, 400),
        ({"name": "x", "document": "{}"}, 400),
        ({"name": "x", "document": {}}, 400),
        ({"name": "x", "document": []}, 400),
        ({"name": "x", "document": document("s3:Nothing")}, 400),
        ({"name": "x", "document": document(effect="Perhaps")}, 400),
        ({"name": "x", "document": document() | {"More": 1}}, 400),
        ({"name": "x", "document": {"Statement": [{"Effect": "\ud800"}]}}, 400),
        ({"name": "a b", "document": document()}, 400),
        ({"name": "../x", "document": document()}, 400),
        ({"name": "x" * 129, "document": document()}, 400),
        ({"name": "Writer", "document": document()}, 409),
        ({"name": "x", "document": document() | {"Id": "y" * 6200}}, 409),
    ],
)
def test_a_policy_that_cannot_be_is_refused(boss: User, body: dict[str, Any], status: int) -> None:
    """What is not understood whole, or over AWS's limits, is refused in a sentence."""
    before = Policy.objects.count()
    told = Program(boss).post("/admin/policies", body)
    assert (told.status, bool(told.error)) == (status, True)
    assert Policy.objects.count() == before


def test_built_in_policies_and_roles_stay(boss: User) -> None:
    """S4's own are shown and neither changed nor deleted."""
    program = Program(boss)
    assert program.get("/admin/roles/Writer").body["is_builtin"] is True
    for path in ("/admin/policies/Writer", "/admin/roles/Writer"):
        for told in (program.put(path, {"description": "x"}), program.delete(path)):
            assert told.status == 409
            assert "built in" in told.error


def test_groups_and_roles_give_their_policies(boss: User, rita: User) -> None:
    """A user's rights are his own, his groups', his role's and what that includes."""
    program = Program(boss)
    for name in ("one", "two", "three"):
        program.post("/admin/policies", {"name": name, "document": document()})
    group = program.post("/admin/groups", {"name": "ops", "policies": ["one"]})
    assert (group.status, group.body["policies"]) == (201, ["one"])
    assert program.post("/admin/roles", {"name": "base", "policies": ["two"]}).status == 201
    role = {"name": "top", "includes": ["base", "Reader"]}
    assert program.post("/admin/roles", role).body["includes"] == ["Reader", "base"]
    change = {"role": "top", "groups": ["ops"], "policies": ["three"]}
    assert program.put(f"/admin/users/{rita.pk}", change).status == 200
    inline = {"document": document("s3:PutObject")}
    for holder in (f"users/{rita.pk}", "groups/ops", "roles/top"):
        assert program.put(f"/admin/{holder}/policies/own", inline).status == 200
    rights = Program(User.objects.get(pk=rita.pk)).get(f"/admin/users/{rita.pk}/rights").body
    found = [(row["holder_kind"], row["holder"], row["policy"]) for row in rights["rights"]]
    assert found == [
        ("user", "rita", "three"),
        ("user", "rita", "own"),
        ("group", "ops", "one"),
        ("group", "ops", "own"),
        ("role", "top", "own"),
        ("role", "Reader", "Reader"),
        ("role", "base", "two"),
    ]
    listed = program.get("/admin/users?group=ops").body["users"]
    assert [user["username"] for user in listed] == ["rita"]
    assert program.put("/admin/groups/ops", {"policies": []}).body["policies"] == []
    assert program.delete("/admin/groups/ops").status == 204
    assert program.delete("/admin/roles/base").status == 409
    assert program.get("/admin/groups/ops").status == 404


def test_inline_policies_are_listed_and_deleted(boss: User, rita: User) -> None:
    """Each holder has his own; a user sees his, and does not change them."""
    path = f"/admin/users/{rita.pk}/policies"
    program, own = Program(boss), Program(rita)
    program.put(f"{path}/a", {"document": document()})
    program.put(f"{path}/b", {"document": document("s3:PutObject")})
    listed = own.get(f"{path}?limit=1").body
    assert [row["name"] for row in listed["policies"]] == ["a"]
    rest = own.get(f"{path}?token={listed['next_token']}").body["policies"]
    assert rest == [{"name": "b", "document": document("s3:PutObject")}]
    assert own.get(f"{path}/a").body["document"] == document()
    assert own.put(f"{path}/a", {"document": document()}).status == 403
    assert own.delete(f"{path}/a").status == 403
    assert program.delete(f"{path}/a").status == 204
    assert program.delete(f"{path}/a").status == 404
    long = document() | {"Id": "y" * 2100}
    assert program.put(f"{path}/c", {"document": long}).status == 409


def test_a_role_that_would_include_itself_is_refused(boss: User) -> None:
    """Neither a loop nor SuperUser is included."""
    program = Program(boss)
    program.post("/admin/roles", {"name": "a"})
    program.post("/admin/roles", {"name": "b", "includes": ["a"]})
    for includes in (["b"], ["a"], ["SuperUser"]):
        told = program.put("/admin/roles/a", {"includes": includes})
        assert (told.status, bool(told.error)) == (400, True)
    assert program.put("/admin/roles/a", {"includes": ["nobody"]}).status == 404


def test_others_administer_nothing(boss: User, rita: User) -> None:
    """Policies, groups and roles are for SuperUsers; another's rights are not there."""
    program = Program(rita)
    for path in ("policies", "groups", "roles", "policies/Writer", "roles/Writer"):
        assert program.get(f"/admin/{path}").status == 403
    assert program.get(f"/admin/users/{boss.pk}/rights").status == 404
    assert program.get(f"/admin/users/{boss.pk}/policies").status == 404


def test_a_narrowed_key_says_so(rita: User) -> None:
    """A key takes a policy that narrows it, gives it up, and refuses one that is none."""
    program, path = Program(rita), f"/admin/users/{rita.pk}/keys"
    made = program.post(path, {"policy": document()}).body
    assert made["policy"] == document()
    narrowed = services.load_keyring().find(made["access_key"])
    assert narrowed is not None
    assert narrowed.policy is not None
    one = f"{path}/{made['access_key']}"
    assert program.put(one, {"name": "x"}).body["policy"] == document()
    assert program.put(one, {"policy": None}).body["policy"] is None
    assert program.put(one, {"policy": document("s3:Nothing")}).status == 400
    assert program.post(path, {"policy": document() | {"Id": "y" * 2100}}).status == 409


def test_a_user_is_made_with_all_his_rights_or_not_at_all(boss: User) -> None:
    """A group or a policy that is not there leaves no user behind."""
    program = Program(boss)
    for field in ("groups", "policies"):
        told = program.post("/admin/users", {"username": "eve", field: ["nobody"]})
        assert (told.status, "nobody" in told.error) == (404, True)
    assert not User.objects.filter(username="eve").exists()
    made = program.post("/admin/users", {"username": "eve", "role": None})
    assert (made.status, made.body["role"]) == (201, None)
