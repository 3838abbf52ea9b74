"""Uploads, downloads and links to share, by a person in a real browser, whatever goes wrong."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.e2e.clients.installed import LONG, Runner, node_story, system
from tests.e2e.content import content
from tests.e2e.server import running
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

    Tell = Callable[..., str]

pytestmark = pytest.mark.e2e

MIB: Final = 1024**2
LARGE_BYTES: Final = 2 * 1024**3 + 12_345 if LONG else 60 * MIB + 12_345
FOLDER_FILES: Final = 1000 if LONG else 120
SHOTS: Final = os.environ.get("S4_TEST_SHOTS", "")  # where pictures go, if anywhere
in_full = pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-console tells all stories")
ODD_NAMES: Final = ("ü 😀.txt", "a+b&c=d#e?.txt", "50%25.txt", "<script>.js", "empty", "' \".txt")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server of the module's own: it is killed, and its users are told."""
    with running(tmp_path_factory.mktemp("server")) as server:
        token = log_in(server)
        for name, role in (("writer", "SuperUser"), ("reader", "Reader")):
            user = {"username": name, "password": server.settings["root_password"], "role": role}
            assert call(server, "POST", "/admin/users", user, token).status == 201
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the files that are uploaded."""
    root = tmp_path_factory.mktemp("files")
    (root / "small.txt").write_bytes(b"small")
    (root / "middle.bin").write_bytes(content("middle", 24 * MIB + 7))
    (root / "other.bin").write_bytes(content("other", 24 * MIB + 8))
    (root / "twin.bin").write_bytes(content("twin", 24 * MIB + 7))
    (root / "growing.log").write_bytes(content("growing", 24 * MIB))
    return root


@pytest.fixture
def tell(run: Runner, server: Server, bucket: str, files: Path) -> Tell:
    """Answer what tells a story of programs/transfer_stories.cjs."""
    environment = {
        "BUCKET": bucket,
        "CHROMIUM": system("chromium"),
        "CONSOLE": f"http://127.0.0.1:{server.console_port}",
        "FILES": str(files),
        "PASSWORD": server.settings["root_password"],
    }

    def told(story: str, *arguments: str, **more: str) -> str:
        return node_story(run, "transfer_stories", story, *arguments, **environment, **more)

    return told


@contextmanager
def controlled(**deeds: Callable[[], Any]) -> Iterator[str]:
    """Let a story do deeds by asking for `/name` of the address that is yielded."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            deeds[self.path.removeprefix("/")]()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as control:
        thread = threading.Thread(target=control.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{control.server_address[1]}"
        finally:
            control.shutdown()
            thread.join()


def stored(s3: BaseClient, bucket: str) -> dict[str, bytes]:
    """Read all objects of a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def digest(s3: BaseClient, bucket: str, key: str) -> str:
    """Digest an object, piece by piece."""
    found = sha256()
    for piece in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB):
        found.update(piece)
    return found.hexdigest()


def no_uploads(s3: BaseClient, bucket: str) -> bool:
    """Whether nothing of an unfinished upload is left."""
    return "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_folder_is_dropped(tell: Tell, s3: BaseClient, bucket: str, files: Path) -> None:
    """All of a dropped folder is uploaded, whatever its names; what is there is asked about."""
    folder = files / "folder"
    expected = {}
    for number in range(FOLDER_FILES - len(ODD_NAMES)):
        name = f"part {number % 7}/sub/{number:04}.txt"
        expected[name] = f"{number}".encode()
    expected |= {name: b"" if name == "empty" else name.encode() for name in ODD_NAMES}
    for name, data in expected.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "nothing in it").mkdir()
    print(tell("folder", str(FOLDER_FILES + 1)))  # noqa: T201  # how long it took
    expected |= {"nothing in it/": b"", "again.txt": b"another"}
    found = stored(s3, bucket)
    assert found.pop("again.txt") == b"another"  # dropped beside the folder, then into it
    assert found == {f"folder/{name}": data for name, data in expected.items()}
    kind = s3.head_object(Bucket=bucket, Key="folder/<script>.js")["ContentType"]
    assert kind.endswith("javascript")


def test_a_large_file_is_resumed(tell: Tell, s3: BaseClient, bucket: str, files: Path) -> None:
    """A large file goes in parts, is paused, outlives a reload, and arrives as it is."""
    source = files / "large.bin"
    made = sha256()
    with source.open("wb") as file:
        for start in range(0, LARGE_BYTES, 16 * MIB):
            piece = content(f"large {start}", min(16 * MIB, LARGE_BYTES - start))
            made.update(piece)
            file.write(piece)
    print(tell("large", "large.bin", str(LARGE_BYTES)))  # noqa: T201  # how much was there
    head = s3.head_object(Bucket=bucket, Key="deep/large.bin", ChecksumMode="ENABLED")
    parts = -(-LARGE_BYTES // (8 * MIB))
    assert head["ETag"].endswith(f'-{parts}"')
    assert head["ChecksumType"] == "FULL_OBJECT"
    assert "ChecksumCRC32C" in head
    assert digest(s3, bucket, "deep/large.bin") == made.hexdigest()
    assert no_uploads(s3, bucket)
    source.unlink()


@in_full
@pytest.mark.parametrize("story", ["lost", "session", "phone", "dropped"])
def test_it_goes_on(tell: Tell, s3: BaseClient, bucket: str, files: Path, story: str) -> None:
    """An upload outlives a lost connection, an ended session and a reload, and fits a phone."""
    tell(story, "middle.bin")
    expected = sha256((files / "middle.bin").read_bytes()).hexdigest()
    assert digest(s3, bucket, "middle.bin") == expected
    assert no_uploads(s3, bucket)


@in_full
def test_the_server_is_killed(
    tell: Tell, s3: BaseClient, bucket: str, files: Path, server: Server
) -> None:
    """An upload outlives the death of all processes of the server, and loses nothing."""
    with controlled(kill=server.kill_tree, start=server.start) as control:
        tell("killed", "middle.bin", CONTROL=control)
    assert stored(s3, bucket) == {
        "middle.bin": (files / "middle.bin").read_bytes(),
        "small.txt": b"small",
    }
    assert no_uploads(s3, bucket)


@in_full
def test_it_is_cancelled(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """What is cancelled leaves nothing behind, in the browser or in the store."""
    tell("cancelled", "middle.bin", "other.bin", "twin.bin")
    assert stored(s3, bucket) == {}
    assert no_uploads(s3, bucket)


@in_full
def test_the_file_changes(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A file that is written to meanwhile is not stored by halves, and holds up no other."""
    tell("changed", "middle.bin", "growing.log")
    assert stored(s3, bucket).keys() == {"middle.bin"}


@in_full
def test_it_is_refused(tell: Tell, s3: BaseClient, bucket: str, server: Server) -> None:
    """A bucket that is full, and one that is gone, are told, and the upload can be tried again."""

    def set_quota(size: str) -> None:
        assert server.manage("set_quota", "--bucket", bucket, "--bytes", size).returncode == 0

    def delete() -> None:
        for key in stored(s3, bucket):
            s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)

    set_quota("1M")
    with controlled(lift=lambda: set_quota("1G"), delete=delete) as control:
        tell("refused", "middle.bin", CONTROL=control)


