"""The console's pages for groups and roles, driven as a browser does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.messages import get_messages

from iam import services
from iam.keyring import RoleName
from iam.models import Group, Role, User
from tests.people import browser, person

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from iam.models import Policy

GROUPS, ROLES, USERS = "/iam/group/", "/iam/role/", "/iam/user/"
DOCUMENT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Sid": "Reads", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
    }
)


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def errors(response: HttpResponse) -> dict[str, list[str]]:
    """Read what a form that came back complains about, by field."""
    assert response.status_code == 200
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    return {name: list(reasons) for name, reasons in found.items()}


@pytest.fixture
def console(boss: User) -> Client:
    """Sign in as the SuperUser."""
    return browser("boss")


@pytest.fixture
def reads(boss: User) -> Policy:
    """Make a policy."""
    return services.create_policy("reads", DOCUMENT)


def held(holder: Any) -> list[str]:
    """Name the managed policies of a user, group or role."""
    return sorted(holder.policies.values_list("name", flat=True))


def test_a_group_is_made_filled_and_deleted(console: Client, reads: Policy, boss: User) -> None:
    """A group's policies are its members' at once, and the pages say who has what by which way."""
    values = {"name": "staff", "description": "All.", "policies": [reads.pk]}
    assert console.post(f"{GROUPS}add/", values).status_code == 302
    staff = services.find_group("staff")
    assert held(staff) == ["reads"]
    services.set_groups(boss.pk, ["staff"])
    page = text(console.get(f"{GROUPS}{staff.pk}/change/"))
    assert f'href="{USERS}{boss.pk}/change/">boss</a>' in page
    assert "Policy &quot;reads&quot; of the group &quot;staff&quot;" in text(
        console.get(f"{USERS}{boss.pk}/change/")
    )
    assert "boss" in text(console.get(f"{USERS}?groups__id__exact={staff.pk}"))
    values = {"description": "None.", "policies": []}
    assert console.post(f"{GROUPS}{staff.pk}/change/", values).status_code == 302
    assert held(staff) == []
    assert console.post(f"{GROUPS}{staff.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Group.objects.exists()


def test_members_come_and_go_on_the_groups_page(console: Client, boss: User) -> None:
    """A group's page adds members when it is made and later, and removes them; others stay."""
    services.create_group("other")
    services.set_groups(boss.pk, ["other"])
    ada = services.create_user("ada", None)
    assert console.post(f"{GROUPS}add/", {"name": "staff", "joining": [boss.pk]}).status_code == 302
    staff = services.find_group("staff")
    values = {"joining": [ada.pk], "leaving": [boss.pk]}
    assert console.post(f"{GROUPS}{staff.pk}/change/", values).status_code == 302
    assert list(staff.members.values_list("username", flat=True)) == ["ada"]
    assert list(boss.groups.values_list("name", flat=True)) == ["other"]
    wrong = console.post(f"{GROUPS}{staff.pk}/change/", {"joining": ["99999999"]})
    assert "99999999" in errors(wrong)["joining"][0]


def test_a_large_group_shows_some_of_its_members(console: Client) -> None:
    """A page lists the first fifty of many members, says so, and leads to all of them."""
    staff = services.create_group("staff")
    many = [User(username=f"user{number:02}") for number in range(51)]
    staff.members.set(User.objects.bulk_create(many))
    page = text(console.get(f"{GROUPS}{staff.pk}/change/"))
    assert "user49" in page
    assert "user50" not in page
    assert "The first 50." in page
    assert f"{USERS}?groups__id__exact={staff.pk}" in page


