"""The console's pages for users and keys, driven as a browser does: forms, rights, refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.test import Client

from iam import services
from iam.keyring import RoleName
from iam.models import AccessKey, User
from tests.iam.hashing import hashes_counted
from tests.people import PASSWORD, browser, person

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpResponse

    from storage_engine import StorageEngine

USERS, KEYS = "/iam/user/", "/iam/accesskey/"


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def new_user(**values: str) -> dict[str, str]:
    """Fill in the form for a new user."""
    return {
        "username": "ada",
        "display_name": "Ada L.",
        "email": "",
        "role": "Writer",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **values,
    }


def changed_user(user: User, **values: str) -> dict[str, str]:
    """Fill in the form of an existing user; an absent is_active is an unticked box."""
    filled = {"display_name": user.display_name, "email": user.email, "role": user.role_id}
    return {**filled, "is_active": "on", **values}


@pytest.fixture
def console(boss: User) -> Client:
    """Sign in as the SuperUser."""
    return browser("boss")


@pytest.fixture
def writer(store: StorageEngine) -> User:
    """Make a Writer who can sign in."""
    return person("wilma", RoleName.WRITER)


@pytest.fixture
def reader(store: StorageEngine) -> User:
    """Make a Reader who can sign in."""
    return person("rita", RoleName.READER)


def test_the_login_page_is_s4s_and_asks_nobody_else(store: StorageEngine) -> None:
    """The login page is titled S4 and every script, style and picture on it is S4's own."""
    page = text(Client().get("/login/"))
    assert re.search(r"<title>[^<]*S4\s*</title>", page)
    assert "Object store on testserver" in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert not [source for source in sources if not source.startswith(("/", "#"))]


def test_every_page_loads_from_s4_only(console: Client, boss: User) -> None:
    """No console page names another host to fetch from, and each thing it names is served."""
    fetched = set()
    for address in ("/", USERS, f"{USERS}add/", f"{USERS}{boss.pk}/change/", KEYS, f"{KEYS}add/"):
        page = text(console.get(address))
        tags = re.findall(r"<(?:script|link|img)\b[^>]*>", page)
        fetched |= {url for tag in tags for url in re.findall(r'(?:src|href)="([^"]+)"', tag)}
        assert not re.findall(r"url\(['\"]?https?:", page)
    assert fetched
    for url in fetched:
        assert url.startswith("/"), url
        served = console.get(url)
        assert served.status_code == 200, url
        served.close()