def test_downloads(tell: Tell, s3: BaseClient, bucket: str, tmp_path: Path) -> None:
    """One object comes as it is, several things and folders as a zip with all that is in them."""
    objects = {
        "ü <b>.txt": b"one",
        "folder/a.txt": b"a",
        "folder/deep/b.bin": content("b", 3 * MIB),
        "folder/empty/": b"",
        "elsewhere": b"asked for last",
    }
    for key, data in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=data)
    tell("downloads", str(tmp_path))
    assert (tmp_path / "one").read_bytes() == b"one"
    within = {key: data for key, data in objects.items() if key.startswith("folder/")}
    for name, expected in (
        ("several.zip", within | {"ü <b>.txt": b"one"}),
        ("folder.zip", within),
        ("two.zip", {key: objects[key] for key in ("ü <b>.txt", "elsewhere")}),
    ):
        with ZipFile(tmp_path / name) as packed:
            assert {each: packed.read(each) for each in packed.namelist()} == expected


@in_full
def test_a_link_is_shared(tell: Tell, s3: BaseClient, bucket: str) -> None:
    """A link is made and copied in one step, and opens for one without an account."""
    s3.put_object(Bucket=bucket, Key="ü &.txt", Body=b"shared")
    told = tell("share", "ü &.txt")
    url = next(line.removeprefix("link ") for line in told.splitlines() if line.startswith("link "))
    with urlopen(url, timeout=30) as reply:  # noqa: S310  # our own server's
        assert reply.read() == b"shared"


@in_full
def test_a_reader_is_offered_no_upload(
    tell: Tell, s3: BaseClient, bucket: str, server: Server
) -> None:
    """Who may not write finds no button for it, and may not drop files either."""
    users = call(server, "GET", "/admin/users", token=log_in(server)).body["users"]
    account = next(user["account_id"] for user in users if user["username"] == "reader")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:user/reader"},
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": statement}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    tell("reader")
    assert stored(s3, bucket) == {}


@in_full
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(tell: Tell, files: Path, theme: str) -> None:
    """The panel and the windows pass axe-core's rules, in both themes and on a phone."""
    (files / "large-too.bin").write_bytes(b"x")
    tell("looks", theme, SHOTS)
