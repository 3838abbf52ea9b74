"""Every call of the REST API, made by everybody: the answers are those of the table."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import connection
from django.urls import URLResolver, get_resolver

from buckets.configuration import BucketConfiguration, ObjectLockConfiguration, Ownership
from buckets.services import create_bucket
from iam import services
from iam.api.tokens import make_token
from iam.keyring import RoleName
from iam.models import AuditEntry
from storage_engine import Versioning
from tests.calling import Program
from tests.people import person
from tests.s4project.api.calls import CALLERS, CALLS, DOCUMENT
from tests.s4project.api.filling import put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.urls import URLPattern

    from storage_engine import StorageEngine
    from tests.s4project.api.calls import Call

DOCUMENT_TEXT: Final = json.dumps(DOCUMENT)
REFUSED: Final = 400
WORD: Final = re.compile(r"\{(\w+)\}")
# Whose things each caller asks for.
ASKED: Final = {
    "nobody": "wilma",
    "Reader": "rita",
    "Writer": "wilma",
    "foreign Writer": "wilma",
    "SuperUser": "ward",
    "expired token": "wilma",
}
ROLES: Final = {
    "rita": RoleName.READER,
    "wilma": RoleName.WRITER,
    "ward": RoleName.WRITER,
    "foreigner": RoleName.WRITER,
    "boss": RoleName.SUPERUSER,
    "doomed": RoleName.READER,
}
WHO: Final = {
    "Reader": "rita",
    "Writer": "wilma",
    "foreign Writer": "foreigner",
    "SuperUser": "boss",
}


class Scene:
    """People of a number of their own, what is theirs, and what only SuperUsers look after."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.users = {name: person(f"{name}-{number}", role) for name, role in ROLES.items()}
        services.create_policy(f"reading-{number}", DOCUMENT_TEXT)
        holders = [
            services.create_group(f"team-{number}"),
            services.create_role(f"auditor-{number}"),
            *(self.users[name] for name in set(ASKED.values())),
        ]
        for holder in holders:
            services.put_inline_policy(holder, "inline", DOCUMENT_TEXT)
        for user in self.users.values():
            services.rotate_credentials(user.pk)
        self.words = {name: self._belongings(name) for name in set(ASKED.values())}

    def _belongings(self, name: str) -> dict[str, str]:
        user, bucket = self.users[name], f"bucket-of-{name}-{self.number}"
        configuration = BucketConfiguration(ownership=Ownership.OBJECT_WRITER)
        create_bucket(bucket, user.canonical_id, configuration=configuration)
        locked = f"locked-of-{name}-{self.number}"
        lock = BucketConfiguration(
            object_lock=ObjectLockConfiguration(), versioning=Versioning.ENABLED
        )
        create_bucket(locked, user.canonical_id, configuration=lock)
        put(locked, "k", is_versioned=True)
        return {
            "user_id": str(user.pk),
            "bucket": bucket,
            "locked": locked,
            "access_key": services.create_key(user.pk).access_key,
            "doomed": str(self.users["doomed"].pk),
            **{name: f"{name}-{self.number}" for name in ("team", "auditor", "reading")},
        }

    def program(self, caller: str) -> Program:
        """Give a caller what he calls with."""
        if caller in WHO:
            return Program(self.users[WHO[caller]])
        if caller == "nobody":
            return Program()
        token = make_token(self.users["wilma"])
        token.set_exp(lifetime=-timedelta(hours=1))
        return Program(token=str(token))

    def make(self, call: Call, caller: str) -> int:
        """Make a call as somebody; answer its status."""
        name = WHO.get(caller, "wilma")
        words = {
            **self.words[ASKED[caller]],
            "username": self.users[name].username,
            "fresh": f"bucket-by-{name}-{self.number}",
            "new": f"new-{self.number}",
        }
        path, body = fill(call.path, words), fill(call.body, words)
        return self.program(caller).send(call.method, path, body).status


def fill(value: Any, words: dict[str, str]) -> Any:
    """Write words in the places of `{word}`, however deep."""
    if isinstance(value, str):
        return WORD.sub(lambda match: words[match[1]], value)
    if isinstance(value, dict):
        return {name: fill(inner, words) for name, inner in value.items()}
    return [fill(inner, words) for inner in value] if isinstance(value, list) else value


def state() -> dict[str, list[Any]]:
    """Read all rows of what is administered here; that somebody was refused may be on record."""
    with connection.cursor() as cursor:
        tables = [
            table
            for table in connection.introspection.table_names(cursor)
            if table.startswith(("iam_", "buckets_")) and table != AuditEntry._meta.db_table
        ]
        return {
            table: cursor.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608
            for table in tables
        }


def try_all(number: int, call: Call) -> dict[str, int]:
    """Make a call as everybody, first those who are refused: that changes nothing."""
    scene = Scene(number)
    expected = dict(zip(CALLERS, call.statuses(), strict=True))
    refused = [caller for caller in CALLERS if expected[caller] >= REFUSED]
    before = state()
    found = {caller: scene.make(call, caller) for caller in refused}
    assert state() == before, f"{call}: a refused call changed something"
    found |= {caller: scene.make(call, caller) for caller in CALLERS if caller not in refused}
    return {caller: status for caller, status in found.items() if status != expected[caller]}


@pytest.mark.timeout(900)  # hundreds of people: minutes on a busy machine
def test_everybody_gets_what_the_table_says(store: StorageEngine) -> None:
    """Each caller's status is the table's for every call, and who is refused changes nothing."""
    wrong = {str(call): try_all(number, call) for number, call in enumerate(CALLS)}
    assert {call: answers for call, answers in wrong.items() if answers} == {}


def addresses(resolver: URLResolver, start: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Walk over every address below one."""
    for each in resolver.url_patterns:
        path = start + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each, path)
        else:
            yield path, each


def test_every_call_has_a_row() -> None:
    """Each method of each address is in the table once, so a new one needs a row."""
    offered = set()
    for path, pattern in addresses(get_resolver()):
        view = getattr(pattern.callback, "view_class", None)
        if not path.startswith("api/") or view is None:
            continue
        shape = re.sub(r"<\w+:\w+>", "{}", path.removeprefix("api"))
        methods = {"GET", "POST", "PUT", "DELETE", "PATCH"}
        offered |= {(name, shape) for name in methods if hasattr(view, name.lower())}
    rows = [
        (call.method, WORD.sub("{}", call.path).replace("/inline", "/{}").partition("?")[0])
        for call in CALLS
    ]
    assert sorted(rows) == sorted(offered)
