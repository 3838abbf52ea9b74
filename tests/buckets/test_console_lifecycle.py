"""The console's pages for lifecycle rules: edited, tried before they act, told of afterwards."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.utils.html import escape

from buckets import services
from buckets.configuration import Lifecycle
from buckets.lifecycle_words import moment_text
from iam import services as iam_services
from iam.keyring import RoleName
from s4project.lifecycle import Asked
from storage_engine import LifecycleOptions, LifecycleRule
from tests.buckets.contents import put
from tests.people import browser, person
from tests.stores import opened

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpResponse
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from buckets.registry import BucketState
    from iam.models import User
    from storage_engine import StorageEngine

PATIENCE = 200  # times that a run is tried: a day is a second
PAST_MS = 1_700_006_400_000  # a midnight long ago
ALL = LifecycleRule(
    id="all",
    prefix="logs/",
    tags={"class": "scratch", "team": "a=b"},
    size_above=1024,
    size_below=5 * 2**30,
    expire_days=30,
    noncurrent_days=7,
    noncurrent_kept=3,
)
FORM = {
    "do": "save",
    "id": "all",
    "is_enabled": "on",
    "key_prefix": "logs/",
    "tag_key_0": "class",
    "tag_value_0": "scratch",
    "tag_key_4": "team",
    "tag_value_4": "a=b",
    "size_above": "1",
    "size_above_unit": "1",
    "size_below": "5",
    "size_below_unit": "3",
    "expire_days": "30",
    "noncurrent_days": "7",
    "noncurrent_kept": "3",
}
DAY = "at=2200-01-01"
PAST = LifecycleRule(id="past", prefix="old/", expire_at_ms=PAST_MS)


# What the form refuses, the field that it is about, and words of the reason.
NO_RULES = [
    ({"expire_on": "2030-01-01"}, "expire_days", "after days, or from a date on"),
    ({"expires_markers": "on"}, "expire_days", "or only markers do"),
    ({"abort_days": "3"}, "tag_key_0", "cannot be specified with Tags"),
    ({"tag_key_1": "class"}, "tag_key_1", "stands here twice"),
    ({"tag_value_1": "lost"}, "tag_key_1", "A tag has a name"),
    ({"size_below": "1", "size_below_unit": "1"}, "size_below", "greater than"),
    ({"noncurrent_days": ""}, "noncurrent_days", "only kept by a rule that removes others"),
    ({"noncurrent_kept": "101"}, "noncurrent_kept", "between 1 and 100"),
    ({"expire_days": "", "noncurrent_days": "", "noncurrent_kept": ""}, "", "At least one"),
    ({"expire_days": "0"}, "expire_days", "greater than or equal to 1"),
    ({"expire_days": "soon"}, "expire_days", "whole number"),
    ({"expire_on": "tomorrow"}, "expire_on", "valid date"),
    ({"id": ""}, "id", "required"),
    ({"id": "taken"}, "id", "unique"),
    ({"id": "x" * 256}, "id", "at most 255"),
    ({"key_prefix": "\N{SNOWMAN}" * 400}, "key_prefix", "maximum size of a prefix"),
]


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def said(response: HttpResponse) -> str:
    """Read the messages that an answer leaves for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.fixture
def box(store: StorageEngine, ada: User) -> BucketState:
    """Make a bucket of the Writer's."""
    return services.create_bucket("box", ada.canonical_id)


@pytest.fixture
def console(ada: User) -> Client:
    """Sign in as the Writer."""
    return browser("ada")


@pytest.fixture
def address(box: BucketState) -> str:
    """Tell where the rules are."""
    return f"/buckets/bucket/{box.id}/lifecycle/"


def set_rules(box: BucketState, *rules: LifecycleRule) -> None:
    """Put rules, as an S3 client would."""
    services.configure_bucket(box.id, lifecycle=Lifecycle(rules=rules))


def rules() -> tuple[LifecycleRule, ...]:
    """Read the rules that are set."""
    lifecycle = services.find_bucket("box").configuration.lifecycle
    return () if lifecycle is None else lifecycle.rules