def test_a_form_without_its_csrf_token_is_refused(boss: User) -> None:
    """A post without CSRF token changes nothing, though the session is good."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(boss)
    assert client.post(f"{USERS}add/", new_user()).status_code == 403
    assert not User.objects.filter(username="ada").exists()


def test_a_user_made_in_the_console_can_sign_in(console: Client) -> None:
    """A user made with a password signs in with it and has the role that was chosen."""
    response = console.post(f"{USERS}add/", new_user())
    made = User.objects.get(username="ada")
    assert response.status_code == 302
    assert response["Location"] == f"{USERS}{made.pk}/change/"
    assert (made.role_id, made.display_name) == ("Writer", "Ada L.")
    client = Client()
    signed_in = client.post("/login/?next=/", {"username": "ada", "password": PASSWORD})
    assert signed_in.status_code == 302
    assert client.get("/").status_code == 200


def test_a_user_without_password_cannot_sign_in(console: Client) -> None:
    """A user made without password is for keys only: no password lets him in."""
    console.post(f"{USERS}add/", new_user(password1="", password2=""))
    assert User.objects.filter(username="ada").exists()
    response = Client().post("/login/", {"username": "ada", "password": ""})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"username": "boss"}, "already exists"),
        ({"username": "has space"}, "only letters"),
        ({"password2": "another horse"}, "password fields"),
        ({"password2": ""}, "password fields"),
        ({"password1": "password", "password2": "password"}, "too common"),
        ({"role": "Owner"}, "Select a valid choice"),
        ({"email": "nonsense"}, "valid email"),
    ],
)
def test_wrong_input_comes_back_with_the_reason(
    console: Client, values: dict[str, str], complaint: str
) -> None:
    """A form that cannot be taken comes back with the reason at its field; nobody is made."""
    response = console.post(f"{USERS}add/", new_user(**values))
    assert response.status_code == 200
    assert complaint in text(response)
    assert User.objects.count() == 1


def test_role_and_profile_are_changed_through_the_services(
    console: Client, store: StorageEngine, writer: User
) -> None:
    """A change in the console reaches the keyring, and workers are told once it is saved."""
    before = store.generations()["iam"]
    values = changed_user(writer, role="Reader", display_name="Wilma F.")
    assert console.post(f"{USERS}{writer.pk}/change/", values).status_code == 302
    principal = services.load_keyring().principal(writer.canonical_id)
    assert principal is not None
    assert (principal.role, principal.display_name) == (RoleName.READER, "Wilma F.")
    assert store.generations()["iam"] > before


def test_a_disabled_user_is_out_at_once(console: Client, writer: User) -> None:
    """Disabling a user ends his running session and his keys."""
    key = services.create_key(writer.pk).access_key
    session = browser("wilma")
    assert session.get("/").status_code == 200
    values = changed_user(writer)
    del values["is_active"]
    console.post(f"{USERS}{writer.pk}/change/", values)
    assert session.get("/").status_code == 302
    assert services.load_keyring().find(key) is None


@pytest.mark.parametrize("values", [{"role": "Reader"}, {"is_active": ""}])
def test_the_form_keeps_the_last_superuser(
    console: Client, boss: User, values: dict[str, str]
) -> None:
    """Demoting or disabling the last SuperUser comes back as a form error."""
    filled = {name: value for name, value in changed_user(boss, **values).items() if value}
    response = console.post(f"{USERS}{boss.pk}/change/", filled)
    assert response.status_code == 200
    assert "last active SuperUser" in text(response)
    assert services.find_user("boss").is_superuser


def test_the_form_keeps_root_a_superuser(console: Client) -> None:
    """Demoting root comes back as a form error even while there is another SuperUser."""
    services.ensure_root(password=PASSWORD)
    root = services.find_user("root")
    response = console.post(f"{USERS}{root.pk}/change/", changed_user(root, role="Writer"))
    assert response.status_code == 200
    assert "root user cannot" in text(response)
    assert services.find_user("root").is_superuser


@pytest.mark.parametrize("values", [{"role": "Reader"}, {"is_active": ""}])
def test_nobody_takes_his_own_rights(console: Client, boss: User, values: dict[str, str]) -> None:
    """A SuperUser who would demote or disable himself is told to let another do it."""
    person("ada", RoleName.SUPERUSER)
    filled = {name: value for name, value in changed_user(boss, **values).items() if value}
    response = console.post(f"{USERS}{boss.pk}/change/", filled)
    (field,) = values
    assert "let another SuperUser do it" in response.context["adminform"].form.errors[field][0]
    assert services.find_user("boss").is_superuser


def test_nobody_deletes_himself(console: Client, boss: User) -> None:
    """A SuperUser who would delete himself, alone or among others, is told so; nobody is gone."""
    person("ada", RoleName.SUPERUSER)
    response = console.post(f"{USERS}{boss.pk}/delete/", {"post": "yes"})
    assert "let another SuperUser do it" in said(response)
    pks = list(User.objects.values_list("pk", flat=True))
    values = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    console.post(USERS, values)
    assert User.objects.count() == 2


def test_the_last_superuser_is_not_deleted(console: Client, boss: User) -> None:
    """Deleting the last SuperUser, alone or among others, is refused with a sentence."""
    response = console.post(f"{USERS}{boss.pk}/delete/", {"post": "yes"})
    assert response.status_code == 302
    assert "last active SuperUser" in said(response)
    services.create_user("ada", RoleName.WRITER)
    pks = list(User.objects.values_list("pk", flat=True))
    values = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    response = console.post(USERS, values)
    assert "last active SuperUser" in said(response)
    assert User.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_a_user_is_deleted(console: Client, writer: User) -> None:
    """A user who owns nothing is deleted, and the history says so."""
    assert console.post(f"{USERS}{writer.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=writer.pk).exists()
    assert LogEntry.objects.get().object_repr == "wilma"


def test_a_password_set_by_the_administrator(console: Client, writer: User) -> None:
    """The password page gives a user another password; weak ones come back."""
    address = f"{USERS}{writer.pk}/password/"
    assert console.get(address).status_code == 200
    weak = console.post(address, {"password1": "12345678", "password2": "12345678"})
    assert weak.status_code == 200
    values = {"password1": "another horse", "password2": "another horse", "set-password": "1"}
    assert console.post(address, values).status_code == 302
    assert services.find_user("wilma").check_password("another horse")
    assert services.find_user("wilma").token_version == writer.token_version + 1


def test_an_empty_password_form_takes_no_password_away(console: Client, writer: User) -> None:
    """The password page cannot be used to leave a user without password."""
    address = f"{USERS}{writer.pk}/password/"
    response = console.post(address, {"usable_password": "false", "unset-password": "1"})
    assert response.status_code == 200
    assert services.find_user("wilma").check_password(PASSWORD)


def test_everybody_changes_his_own_password(writer: User) -> None:
    """A Writer changes his own password, stays signed in, and his tokens end."""
    client = browser("wilma")
    values = {
        "old_password": PASSWORD,
        "new_password1": "another horse",
        "new_password2": "another horse",
    }
    assert client.post("/password_change/", values).status_code == 302
    now = services.find_user("wilma")
    assert now.check_password("another horse")
    assert now.token_version == writer.token_version + 1
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("username", ["wilma", "rita"])
def test_only_superusers_see_users(boss: User, writer: User, reader: User, username: str) -> None:
    """A Writer or Reader finds no page about users, not even about himself, nor a link to one."""
    client = browser(username)
    me = User.objects.get(username=username)
    assert USERS not in text(client.get("/"))
    for address in (
        USERS,
        f"{USERS}add/",
        f"{USERS}{me.pk}/change/",
        f"{USERS}{boss.pk}/password/",
        f"{USERS}{boss.pk}/delete/",
        f"{USERS}{boss.pk}/history/",
        "/autocomplete/?app_label=iam&model_name=accesskey&field_name=user",
    ):
        assert client.get(address).status_code == 403, address
    assert client.post(f"{USERS}add/", new_user()).status_code == 403
    values = changed_user(me, role="SuperUser")
    assert client.post(f"{USERS}{me.pk}/change/", values).status_code == 403
    assert User.objects.get(pk=me.pk).role == me.role


def test_an_unknown_name_costs_what_a_wrong_password_costs(boss: User) -> None:
    """The login page hashes for an unknown name as it does for a wrong password."""
    costs = []
    for name in ("boss", "nobody"):
        with hashes_counted() as hashed:
            response = Client().post("/login/", {"username": name, "password": "x"})
        assert response.status_code == 200
        costs.append(hashed)
    assert [len(hashed) for hashed in costs] == [1, 1]


def test_a_strangers_visit_ends_at_the_login(store: StorageEngine) -> None:
    """Without a session every page leads to the login."""
    for address in ("/", USERS, KEYS, f"{KEYS}add/"):
        response = Client().get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


def secret_on(page: str) -> str:
    """Find the secret on the page that shows it."""
    match = re.search(r'id="secret-key"[^>]*>([A-Za-z0-9]{40})<', page)
    assert match is not None, "the page shows no secret"
    return match[1]


def test_a_new_keys_secret_is_shown_once(console: Client, boss: User) -> None:
    """The answer to making a key shows its secret; no page, session or history does afterwards."""
    response = console.post(f"{KEYS}add/", {"user": boss.pk, "name": "laptop"})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    secret = secret_on(text(response))
    key = AccessKey.objects.get()
    assert key.access_key in text(response)
    credential = services.load_keyring().find(key.access_key)
    assert credential is not None
    assert credential.secret_key == secret
    for address in (
        "/",
        KEYS,
        f"{KEYS}{key.pk}/change/",
        f"{KEYS}{key.pk}/history/",
        f"{KEYS}add/",
    ):
        assert secret not in text(console.get(address))
    assert all(secret not in str(session.get_decoded()) for session in Session.objects.all())
    assert all(secret not in str(vars(entry)) for entry in LogEntry.objects.all())


def test_a_writer_makes_keys_for_himself_only(boss: User, writer: User) -> None:
    """Whoever a Writer names as the user of a new key, it is his own."""
    client = browser("wilma")
    assert 'name="user"' not in text(client.get(f"{KEYS}add/"))
    client.post(f"{KEYS}add/", {"user": boss.pk, "name": "mine"})
    assert AccessKey.objects.get().user == writer


def test_a_writer_reaches_no_key_of_another(boss: User, writer: User) -> None:
    """Lists, pages, changes, deletions and actions of a Writer touch his own keys only."""
    others = services.create_key(boss.pk).access_key
    own = services.create_key(writer.pk).access_key
    client = browser("wilma")
    page = text(client.get(KEYS))
    assert own in page
    assert others not in page
    row = AccessKey.objects.get(access_key=others)
    assert client.get(f"{KEYS}{row.pk}/change/").status_code == 302
    client.post(f"{KEYS}{row.pk}/change/", {"name": "taken"})
    client.post(f"{KEYS}{row.pk}/delete/", {"post": "yes"})
    client.post(KEYS, {"action": "disable", "_selected_action": [row.pk]})
    assert list(AccessKey.objects.filter(pk=row.pk).values_list("name", "is_enabled")) == [
        ("", True)
    ]


def key_values(**values: Any) -> dict[str, Any]:
    """Fill in the form of an existing key; an absent is_enabled is an unticked box."""
    return {"name": "", "expires_at_0": "", "expires_at_1": "", **values}


def test_a_key_is_disabled_renamed_and_ended(console: Client, boss: User) -> None:
    """The form of a key disables it, names it and sets its end, as the keyring then sees it."""
    access_key = services.create_key(boss.pk).access_key
    row = AccessKey.objects.get()
    address = f"{KEYS}{row.pk}/change/"
    assert console.post(address, key_values(name="old laptop")).status_code == 302
    assert services.load_keyring().find(access_key) is None
    values = key_values(is_enabled="on", expires_at_0="2100-01-01", expires_at_1="00:00:00")
    assert console.post(address, values).status_code == 302
    credential = services.load_keyring().find(access_key)
    assert credential is not None
    assert credential.expires_ms == 4_102_444_800_000


def test_several_keys_are_disabled_and_enabled(console: Client, boss: User) -> None:
    """The list's actions change the chosen keys in the keyring, and the history tells."""
    keys = [services.create_key(boss.pk).access_key for _ in range(3)]
    chosen = list(AccessKey.objects.filter(access_key__in=keys[:2]).values_list("pk", flat=True))
    console.post(KEYS, {"action": "disable", "_selected_action": chosen})
    keyring = services.load_keyring()
    assert [keyring.find(key) is not None for key in keys] == [False, False, True]
    console.post(KEYS, {"action": "enable", "_selected_action": chosen})
    assert len(services.load_keyring()) == 3
    assert LogEntry.objects.count() == 4


