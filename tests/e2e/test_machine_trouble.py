"""A running server on a machine that fails it: what goes on, what is refused, what comes back."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.e2e.processes import PROC, wait_until
from tests.e2e.server import HOST, Server
from tests.e2e.wire import Connection, write_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

LONG: Final = bool(os.environ.get("S4_TEST_LONG"))
BODY: Final = os.urandom(1 << 20)
FAULT: Final = "trigger_fs_error"  # of ext4, in /sys: the file system finds itself damaged
READS: Final = ("GetObject", "HeadObject", "ListObjectsV2", "the API's reads")
OK: Final = 200


def mounted(place: Path, *arguments: str) -> None:
    """Mount a file system; skip where that cannot be done."""
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount file systems")
    command = ["mount", *arguments, str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let its root mount file systems")


@contextlib.contextmanager
def server_on(place: Path, log: Path) -> Iterator[Server]:
    """Run a server whose data are on a mount, which goes with it."""
    server = Server(log, data_dir=str(place / "data"), workers="1")
    server.data = place / "data"
    try:
        server.start()
        yield server
    finally:
        server.kill_tree()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


class Asking:
    """Asks a server for everything, and notes how it answers."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.s3: BaseClient = server.client()
        self.s3.create_bucket(Bucket="store")
        self.s3.put_object(Bucket="store", Key="kept", Body=BODY)
        self.login = {"username": "root", "password": server.settings["root_password"]}
        self.token = json.loads(self.api("POST", "/login", self.login)[1])["token"]

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Ask the API."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"host": "console", "content-type": "application/json"}
        if path != "/login":
            headers["authorization"] = f"Bearer {self.token}"
        with Connection((HOST, self.server.console_port)) as connection:
            head = write_head(method, f"/api/admin{path}", headers, len(data))
            connection.send(head + data)
            reply = connection.reply(method)
            return reply.status, reply.body

    def _s3(self, operation: Callable[..., Any], **arguments: Any) -> int:
        try:
            answer = operation(Bucket="store", **arguments)
        except ClientError as error:
            status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return status
        if "Body" in answer:
            assert answer["Body"].read() == BODY
        return OK

    def all(self) -> dict[str, int]:
        """Ask for each thing once; answer the statuses."""
        s3 = self.s3
        return {
            "GetObject": self._s3(s3.get_object, Key="kept"),
            "HeadObject": self._s3(s3.head_object, Key="kept"),
            "ListObjectsV2": self._s3(s3.list_objects_v2),
            "the API's reads": self.api("GET", "/me")[0],
            "PutObject": self._s3(s3.put_object, Key="new", Body=BODY[1:]),
            "a small PutObject": self._s3(s3.put_object, Key="small", Body=b"x"),
            "CreateMultipartUpload": self._s3(s3.create_multipart_upload, Key="parts"),
            "PutBucketTagging": self._s3(
                s3.put_bucket_tagging, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
            ),
            "a sign-in": self.api("POST", "/login", self.login)[0],
        }


def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    """With not a byte left reads and deletes go on, writes are 507 or 503, and all comes back."""
    place = tmp_path / "disk"
    mounted(place, "-t", "tmpfs", "-o", "size=160m", "tmpfs")
    with server_on(place, tmp_path / "server") as server:
        asking = Asking(server)
        before = asking.all()
        assert set(before.values()) == {OK}
        fill(place / "filler")
        full = asking.all()
        assert {full[name] for name in READS} == {OK}
        assert {full["PutObject"], full["a small PutObject"]} == {507}
        assert full["CreateMultipartUpload"] == 507
        assert {full["PutBucketTagging"], full["a sign-in"]} <= {OK, 503}  # SQL has room of its own
        asking.s3.delete_object(Bucket="store", Key="small")
        server.stop()
        server.start()  # on the full disk
        asking.s3.get_object(Bucket="store", Key="kept")["Body"].close()
        (place / "filler").unlink()
        wait_until(lambda: asking.all() == before, "everything is as before")
        assert "internal_error" not in server.log_text()
        server.stop()
        server.verify()


def fill(path: Path) -> None:
    """Write until nothing more can be written."""
    with path.open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"\xff" * size)


def test_a_disk_that_turns_read_only_is_read_on(tmp_path: Path) -> None:
    """Where a file system gives up in mid-run, writes are 503, reads go on, and the end is good."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("e2fsprogs is not installed")
    image, place = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    mounted(place, "-o", "loop,errors=remount-ro", str(image))
    with server_on(place, tmp_path / "server") as server:
        asking = Asking(server)
        source = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(place)], capture_output=True, text=True, check=True
        )
        fault = Path("/sys/fs/ext4") / Path(source.stdout.strip()).name / FAULT
        if not fault.exists():
            pytest.skip("this kernel's ext4 cannot be made to fail")
        fault.write_text("1")
        answers = asking.all()
        assert {answers.pop(name) for name in READS} == {OK}
        assert set(answers.values()) == {503}
        server.stop()
        log = server.log_text()
        assert "Read-only file system" in log
        assert "internal_error" not in log
        assert "Traceback" not in log


@pytest.mark.skipif(not LONG, reason="S4_TEST_LONG: make test-long takes descriptors away too")
def test_a_worker_out_of_descriptors_rests_and_recovers(tmp_path: Path) -> None:
    """Connections that cannot be opened wait without a spin; with files again all are answered."""
    server = Server(tmp_path / "server", workers="1")
    try:
        server.start()
        asking = Asking(server)
        before = asking.all()
        (worker,) = server.workers()
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        open_files = len(os.listdir(PROC / str(worker) / "fd"))  # noqa: PTH208  # their number
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_files + 4, limits[1]))
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(server.caller.connect()) for _ in range(64)]
            for connection in crowd:
                connection.send(server.caller.request("HEAD", "/store/kept"))
            wait_until(lambda: any(each.has_begun(0) for each in crowd), "one had a file")
            assert sum(each.has_begun(0) for each in crowd) <= 8
            ticks = cpu_ticks(worker)
            time.sleep(1)  # in which it could spin
            assert cpu_ticks(worker) - ticks < 50  # of a hundred
            resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
            statuses = Counter(connection.reply("HEAD").status for connection in crowd)
            assert statuses[OK] >= 56, "those who waited"
            assert statuses.keys() <= {OK, 500, 503}, "where what is to be read cannot be opened"
        wait_until(lambda: asking.all() == before, "everything is as before")
        assert server.workers() == [worker]
        server.stop()
        server.verify()
    finally:
        server.kill_tree()


def cpu_ticks(pid: int) -> int:
    """Read how much a process has worked."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