def seen(page: str) -> str:
    """Read from a form which rule it was made for."""
    found = re.search('name="seen" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_a_rule_is_added_by_a_form(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """All that a form says becomes a rule, which the engine obeys, and comes back as it was."""
    assert 'value="rule-1"' in text(console.get(f"{address}rule/"))
    assert console.post(f"{address}rule/", FORM)["Location"] == address
    assert rules() == (ALL,)
    assert store.lifecycle(box.id).rules == (ALL,)
    page = text(console.get(f"{address}rule/?rule=all"))
    for name, value in FORM.items():
        if name not in {"do", "id", "is_enabled"} and not name.startswith(("tag_", "size_")):
            assert f'name="{name}" value="{value}"' in page
    tags = re.findall('name="tag_value_[0-9]" value="([^"]+)"', page)
    assert sorted(tags) == ["a=b", "scratch"]  # PostgreSQL puts them in an order of its own
    assert console.post(f"{address}rule/?rule=all", FORM | {"seen": seen(page)})
    assert rules() == (ALL,)


def test_the_list_says_rules_in_words(box: BucketState, console: Client, address: str) -> None:
    """The list tells what each rule is about and does; nothing of it becomes markup."""
    wild = LifecycleRule(id="<b>", is_enabled=False, abort_days=1)
    markers = LifecycleRule(id="markers", prefix="a/", expires_markers=True)
    set_rules(box, ALL, wild, PAST, markers)
    page = text(console.get(address))
    for words in (
        "key begins with logs/",
        "tag class=scratch",
        "tag team=a=b",
        "larger than 1 KiB",
        "smaller than 5 GiB",
        "current versions expire 30 days after they were written",
        "noncurrent versions are removed 7 days after they were superseded, but the newest 3 stay",
        "<strong>every object</strong>",
        "unfinished uploads are aborted 1 day after they were begun",
        "current versions expire from 2023-11-15 00:00 on",
        "delete markers that hide nothing are removed",
        "nothing yet",
        "&lt;b&gt;",
    ):
        assert words in page
    assert "<b>" not in page
    assert escape('"Value": "a=b"') in page
    assert "2023-11-15T00:00:00.000Z" in page


def test_rules_are_put_in_order_and_deleted(
    box: BucketState, console: Client, address: str
) -> None:
    """Each rule moves by one place, as far as there are others, and goes when it is asked to."""
    set_rules(box, *(LifecycleRule(id=name, expire_days=1) for name in "abc"))
    for do, name, order in (
        ("up", "c", "acb"),
        ("down", "a", "cab"),
        ("up", "c", "cab"),
        ("down", "b", "cab"),
        ("delete", "a", "cb"),
    ):
        assert console.post(address, {"do": do, "rule": name}).status_code == 302
        assert "".join(rule.id for rule in rules()) == order


def test_a_rule_is_disabled_and_the_last_one_deleted(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """A disabled rule stays as it is and does nothing; without any rule there is no lifecycle."""
    set_rules(box, ALL)
    console.post(address, {"do": "disable", "rule": "all"})
    assert not rules()[0].is_enabled
    console.post(address, {"do": "enable", "rule": "all"})
    assert rules() == (ALL,)
    console.post(address, {"do": "delete", "rule": "all"})
    assert services.find_bucket("box").configuration.lifecycle is None
    assert store.lifecycle(box.id).rules == ()
    assert "There is no rule all" in said(console.post(address, {"do": "up", "rule": "all"}))


def test_rules_stay_as_they_were_put(box: BucketState, console: Client, address: str) -> None:
    """What the console changes beside a rule leaves the form that a client put it in."""
    idle = LifecycleRule(id="idle", prefix="tmp/")
    everything, other = (LifecycleRule(id=name, abort_days=1) for name in ("everything", "other"))
    put_so = Lifecycle(
        rules=(everything, idle, other),
        blank=frozenset({"everything"}),
        idle=frozenset({"idle"}),
        minimum_size="varies_by_storage_class",
    )
    services.configure_bucket(box.id, lifecycle=put_so)
    assert escape('"ExpiredObjectDeleteMarker": false') in text(console.get(address))
    console.post(address, {"do": "up", "rule": "other"})
    console.post(address, {"do": "disable", "rule": "idle"})
    after = msgspec.structs.replace(
        put_so, rules=(everything, other, msgspec.structs.replace(idle, is_enabled=False))
    )
    assert services.find_bucket("box").configuration.lifecycle == after


def test_the_older_form_ends_with_a_rule_that_it_cannot_have(
    box: BucketState, console: Client, address: str
) -> None:
    """Rules with a Prefix and no Filter stay so while all do: S3 refuses both forms in one."""
    first = tuple(LifecycleRule(id=name, abort_days=1) for name in "ab")
    old = Lifecycle(rules=first, bare=frozenset("ab"))
    services.configure_bucket(box.id, lifecycle=old)
    console.post(address, {"do": "delete", "rule": "b"})
    found = services.find_bucket("box").configuration.lifecycle
    assert found is not None
    assert "a" in found.bare
    console.post(f"{address}rule/", FORM)
    found = services.find_bucket("box").configuration.lifecycle
    assert found == Lifecycle(rules=(first[0], ALL))


def test_a_rule_is_saved_to_the_letter_or_not_at_all(
    box: BucketState, console: Client, address: str
) -> None:
    """Spaces at an end are part of prefixes and tags; what a browser would drop is not edited."""
    spaced = LifecycleRule(id="all ", prefix=" x ", tags={" a": "b "}, expire_days=1)
    set_rules(box, spaced)
    page = f"{address}rule/?rule=all%20"
    form = {
        "do": "save",
        "seen": seen(text(console.get(page))),
        "is_enabled": "on",
        "key_prefix": " x ",
        "tag_key_0": " a",
        "tag_value_0": "b ",
        "expire_days": "2",
    }
    assert "The rule all was saved" not in (told := said(console.post(page, form)))
    assert "The rule all  was saved" in told
    assert rules() == (msgspec.structs.replace(spaced, expire_days=2),)

    broken = LifecycleRule(id="broken", prefix="logs\n", expire_days=1)
    set_rules(box, broken)
    page = f"{address}rule/?rule=broken"
    for answer in (
        console.get(page),
        console.post(page, {**form, "key_prefix": "logs"}),
        console.post(page, {**form, "key_prefix": "logs", "do": "preview"}),
    ):
        assert answer.status_code == 302
        assert "line break" in said(answer)
    assert rules() == (broken,)


def test_rules_are_made_of_those_that_are_set(box: BucketState) -> None:
    """What is changed is read in the transaction that changes it, and nothing else is written."""
    set_rules(box, ALL)

    def add(found: Lifecycle | None) -> Lifecycle:
        assert connection.in_atomic_block
        assert found == Lifecycle(rules=(ALL,))
        return Lifecycle(rules=(*found.rules, PAST))

    services.change_lifecycle(box.id, add)
    assert rules() == (ALL, PAST)


def test_what_cannot_be_a_rule_comes_back_with_the_reason(
    box: BucketState, console: Client, address: str
) -> None:
    """A rule that cannot be is refused at the field it is about, and the others stay."""
    taken = LifecycleRule(id="taken", expire_days=1)
    set_rules(box, taken)
    for ask, field, complaint in NO_RULES:
        form = console.post(f"{address}rule/", FORM | ask).context["form"]
        found = form[field].errors if field else form.non_field_errors()
        assert complaint in str(found)
    assert rules() == (taken,)


def test_nobody_overwrites_what_another_has_changed(
    box: BucketState, console: Client, address: str
) -> None:
    """A form that was opened before the rule changed, or went, is refused; the rule's id stays."""
    set_rules(box, ALL)
    page = f"{address}rule/?rule=all"
    form = FORM | {"seen": seen(text(console.get(page)))}
    set_rules(box, PAST, LifecycleRule(id="all", expire_days=1))
    assert "changed meanwhile" in text(console.post(page, form))
    assert rules()[1].expire_days == 1
    form["seen"] = seen(text(console.get(page)))
    console.post(page, form | {"id": "another"})
    assert rules() == (PAST, ALL)
    set_rules(box, PAST)
    assert console.post(page, form).status_code == 302  # to the list: there is no such rule
    assert rules() == (PAST,)


def test_what_would_expire_is_told_page_by_page(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """Every key that a rule would take is named once over the pages, and nothing happens to it."""
    for number in range(150):
        put(store, box.id, f"old/{number:03}\N{SNOWMAN}&+")
        put(store, box.id, f"new/{number:03}")
    set_rules(box, PAST)
    query, named = DAY, []
    while query:
        page = console.get(f"{address}preview/?{query}")
        shown = page.context["preview"]
        named += [row["key"] for row in shown.rows]
        query = page.context["next_query"] if shown.next_key else ""
        assert escape(query) in text(page)
    assert named == [f"old/{number:03}\N{SNOWMAN}&+" for number in range(150)]
    assert store.namespace_counts(box.id).objects == 300


def test_rules_that_the_engine_does_not_have_are_told_of(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """Where a crash came between SQL and the engine, the page does not say that the rules act."""
    set_rules(box, PAST)
    assert "not in force yet" not in text(console.get(address))
    store.set_lifecycle(box.id, ()).result()
    assert "not in force yet" in text(console.get(address))


def test_what_would_expire_now_and_on_a_day(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """What is not due yet is told for the day on which it will be; what is no day is refused."""
    put(store, box.id, "logs/a")
    set_rules(box, LifecycleRule(id="later", expire_days=3))
    assert console.get(f"{address}preview/").context["preview"].rows == []
    assert "logs/a" in text(console.get(f"{address}preview/?{DAY}"))
    assert "valid date" in text(console.get(f"{address}preview/?at=soon"))
    for day in ("0001-01-01", "9999-12-31"):
        assert console.get(f"{address}preview/?at={day}").status_code == 200


def test_a_rule_is_tried_before_it_is_saved(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """The editor tells what its rule would do, over pages, and neither saves nor does anything."""
    keys = [f"old/{number:03}\r\n\N{SNOWMAN}&+" for number in range(130)]
    for key in keys:
        put(store, box.id, key)
    form = {"id": "try", "key_prefix": "old/", "expire_days": "3", "at": "2200-01-01"}
    do, named = "preview", []
    while do:
        page = console.post(f"{address}rule/", form | {"do": do})
        named += [row["key"] for row in page.context["preview"].rows]
        after = page.context["next_after"]
        do = f"preview {after}" if after else ""
        assert f'value="{do}"' in text(page)
    assert named == keys
    refused = console.post(f"{address}rule/", {"id": "try", "do": "preview"})
    assert "At least one action" in text(refused)
    everything = {"id": "try", "expire_days": "3", "do": "preview"}
    assert "every object of the bucket" in text(console.post(f"{address}rule/", everything))
    assert rules() == ()
    assert store.namespace_counts(box.id).objects == 130


def test_a_page_begins_anywhere(
    box: BucketState, console: Client, address: str, store: StorageEngine
) -> None:
    """Whatever an address or a form names as the last key seen is no trouble."""
    put(store, box.id, "old/a")
    set_rules(box, PAST)
    for after in ("\0", "\N{SNOWMAN}" * 2000, "%ff", "/", "a" * 1024, "//"):
        assert console.get(f"{address}preview/", {"after": after}).status_code == 200
        form = {"id": "try", "expire_days": "3", "do": f"preview {after}"}
        assert console.post(f"{address}rule/", form).status_code == 200
        gone = {"do": "up", "rule": after * 100}
        assert console.post(address, gone).status_code == 302


@pytest.mark.parametrize("action", ["s3:GetLifecycleConfiguration", "s3:ListBucketVersions"])
def test_who_may_not_list_is_told_no_keys(
    box: BucketState, console: Client, address: str, ada: User, store: StorageEngine, action: str
) -> None:
    """What would expire names keys: who may not list them over S3 is not told here either."""
    put(store, box.id, "old/secret")
    set_rules(box, PAST)
    denial = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": denial})
    iam_services.put_inline_policy(ada, "not-here", document)
    form = {"id": "try", "expire_days": "3", "at": "2200-01-01", "do": "preview"}
    for page in (
        text(console.get(f"{address}preview/?{DAY}")),
        text(console.post(f"{address}rule/", form)),
    ):
        assert "not-here" in page
        assert "old/secret" not in page


def test_the_page_says_what_was_done_and_what_comes_next(
    settings: SettingsWrapper, tmp_path: Path, transactional_db: None
) -> None:
    """New rules are caught up with; then the page tells what they did, and what is next."""
    settings.S4 = replace(settings.S4, lifecycle_day_seconds=1)
    with opened(settings, tmp_path) as store:
        ada = person("ada", RoleName.WRITER)
        box = services.create_bucket("box", ada.canonical_id)
        console, address = browser("ada"), f"/buckets/bucket/{box.id}/lifecycle/"
        put(store, box.id, "old/a", b"x" * 2048)
        put(store, box.id, "new/a")
        set_rules(box, PAST, LifecycleRule(id="later", prefix="new/", expire_days=10**6))
        assert "catching up" in text(console.get(address))
        for _ in range(PATIENCE):
            store.run_lifecycle(LifecycleOptions(Asked()))
            if store.namespace_counts(box.id).objects == 1:
                break
            time.sleep(0.05)
        page = text(console.get(address))
        assert "1 expired" in page
        assert "2.0 KiB gone" in page
        assert page.count("nothing yet") == 1
        assert "up to date" in page
        next_ms = store.lifecycle(box.id).next_ms
        assert next_ms is not None
        assert moment_text(next_ms) in page