def test_a_key_is_deleted(console: Client, boss: User) -> None:
    """A key deleted in the console signs no more."""
    services.create_key(boss.pk)
    row = AccessKey.objects.get()
    assert console.get(f"{KEYS}{row.pk}/delete/").status_code == 200
    assert console.post(f"{KEYS}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert len(services.load_keyring()) == 0


def test_several_keys_are_deleted(console: Client, boss: User) -> None:
    """The list's deletion asks first, then ends the chosen keys."""
    kept, *ended = [services.create_key(boss.pk).access_key for _ in range(3)]
    pks = list(AccessKey.objects.filter(access_key__in=ended).values_list("pk", flat=True))
    chosen = {"action": "delete_selected", "_selected_action": pks}
    assert "Are you sure" in text(console.post(KEYS, chosen))
    assert len(services.load_keyring()) == 3
    console.post(KEYS, {**chosen, "post": "yes"})
    keyring = services.load_keyring()
    assert len(keyring) == 1
    assert keyring.find(kept) is not None


def test_a_key_that_would_be_born_expired_is_refused(console: Client, boss: User) -> None:
    """An expiry in the past comes back with the reason at its field, and no key is made."""
    values = {"user": boss.pk, "expires_at_0": "2001-01-01", "expires_at_1": "00:00:00"}
    response = console.post(f"{KEYS}add/", values)
    assert response.status_code == 200
    form = response.context["adminform"].form
    assert form.errors == {"expires_at": ["A key cannot expire before it is made."]}
    assert not AccessKey.objects.exists()


def test_a_missing_server_key_is_a_message(console: Client, boss: User, tmp_path: Path) -> None:
    """Making a key without a usable server key says so in the form, and makes none."""
    (tmp_path / "server.key").unlink()
    response = console.post(f"{KEYS}add/", {"user": boss.pk})
    assert response.status_code == 200
    assert "server key" in text(response)
    assert not AccessKey.objects.exists()


def test_the_lists_search_and_filter(console: Client, boss: User, writer: User) -> None:
    """Lists find by text and by state."""
    services.create_key(writer.pk, access_key="WILMAS")
    services.create_key(boss.pk, access_key="BOSSES")
    services.set_key_enabled("BOSSES", enabled=False)
    assert "WILMAS" in text(console.get(f"{KEYS}?q=wilma"))
    page = text(console.get(f"{KEYS}?is_enabled__exact=0"))
    assert "BOSSES" in page
    assert "WILMAS" not in page
    assert "wilma" in text(console.get(f"{USERS}?role__exact=Writer"))
