"""Listings stay exact while others put, delete and rename: 100,000 keys in the long form.

What is there the whole time is told once, whatever comes and goes around it, and everything comes
in the order of its UTF-8 bytes.
"""

from __future__ import annotations

import os
import re
import threading
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus

import pytest

from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.server import Server
    from tests.e2e.wire import Connection, Reply

LONG = bool(os.environ.get("S4_TEST_LONG"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800 if LONG else 300)]

KEYS: Final = 100_000 if LONG else 1_500
PAGE: Final = 1000 if LONG else 100
STEPS: Final = 1_000 if LONG else 60  # that others take while one listing is read again and again
FILLERS: Final = 4
BUCKET: Final = "listed"
V1, V2, VERSIONS = "", "list-type=2&", "versions&"  # the three forms of a listing
# Kinds of keys; the number makes each unique. UTF-16 would order the last two the other way, and
# names of 511 to 513 bytes lie about where the index goes on in another directory.
KINDS: Final = (
    "dir{hundred:03d}/{number:06d}",
    "flat{number:06d}",
    "deep/{ten}/{ten}//{number:06d}",
    "sp ace/+%{number}&<>",
    "n\u00e4me/e\u0301{number}",
    "long/" + "x" * 505 + "{number:06d}",
    "long/" + "x" * 506 + "{number:06d}/{number}",
    "long/" + "x" * 507 + "{number:06d}",
    "\uff5e{number:06d}",
    "\U0001f600{number:06d}",
)
WANDERED: Final = ("a", "dir050/w", "flat0005", "long/w", "\uffee", "~", "dir00")


def settled_keys() -> list[str]:
    """Name the keys that are there the whole time, in the order of their bytes."""
    names = [
        KINDS[number % len(KINDS)].format(number=number, hundred=number % 97, ten=number % 11)
        for number in range(KEYS)
    ]
    return sorted(names, key=str.encode)


def check(reply: Reply, *expected: int) -> None:
    """Insist on a status."""
    assert reply.status in expected, f"{reply.status}: {reply.body[:300]!r}"


@pytest.fixture(scope="module")
def filled(server: Server) -> list[str]:
    """Fill the bucket, and answer what is settled in it."""
    check(server.caller.ask("PUT", f"/{BUCKET}"), 200)
    keys = settled_keys()

    def fill(part: list[str]) -> None:
        with server.caller.connect() as connection:
            for key in part:
                check(server.caller.ask("PUT", path_of(BUCKET, key), b"", over=connection), 200)

    in_parallel([lambda part=keys[start::FILLERS]: fill(part) for start in range(FILLERS)])
    return keys


