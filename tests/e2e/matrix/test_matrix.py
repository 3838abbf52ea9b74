"""Every operation, asked for by everybody: each answer is what the rule says, and no more is told.

`rows` says what AWS wants for each request, `rule` what each caller has; S4's own tables and its
evaluator are not asked. Every cell is a real request to one real server, once signed in headers
and once by a presigned URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from s3api.operations.needs import NEEDS, On
from s3api.operations.registry import HANDLERS
from tests.e2e.matrix.asking import answer, telling
from tests.e2e.matrix.rows import ROWS
from tests.e2e.matrix.rule import CALLERS, OBJECTS, Need, Place, Verdict
from tests.e2e.matrix.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.matrix.row import Row
    from tests.e2e.matrix.rule import Caller
    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

pytestmark = pytest.mark.e2e

REFUSALS: Final = {
    Verdict.DENIED: (403, "AccessDenied"),
    Verdict.NO_SUCH_KEY: (403, "InvalidAccessKeyId"),
    Verdict.OTHERS_POLICY: (405, "MethodNotAllowed"),
}
PLACES: Final = {
    On.EVERYTHING: {Place.SERVICE},
    On.BUCKET: {Place.BUCKET, Place.LISTING, Place.NEW},
    On.OBJECT: {Place.OBJECT},
    On.SOURCE: {Place.SOURCE},
}
# Who may list the keys, or read them, may be told which there are; who may write, which uploads.
READS, WRITES = Need(Place.OBJECT, "GetObject"), Need(Place.OBJECT, "PutObject")
LISTS: Final = Need(Place.LISTING, "ListBucket")
# What a row cannot show: without it the answer is the same but for a header.
TOLD_LESS: Final = ("to be told ", "the same, of a version that is named")


Answers = dict[tuple[str, bool], tuple[int, str]]  # by caller, and whether it was by a link


@pytest.fixture(scope="module")
def stage(server: Server) -> Iterator[Stage]:
    """Set the stage once: no cell leaves a trace that another would meet."""
    stage = Stage(server)
    yield stage
    stage.line.close()


def wanted(caller: Caller, row: Row) -> tuple[int, str]:
    """Say what a caller is to be answered."""
    verdict = caller.verdict(row.needs)
    status, code = row.answer if verdict is Verdict.ALLOWED else REFUSALS[verdict]
    return status, "" if row.operation.startswith("Head") else code


def ways(caller: Caller, row: Row) -> tuple[bool, ...]:
    """List the ways in which a caller can ask: by his headers, by a link."""
    if not caller.signs or row.operation == "PostObject":
        return (False,)
    return (True,) if caller.is_link_over else (False, True)


def is_read(row: Row) -> bool:
    """Whether an operation by its name only reads."""
    return row.operation.startswith(("Get", "Head", "List", "Options"))


def told(stage: Stage, caller: Caller, row: Row, reply: Reply, words: dict[str, str]) -> str:
    """Ask the same of a bucket that has nothing; "" where the refusal is the same.

    Of a new bucket: ask for one of a name that is taken.
    """
    place = stage.place(caller.kind, row.flavour)
    name, other = place.name, place.twin
    others = stage.fresh_words(place) | {"bucket": other}
    if row.operation == "CreateBucket":
        name, other = words["fresh"], place.name
        others["fresh"] = other
    twin = stage.ask(caller, row, others, by_link=caller.is_link_over)
    if telling(reply, name) == telling(twin, other):
        return ""
    is_of_keys = any(need.place in OBJECTS for need in row.needs)
    rights = (LISTS, READS, WRITES) if answer(twin)[1] == "NoSuchUpload" else (LISTS, READS)
    if is_of_keys and any(caller.verdict([need]) is Verdict.ALLOWED for need in rights):
        return ""
    return f"{telling(reply, name)} is not {telling(twin, other)}"


def try_refused(stage: Stage, row: Row, callers: list[Caller]) -> Answers:
    """Ask as those who are to be refused; nothing changes and nothing is told.

    What a read may have changed shows when the next write is refused.
    """
    found, differences = {}, {}
    for caller in callers:
        for by_link in ways(caller, row):
            place = stage.watched(caller.kind, row.flavour)
            words = stage.fresh_words(place)
            reply = stage.ask(caller, row, words, by_link=by_link)
            found[caller.name, by_link] = answer(reply)
            if row.operation == "CreateBucket":
                assert not stage.there_is(words["fresh"]), caller.name
            if not by_link or caller.is_link_over:
                differences[caller.name] = told(stage, caller, row, reply, words)
    assert {name: text for name, text in differences.items() if text} == {}
    if not is_read(row):
        for kind in sorted({caller.kind for caller in callers}):
            assert not stage.has_changed(kind, row.flavour), f"a refusal changed what is {kind}"
    return found


def try_allowed(stage: Stage, row: Row, callers: list[Caller]) -> Answers:
    """Ask as those who may; what is to change does, and the next one finds all as it was."""
    found = {}
    for caller in callers:
        for by_link in ways(caller, row):
            look = stage.place if by_link or not row.changes else stage.watched
            place = look(caller.kind, row.flavour)
            words = stage.fresh_words(place)
            reply = stage.ask(caller, row, words, by_link=by_link)
            found[caller.name, by_link] = answer(reply)
            if row.operation == "CreateBucket":
                assert stage.there_is(words["fresh"]) == (reply.status == 200), caller.name
            elif row.changes:
                if not by_link:
                    assert stage.has_changed(caller.kind, row.flavour), f"{caller.name}: nothing"
                stage.drop(caller.kind, row.flavour)
    return found


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_everybody_gets_what_the_rule_says(stage: Stage, row: Row) -> None:
    """Each caller's answer is the row's where he has all that it needs, and else the refusal."""
    may = [caller for caller in CALLERS if caller.verdict(row.needs) is Verdict.ALLOWED]
    may_not = [caller for caller in CALLERS if caller not in may]
    with stage.playing():
        found = try_refused(stage, row, may_not) | try_allowed(stage, row, may)
    expected = {
        (caller.name, by_link): wanted(caller, row)
        for caller in CALLERS
        for by_link in ways(caller, row)
    }
    assert found == expected


def test_every_operation_has_a_row() -> None:
    """What is offered is tried, so a new operation needs a row before anybody can have it."""
    assert {row.operation for row in ROWS} == HANDLERS.keys()


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_every_need_is_tried(operation: str) -> None:
    """Each action that S4's table asks for decides a row, and no row needs another."""
    tried = {need for row in ROWS if row.operation == operation for need in row.needs}
    known = {
        (place, need.action.removeprefix("s3:"))
        for need in NEEDS[operation]
        for place in PLACES[need.on]
    }
    assert {tuple(need) for need in tried} <= known
    untried = [
        need
        for need in NEEDS[operation]
        if not need.when.startswith(TOLD_LESS)
        and not any((place, need.action.removeprefix("s3:")) in tried for place in PLACES[need.on])
    ]
    assert untried == []


def test_callers_differ() -> None:
    """The SuperUser has of others what the Writer has of his own; no other two are the same."""
    columns = {
        caller.name: tuple(caller.verdict(row.needs) for row in ROWS if row.needs)
        for caller in CALLERS
    }
    assert columns["superuser"] == columns["writer"]
    those_who_may = [column for column in columns.values() if Verdict.ALLOWED in column]
    assert len(set(those_who_may)) == len(those_who_may) - 1