def test_a_role_is_made_of_policies_and_roles(console: Client, reads: Policy) -> None:
    """A role's page tells all that it gives, what it includes and where it is included."""
    reader = services.find_role("Reader")
    values = {
        "name": "Auditor",
        "description": "",
        "policies": [reads.pk],
        "includes": [reader.pk],
    }
    assert console.post(f"{ROLES}add/", values).status_code == 302
    made = services.find_role("Auditor")
    page = text(console.get(f"{ROLES}{made.pk}/change/"))
    assert "Policy &quot;Reader&quot; of the role &quot;Reader&quot;" in page
    assert "Auditor" in text(console.get(f"{ROLES}{reader.pk}/change/"))
    assert console.post(f"{ROLES}{made.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Role.objects.filter(name="Auditor").exists()


def test_a_refused_role_comes_back(console: Client) -> None:
    """A loop of roles, and one that would give SuperUser, come back at the field, unsaved."""
    first = services.create_role("first")
    second = services.create_role("second", includes=["first"])
    loop = console.post(
        f"{ROLES}{first.pk}/change/", {"description": "new", "includes": [second.pk]}
    )
    assert errors(loop) == {"includes": ["The role first would include itself."]}
    boss = services.find_role("SuperUser")
    given = console.post(f"{ROLES}add/", {"name": "third", "includes": [boss.pk]})
    assert "one by one" in errors(given)["includes"][0]
    builtin = services.find_policy("Writer")
    attached = console.post(f"{ROLES}add/", {"name": "third", "policies": [builtin.pk]})
    assert "built in" in str(errors(attached))
    assert services.find_role("first").description == ""
    assert not Role.objects.filter(name="third").exists()


def test_a_builtin_role_is_only_shown(console: Client) -> None:
    """Built-in roles have a page without a form; changes and deletions of them are refused."""
    writer = services.find_role("Writer")
    page = text(console.get(f"{ROLES}{writer.pk}/change/"))
    assert "aws:ResourceAccount" in page
    assert 'name="_save"' not in page
    assert "Add inline policy" not in page
    address = f"{ROLES}{writer.pk}/change/"
    assert console.post(address, {"description": "x"}).status_code == 403
    assert console.post(f"{ROLES}{writer.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_role_in_use_is_kept(console: Client) -> None:
    """A role that a user has, or that another includes, is not deleted."""
    first = services.create_role("first")
    services.create_role("second", includes=["first"])
    response = console.post(f"{ROLES}{first.pk}/delete/", {"post": "yes"})
    assert "take it from the role second first" in said(response)
    assert Role.objects.filter(name="first").exists()


def test_more_policies_than_can_be_attached_come_back(console: Client, boss: User) -> None:
    """An eleventh policy is refused at its field, for a group and for a user."""
    many = [services.create_policy(f"p{number}", DOCUMENT).pk for number in range(11)]
    group = console.post(f"{GROUPS}add/", {"name": "staff", "policies": many})
    assert errors(group) == {"policies": ["At most 10 policies can be attached."]}
    values = {"display_name": "B.", "role": "SuperUser", "is_active": "on", "policies": many}
    user = console.post(f"{USERS}{boss.pk}/change/", values)
    assert errors(user) == {"policies": ["At most 10 policies can be attached."]}
    assert services.find_user("boss").display_name == ""


def test_a_users_groups_and_policies_are_chosen(console: Client, reads: Policy) -> None:
    """A user's form joins him to groups and attaches policies, when he is made and later."""
    staff = services.create_group("staff")
    values: dict[str, Any] = {"username": "ada", "groups": [staff.pk], "policies": [reads.pk]}
    assert console.post(f"{USERS}add/", values).status_code == 302
    ada = services.find_user("ada")
    assert (held(ada), [group.name for group in ada.groups.all()]) == (["reads"], ["staff"])
    assert console.post(f"{USERS}{ada.pk}/change/", {"is_active": "on"}).status_code == 302
    assert (held(ada), list(ada.groups.all())) == ([], [])


@pytest.mark.parametrize("username", ["wilma", "rita", None])
def test_groups_and_roles_are_for_superusers(
    boss: User, client: Client, username: str | None
) -> None:
    """No page on groups or roles is open to a Writer, a Reader or a stranger."""
    person("wilma", RoleName.WRITER)
    person("rita", RoleName.READER)
    group, role = services.create_group("staff"), services.create_role("Auditor")
    someone = browser(username) if username else client
    if username:
        page = text(someone.get("/"))
        assert not [address for address in (GROUPS, ROLES, "/iam/policy/") if address in page]
    for pages, row in ((GROUPS, group), (ROLES, role)):
        for action in ("", "add/", f"{row.pk}/change/", f"{row.pk}/delete/", f"{row.pk}/history/"):
            for method in (someone.get, someone.post):
                response = method(f"{pages}{action}", {"post": "yes", "name": "mine"})
                assert response.status_code == (403 if username else 302), action
    assert Group.objects.count() == 1
    assert Role.objects.filter(is_builtin=False).count() == 1
