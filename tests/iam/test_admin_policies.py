"""The console's pages for policies, managed and inline, driven as a browser does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.contrib.messages import get_messages

from iam import services
from iam.keyring import RoleName
from iam.models import InlinePolicy, Policy
from tests.people import browser, person

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from iam.models import User
    from storage_engine import StorageEngine

POLICIES, INLINE = "/iam/policy/", "/iam/inlinepolicy/"
DOCUMENT = """{
  "Version": "2012-10-17",
      "Statement": {"Sid": "Reads", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
}"""


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


def test_a_policy_is_made_changed_and_deleted(console: Client, store: StorageEngine) -> None:
    """A policy keeps its text as it was typed, but for a browser's line ends."""
    values = {"name": "reads", "description": "", "document": DOCUMENT.replace("\n", "\r\n")}
    response = console.post(f"{POLICIES}add/", values)
    assert response.status_code == 302
    made = services.find_policy("reads")
    assert made.document == DOCUMENT
    before = store.generations()["iam"]
    values = {"description": "Reads.", "document": DOCUMENT.replace("Reads", "All")}
    address = f"{POLICIES}{made.pk}/change/"
    assert console.post(address, {**values, "name": "other"}).status_code == 302
    assert services.find_policy("reads").description == "Reads."
    assert store.generations()["iam"] > before
    assert "All" in text(console.get(address))
    assert console.post(f"{POLICIES}{made.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Policy.objects.filter(name="reads").exists()


@pytest.mark.parametrize(
    ("values", "field", "complaint"),
    [
        ({"name": "Reader"}, "name", "already exists"),
        ({"name": "has space"}, "name", "only letters"),
        ({"name": ""}, "name", "required"),
        ({"document": ""}, "document", "required"),
        ({"document": "nonsense"}, "document", "line 1, column 1"),
        ({"document": '{\n "Version": }'}, "document", "line 2, column 13"),
        ({"document": DOCUMENT.replace("GetObject", "Nope")}, "document", 'statement 1, "Reads"'),
        ({"document": DOCUMENT.replace("Reads", "R" * 7000)}, "document", "PolicySize: 6144"),
        ({"description": "x" * 1001}, "description", "1000 characters"),
    ],
)
def test_a_wrong_policy_comes_back_as_it_was_typed(
    console: Client, values: dict[str, str], field: str, complaint: str
) -> None:
    """A policy that is refused comes back with the reason at its field; nothing is saved."""
    filled = {"name": "new", "description": "for tests", "document": DOCUMENT, **values}
    response = console.post(f"{POLICIES}add/", filled)
    assert complaint in " ".join(errors(response)[field])
    form = response.context["adminform"].form
    assert form["document"].value() == filled["document"]
    assert not Policy.objects.filter(is_builtin=False).exists()


def test_what_s4_has_by_itself_is_only_shown(console: Client) -> None:
    """Built-in policies have a page without a form; changes and deletions of them are refused."""
    reader = services.find_policy("Reader")
    address = f"{POLICIES}{reader.pk}/change/"
    page = text(console.get(address))
    assert "ReadWhatIsOwn" in page
    assert 'name="_save"' not in page
    assert "<textarea" not in page
    values = {"description": "x", "document": DOCUMENT}
    assert console.post(address, values).status_code == 403
    assert console.post(f"{POLICIES}{reader.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [reader.pk], "post": "yes"}
    assert console.post(POLICIES, chosen).status_code == 403
    assert services.find_policy("Reader").document == reader.document


def test_a_policy_in_use_is_kept(console: Client, boss: User) -> None:
    """A policy that somebody holds is not deleted, and its page says who does."""
    made = services.create_policy("reads", DOCUMENT)
    services.set_policies(boss.pk, ["reads"])
    assert f'href="/iam/user/{boss.pk}/change/">boss</a>' in text(
        console.get(f"{POLICIES}{made.pk}/change/")
    )
    assert "relationship" not in text(console.get(f"{POLICIES}{made.pk}/delete/"))
    response = console.post(f"{POLICIES}{made.pk}/delete/", {"post": "yes"})
    assert "take it from the user boss first" in said(response)
    assert Policy.objects.filter(pk=made.pk).exists()


def test_only_what_can_be_attached_is_offered(console: Client) -> None:
    """The choice of policies leaves out those that are had as roles."""
    services.create_policy("reads", DOCUMENT)
    address = "/autocomplete/?app_label=iam&model_name=user&field_name=policies"
    offered = console.get(address).json()["results"]
    assert [each["text"] for each in offered] == ["reads"]


def test_text_from_people_is_escaped(console: Client, boss: User) -> None:
    """Markup in a document or description is shown, never obeyed."""
    evil = "<script>alert(1)</script>"
    resource = f"arn:aws:s3:::a{evil}"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    made = services.create_policy("evil", document, description=evil)
    services.put_inline_policy(boss, "evil", document)
    services.set_policies(boss.pk, ["evil"])
    for address in (POLICIES, f"{POLICIES}{made.pk}/change/", f"/iam/user/{boss.pk}/change/"):
        page = text(console.get(address))
        assert evil not in page
        assert "&lt;script&gt;alert" in page


# --- inline policies ---------------------------------------------------------------------------


def test_an_inline_policy_is_added_changed_and_deleted(console: Client, boss: User) -> None:
    """An inline policy is written on a page of its own, and leads back to whose it is."""
    home = f"/iam/user/{boss.pk}/change/"
    add = f"{INLINE}add/?user={boss.pk}"
    assert add in text(console.get(home))
    response = console.post(add, {"name": "own", "document": DOCUMENT})
    assert response["Location"] == home
    made = boss.inline_policies.get()
    assert made.document == DOCUMENT
    address = f"{INLINE}{made.pk}/change/"
    assert address in text(console.get(home))
    other = DOCUMENT.replace("Reads", "Other")
    assert console.post(address, {"document": other, "name": "x"})["Location"] == home
    assert list(boss.inline_policies.values_list("name", "document")) == [("own", other)]
    assert console.get(f"{INLINE}{made.pk}/delete/").status_code == 200
    response = console.post(f"{INLINE}{made.pk}/delete/", {"post": "yes"})
    assert response["Location"] == home
    assert not boss.inline_policies.exists()


def test_a_wrong_inline_policy_comes_back(console: Client, boss: User) -> None:
    """An inline policy of a name that is taken, wrong or too long comes back with the reason."""
    services.put_inline_policy(boss, "own", DOCUMENT)
    add = f"{INLINE}add/?user={boss.pk}"
    taken = console.post(add, {"name": "own", "document": DOCUMENT})
    assert "There is already" in errors(taken)["name"][0]
    long = console.post(add, {"name": "b", "document": DOCUMENT.replace("Reads", "R" * 2000)})
    assert "Maximum policy size of 2048 bytes" in errors(long)["document"][0]
    wrong = console.post(add, {"name": "b", "document": "{"})
    assert "line 1, column 2" in errors(wrong)["document"][0]
    assert boss.inline_policies.count() == 1


@pytest.mark.parametrize(
    "query", ["", "?user=", "?user=99999999", "?user=x", "?group=1", "?user=²"]
)
def test_an_inline_policy_of_nobody_is_not_asked_for(console: Client, query: str) -> None:
    """The page for a new inline policy wants to know whose it shall be."""
    response = console.get(f"{INLINE}add/{query}")
    assert response.status_code == 302
    assert "on the page of who shall hold it" in said(response)
    values = {"name": "own", "document": DOCUMENT}
    assert console.post(f"{INLINE}add/{query}", values).status_code == 302
    assert not InlinePolicy.objects.exists()


def test_a_builtin_roles_page_adds_no_inline_policy(console: Client) -> None:
    """A built-in role is given no policy of its own, whatever address is tried."""
    writer = services.find_role("Writer")
    response = console.post(f"{INLINE}add/?role={writer.pk}", {"name": "x", "document": DOCUMENT})
    assert "built in" in " ".join(errors(response)["__all__"])
    assert not InlinePolicy.objects.exists()


@pytest.mark.parametrize("username", ["wilma", "rita", None])
def test_policies_are_for_superusers(boss: User, client: Client, username: str | None) -> None:
    """No page on policies is open to a Writer, a Reader or a stranger."""
    person("wilma", RoleName.WRITER)
    person("rita", RoleName.READER)
    services.put_inline_policy(boss, "own", DOCUMENT)
    inline, managed = boss.inline_policies.get(), services.create_policy("reads", DOCUMENT)
    someone = browser(username) if username else client
    for address in (
        POLICIES,
        f"{POLICIES}add/",
        f"{POLICIES}{managed.pk}/change/",
        f"{POLICIES}{managed.pk}/delete/",
        f"{POLICIES}{managed.pk}/history/",
        INLINE,
        f"{INLINE}add/?user={boss.pk}",
        f"{INLINE}{inline.pk}/change/",
        f"{INLINE}{inline.pk}/delete/",
    ):
        for response in (someone.get(address), someone.post(address, {"post": "yes"})):
            assert response.status_code == (403 if username else 302), address
    assert services.find_policy("reads").document == DOCUMENT
    assert boss.inline_policies.exists()