def in_parallel(calls: list[Callable[[], Any]]) -> None:
    """Run calls in threads of their own; what one of them raises is raised here."""
    failures: list[BaseException] = []

    def run(call: Callable[[], Any]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Writers:
    """Change everything but what is settled, until they are told to end."""

    def __init__(self, server: Server, bucket: str = BUCKET) -> None:
        self.caller = server.caller
        self.bucket = bucket
        self.ended = threading.Event()
        self.steps = 0

    def run(self, step: Callable[[Connection, int], None]) -> None:
        """Take one step after the other."""
        with self.caller.connect() as connection:
            for number in count():
                if self.ended.is_set():
                    return
                step(connection, number)
                self.steps += 1

    def ask(self, connection: Connection, method: str, key: str) -> Reply:
        """Ask for something about a key."""
        return self.caller.ask(method, path_of(self.bucket, key), b"", over=connection)

    def rename(self, connection: Connection, source: str, target: str) -> None:
        """Rename a key or a prefix, which must be there."""
        wanted = {"x-amz-rename-source": quote(f"{self.bucket}/{source}")}
        path = path_of(self.bucket, target) + "?renameObject"
        check(self.caller.ask("PUT", path, b"", wanted, over=connection), 200)

    def come_and_go(self, connection: Connection, number: int) -> None:
        """Put a key among the settled ones, and take it away again."""
        kind = KINDS[number * 7 % len(KINDS)]
        key = kind.format(number=number % KEYS, hundred=number % 97, ten=number % 11) + "~"
        check(self.ask(connection, "PUT", key), 200)
        check(self.ask(connection, "DELETE", key), 204)

    def wander(self, connection: Connection, number: int) -> None:
        """Put a key, give it another name far away, and take that away."""
        first = f"{WANDERED[number % len(WANDERED)]}{number}!"
        second = f"{WANDERED[number // 2 % len(WANDERED)]}{number}~"
        check(self.ask(connection, "PUT", first), 200)
        self.rename(connection, first, second)
        check(self.ask(connection, "DELETE", second), 204)

    def swing(self, connection: Connection, number: int) -> None:
        """Rename a whole prefix from before everything to behind everything, and back."""
        first, last = "\u0001first/", "\U0001fffdlast/"
        if number == 0:
            for name in range(30):
                check(self.ask(connection, "PUT", f"{first}{name}"), 200)
        self.rename(connection, first, last)
        self.rename(connection, last, first)


def found(reply: Reply, tag: str) -> list[str]:
    """Read the names of one tag out of a page that has them encoded."""
    return [
        unquote_plus(name.decode())
        for name in re.findall(f"<{tag}>([^<]*)</{tag}>".encode(), reply.body)
    ]


def pages(
    server: Server, form: str, delimiter: str = "", prefix: str = "", bucket: str = BUCKET
) -> Iterator[Reply]:
    """Ask for one page after the other, in one of the three forms."""
    query = f"encoding-type=url&max-keys={PAGE}&prefix={quote(prefix)}&delimiter={delimiter}"
    after = ""
    with server.caller.connect() as connection:
        while True:
            target = f"/{bucket}?{form}{query}{after}"
            page = server.caller.ask("GET", target, over=connection)
            check(page, 200)
            yield page
            if page.text("IsTruncated") == "false":
                return
            if form == V2:
                after = f"&continuation-token={quote(page.text('NextContinuationToken'), safe='')}"
            elif form:
                after = f"&key-marker={quote(unquote_plus(page.text('NextKeyMarker')), safe='')}"
                after += f"&version-id-marker={page.text('NextVersionIdMarker')}"
            else:
                last = page.text("NextMarker") if delimiter else page_names(page)[-1]
                after = f"&marker={quote(unquote_plus(last) if delimiter else last, safe='')}"


def page_names(page: Reply) -> list[str]:
    """Name the keys and common prefixes of a page, merged in the order of their bytes."""
    rolled_up = [name for name in found(page, "Prefix")[1:] if name]  # the first echoes the request
    return sorted(found(page, "Key") + rolled_up, key=str.encode)


def rolled_up(keys: list[str], delimiter: str, prefix: str) -> list[str]:
    """Say what a listing of keys must tell, in order."""
    names = {
        key if not (delimiter and tail) else prefix + head + delimiter
        for key in keys
        if key.startswith(prefix)
        for head, tail, _ in [key[len(prefix) :].partition(delimiter or "\0")]
    }
    return sorted(names, key=str.encode)


@pytest.mark.parametrize(
    ("delimiter", "prefix"), [("", ""), ("/", ""), ("/", "long/"), ("", "dir0"), ("0", "flat")]
)
@pytest.mark.parametrize("form", [V1, V2, VERSIONS])
def test_settled_keys_are_told_once(
    server: Server, filled: list[str], form: str, delimiter: str, prefix: str
) -> None:
    """All three forms of a listing, flat and rolled up, while keys come, go, wander and swing."""
    writers = Writers(server)
    rounds: list[list[str]] = []

    def read() -> None:
        try:
            while writers.steps < STEPS:
                listing = pages(server, form, delimiter, prefix)
                rounds.append([name for page in listing for name in page_names(page)])
        finally:
            writers.ended.set()

    steps = (writers.come_and_go, writers.wander, writers.swing)
    in_parallel([read, *(lambda step=step: writers.run(step) for step in steps)])
    wanted = set(rolled_up(filled, delimiter, prefix))
    for told in rounds:
        assert all(first.encode() < second.encode() for first, second in pairwise(told))
        assert wanted <= set(told)


def told_versions(page: Reply) -> list[tuple[str, str]]:
    """Name the versions and markers of a page as (key, id), as they stand there."""
    row = rb"<Key>([^<]*)</Key><VersionId>([^<]*)</VersionId>"
    return [
        (unquote_plus(key.decode()), version.decode())
        for key, version in re.findall(row, page.body)
    ]


def test_settled_versions_are_told_once(server: Server) -> None:
    """Every version of what is settled is told once, newest first, across pages that cut keys."""
    bucket, keys = "versioned", settled_keys()[:: KEYS // 250]
    check(server.caller.ask("PUT", f"/{bucket}"), 200)
    status = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    check(server.caller.ask("PUT", f"/{bucket}?versioning", status), 200)
    wanted: list[tuple[str, str]] = []
    with server.caller.connect() as connection:
        for key in keys:
            ids = [
                server.caller.ask("PUT", path_of(bucket, key), body, over=connection).headers[
                    "x-amz-version-id"
                ]
                for body in (b"1", b"2", b"3")
            ]
            wanted += [(key, version) for version in reversed(ids)]
    writers = Writers(server, bucket)
    rounds: list[list[tuple[str, str]]] = []

    def read() -> None:
        try:
            while writers.steps < STEPS:
                listing = pages(server, VERSIONS, bucket=bucket)
                rounds.append([row for page in listing for row in told_versions(page)])
        finally:
            writers.ended.set()

    steps = (writers.come_and_go, writers.wander, writers.swing)
    in_parallel([read, *(lambda step=step: writers.run(step) for step in steps)])
    settled = set(wanted)
    for told in rounds:
        assert [row for row in told if row in settled] == wanted
        assert len(set(told)) == len(told)
        assert [key for key, _ in told] == sorted((key for key, _ in told), key=str.encode)
