"""Clients that write under load, and remember to the byte what they were promised.

Each client has keys of its own, so the last promise about a key is never in doubt; a request
whose reply did not come leaves two possibilities. The ledger is judged after a crash.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from tests.e2e.content import content
from tests.e2e.wire import ConnectionEnded, Reply, path_of

if TYPE_CHECKING:
    from tests.e2e.server import Server
    from tests.e2e.wire import Connection

KIB: Final = 1024
MIB: Final = 1024 * KIB
SIZES: Final = (KIB, 4 * KIB - 1, 4 * KIB, 20 * KIB, 33 * KIB, 100 * KIB, 300 * KIB, MIB)
KEYS: Final = 40  # after so many a client writes over its own keys, or deletes them
PART_BYTES: Final = 5 * MIB


class State(NamedTuple):
    """What a key holds: `size` bytes of the content of a name; nothing at all: size -1."""

    name: str
    size: int

    @property
    def body(self) -> bytes | None:
        """The bytes, or None."""
        return content(self.name, self.size) if self.size >= 0 else None


ABSENT: Final = State("", -1)


@dataclass
class OpenUpload:
    """A multipart upload that was not completed, and the parts it was promised to hold."""

    key: str
    upload_id: str
    parts: dict[int, tuple[str, State]] = field(default_factory=dict)


class Client:
    """One client: a thread, a connection, keys of its own, and the ledger of its promises."""

    def __init__(self, server: Server, bucket: str, name: str) -> None:
        self.server = server
        self.bucket = bucket
        self.name = name
        self.possible: dict[str, list[State]] = {}
        self.uploads: list[OpenUpload] = []
        self.refusals: list[str] = []
        self.promises = 0
        self.lost_connections = 0
        self._numbers = count()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Finish the request in progress, and end."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        """Write until told to end; a lost connection is made anew while there is a server."""
        while not self._ended.is_set():
            try:
                with self.server.caller.connect() as connection:
                    while not self._ended.is_set():
                        self._step(connection, next(self._numbers))
            except (ConnectionEnded, OSError):
                self.lost_connections += 1
                self._ended.wait(0.05)

    def _step(self, connection: Connection, number: int) -> None:
        key = f"{self.name}/{number % KEYS}"
        if number % 23 == 22:
            self._multipart(connection, f"{self.name}/parts/{number % 5}", number)
        elif number % 7 == 6:
            self._mutate(connection, "DELETE", key, ABSENT)
        else:
            state = State(f"{self.name} {number}", SIZES[number * 5 % len(SIZES)] + number % 13)
            self._mutate(connection, "PUT", key, state)

    def _mutate(self, connection: Connection, method: str, key: str, state: State) -> None:
        """Change a key; until the reply comes, both the old and the new state are possible."""
        self._expect(key, state)
        reply = self._ask(connection, method, path_of(self.bucket, key), state.body or b"")
        if reply is not None:
            self._keep(key, state)

    def _expect(self, key: str, state: State) -> None:
        self.possible[key] = [*self.possible.get(key, [ABSENT]), state]

    def _keep(self, key: str, state: State) -> None:
        self.possible[key] = [state]
        self.promises += 1

    def _multipart(self, connection: Connection, key: str, number: int) -> None:
        path = path_of(self.bucket, key)
        made = self._ask(connection, "POST", f"{path}?uploads")
        if made is None:
            return
        upload = OpenUpload(key, _element(made, "UploadId"))
        self.uploads.append(upload)
        names = f"uploadId={quote(upload.upload_id, safe='')}"
        sizes = (PART_BYTES + number, 700 * KIB + number)
        states = [State(f"{self.name} {number} {place}", size) for place, size in enumerate(sizes)]
        for part_number, state in enumerate(states, 1):
            target = f"{path}?partNumber={part_number}&{names}"
            reply = self._ask(connection, "PUT", target, state.body or b"")
            if reply is None:
                return
            upload.parts[part_number] = (reply.etag, state)
        whole = State(" + ".join(state.name for state in states), sum(sizes))
        WHOLES[whole] = states
        self.uploads.remove(upload)
        self._expect(key, whole)
        if self._ask(connection, "POST", f"{path}?{names}", parts_document(upload)) is not None:
            self._keep(key, whole)

    def _ask(
        self, connection: Connection, method: str, target: str, body: bytes = b""
    ) -> Reply | None:
        """Ask; None for a refusal, which is noted."""
        reply = self.server.caller.ask(method, target, body, over=connection)
        if reply.status in {200, 204}:
            return reply
        self.refusals.append(f"{method} {target}: {reply.status} {reply.code}")
        return None

    # --- judgement ---

    def judge(self) -> dict[str, State]:
        """Read every key back; return what is there, once it is one of the possible states."""
        found = {}
        with self.server.caller.connect() as connection:
            for key, states in self.possible.items():
                path = path_of(self.bucket, key)
                reply = self.server.caller.ask("GET", path, over=connection)
                body = reply.body if reply.status == 200 else None
                assert body is not None or reply.code == "NoSuchKey", f"{key}: {reply}"
                found[key] = self._match(key, body, states)
                self.possible[key] = [found[key]]
            for upload in self.uploads:
                self._finish(connection, upload)
        self.uploads.clear()
        return {key: state for key, state in found.items() if state is not ABSENT}

    def _match(self, key: str, body: bytes | None, states: list[State]) -> State:
        for state in reversed(states):
            if body == body_of(state):
                return state
        size = None if body is None else len(body)
        raise AssertionError(f"{key} holds {size} bytes that are none of {states}")

    def _finish(self, connection: Connection, upload: OpenUpload) -> None:
        """Complete an upload that a crash interrupted, from the parts that were promised."""
        path = path_of(self.bucket, upload.key)
        names = f"uploadId={quote(upload.upload_id, safe='')}"
        listed = self.server.caller.ask("GET", f"{path}?{names}", over=connection)
        assert listed.status == 200, f"an open upload is lost: {listed.code}"
        held = re.findall(rb"<PartNumber>(\d+)</PartNumber>", listed.body)
        assert {int(number) for number in held} >= upload.parts.keys(), "a part is lost"
        target = f"{path}?{names}"
        if not upload.parts:
            assert self._ask(connection, "DELETE", target) is not None
            return
        assert self._ask(connection, "POST", target, parts_document(upload)) is not None
        states = [state for _, state in upload.parts.values()]
        whole = State(" + ".join(state.name for state in states), sum(s.size for s in states))
        WHOLES[whole] = states
        read = self.server.caller.ask("GET", path, over=connection)
        assert read.body == body_of(whole), f"{upload.key}: parts that were promised are not whole"
        self.possible[upload.key] = [whole]


WHOLES: Final[dict[State, list[State]]] = {}  # of which parts an object was made


def body_of(state: State) -> bytes | None:
    """Answer the bytes of a state, one made of parts too."""
    if state in WHOLES:
        return b"".join(part.body or b"" for part in WHOLES[state])
    return state.body


def parts_document(upload: OpenUpload) -> bytes:
    """Write the document that completes an upload."""
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, (etag, _) in sorted(upload.parts.items())
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


def _element(reply: Reply, name: str) -> str:
    match = re.search(rb"<%b>([^<]+)</%b>" % (name.encode(), name.encode()), reply.body)
    assert match is not None, reply.body
    return match[1].decode()


class Load:
    """Several clients at once on one bucket."""

    def __init__(self, server: Server, bucket: str, clients: int = 4) -> None:
        self.server = server
        self.bucket = bucket
        self.clients = [Client(server, bucket, f"client{n}") for n in range(clients)]

    def __enter__(self) -> Load:  # noqa: PYI034  # nobody inherits from it
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.stop()

    @property
    def promises(self) -> int:
        """How many writes were acknowledged."""
        return sum(client.promises for client in self.clients)

    def judge(self) -> None:
        """Insist that every promise is kept, nothing is half there, and nothing else is listed."""
        present: dict[str, State] = {}
        for client in self.clients:
            client.judge()
            present |= {k: s[0] for k, s in client.possible.items() if s[0] != ABSENT}
        listed = dict(self._list())
        assert listed == {key: state.size for key, state in present.items()}

    def _list(self) -> list[tuple[str, int]]:
        s3 = self.server.client()
        with suppress(KeyError):
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            rows = [row for page in pages for row in page.get("Contents", [])]
        s3.close()
        return [(row["Key"], row["Size"]) for row in rows]
