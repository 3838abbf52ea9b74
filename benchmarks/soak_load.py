"""The clients of a soak: who stores and reads, who lists, who administers, and who behaves badly.

Each is a thread that does one thing after the other, chosen by chance from a seed. Keys are few
enough to be written over again and again, so that what the store holds comes to a level and only
leaks can grow.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import os
import random
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

HOST = "127.0.0.1"
BUCKETS = ("soak-plain", "soak-versioned")
KEYS = 1500
MIB = 1 << 20
PART_BYTES = 5 * MIB
SIZES = (0, 1, 100, 1024, 4096, 4097, 65_536, 300_000, MIB, 4 * MIB, 16 * MIB)
SIZE_WEIGHTS = (2, 2, 8, 20, 10, 4, 8, 4, 3, 1, 1)
FINE = 400  # statuses from here on tell of something
TROUBLE = 500
NOISE = os.urandom(32 * MIB)  # bodies are slices of it: unlike, and cheap


@dataclass(slots=True)
class Tally:
    """What clients saw, by second and by operation."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    operations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)  # answers of 500 and above, and no answers
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, operation: str, began: float, status: int, said: str = "") -> None:
        """Note an answer; status 0: there was none."""
        now = time.monotonic()
        took = (now - began) * 1000
        with self.lock:
            self.seconds[int(now - self.began)].append(took)
            self.operations[operation].append(took)
            self.statuses[f"{operation} {status}"] += 1
            if status >= TROUBLE or not status:
                self.trouble.append(f"{now - self.began:.1f}s {operation} {status} {said[:200]}")


class Client(threading.Thread):
    """One client; subclasses name what it does, with weights."""

    pause_seconds = 0.0

    def __init__(self, server: Server, tally: Tally, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"{type(self).__name__} {seed}", daemon=True)
        self.server, self.tally, self.is_over = server, tally, stop
        self.random = random.Random(seed)  # noqa: S311  # no secret is made of it
        self.s3 = s3_client(server)

    def deeds(self) -> dict[Callable[[], Any], int]:
        """Name what is done, and how often."""
        raise NotImplementedError

    def run(self) -> None:
        """Do one thing after the other until it is over."""
        deeds = self.deeds()
        choices, weights = list(deeds), list(deeds.values())
        while not self.is_over.is_set():
            (deed,) = self.random.choices(choices, weights)
            began = time.monotonic()
            name = getattr(deed, "__name__", "").strip("_")
            try:
                status = deed()
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                self.tally.note(name, began, status, str(error))
            except urllib.error.HTTPError as error:
                self.tally.note(name, began, error.code, str(error))
            except (BotoCoreError, OSError, http.client.HTTPException) as error:
                self.tally.note(name, began, 0, repr(error))
            else:
                self.tally.note(name, began, status if isinstance(status, int) else 200)
            if self.pause_seconds:
                self.is_over.wait(self.pause_seconds)
        self.s3.close()

    def place(self) -> dict[str, str]:
        """Choose an object."""
        key = f"tree/{self.random.randrange(30)}/{self.random.randrange(KEYS // 30)}"
        return {"Bucket": self.random.choice(BUCKETS), "Key": key}

    def body(self, size: int | None = None) -> bytes:
        """Make a body."""
        if size is None:
            (size,) = self.random.choices(SIZES, SIZE_WEIGHTS)
        start = self.random.randrange(len(NOISE) - size)
        return NOISE[start : start + size]


class Worker(Client):
    """Stores, reads and deletes, as programs do."""

    def deeds(self) -> dict[Callable[[], Any], int]:
        """Do a little of everything."""
        return {
            self._put: 30,
            self._get: 30,
            self._get_range: 5,
            self._head: 15,
            self._list: 4,
            self._list_folders: 2,
            self._list_versions: 1,
            self._delete: 12,
            self._delete_many: 1,
            self._copy: 3,
            self._multipart: 1,
            self._abort: 1,
            self._tags: 4,
            self._put_if_absent: 2,
        }

    def _put(self) -> None:
        self.s3.put_object(**self.place(), Body=self.body(), Metadata={"by": self.name})

    def _put_if_absent(self) -> None:
        with suppress(self.s3.exceptions.ClientError):
            self.s3.put_object(**self.place(), Body=b"first", IfNoneMatch="*")

    def _get(self) -> None:
        self.s3.get_object(**self.place())["Body"].read()

    def _get_range(self) -> None:
        self.s3.get_object(**self.place(), Range="bytes=0-99")["Body"].read()

    def _head(self) -> None:
        self.s3.head_object(**self.place())

    def _list(self) -> None:
        prefix = f"tree/{self.random.randrange(30)}/"
        self.s3.list_objects_v2(Bucket=self.random.choice(BUCKETS), Prefix=prefix)

    def _list_folders(self) -> None:
        where = {"Bucket": self.random.choice(BUCKETS), "Prefix": "tree/", "Delimiter": "/"}
        self.s3.list_objects_v2(**where)

    def _list_versions(self) -> None:
        self.s3.list_object_versions(Bucket=BUCKETS[1], MaxKeys=100)

    def _delete(self) -> None:
        place = self.place()
        if place["Bucket"] == BUCKETS[1]:  # for good: versions that pile up are no leak
            rows = self.s3.list_object_versions(Bucket=BUCKETS[1], Prefix=place["Key"])
            for row in (rows.get("Versions", []) + rows.get("DeleteMarkers", []))[:50]:
                self.s3.delete_object(Bucket=BUCKETS[1], Key=row["Key"], VersionId=row["VersionId"])
        self.s3.delete_object(**place)

    def _delete_many(self) -> None:
        keys = [{"Key": self.place()["Key"]} for _ in range(20)]
        self.s3.delete_objects(Bucket=BUCKETS[0], Delete={"Objects": keys})

    def _copy(self) -> None:
        self.s3.copy_object(**self.place(), CopySource=self.place())

    def _multipart(self) -> None:
        place = self.place()
        upload = self.s3.create_multipart_upload(**place)["UploadId"]
        bodies = (self.body(PART_BYTES), self.body(PART_BYTES), self.body(1000))
        parts = []
        for number, body in enumerate(bodies, 1):
            part = self.s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self.s3.complete_multipart_upload(
            **place, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def _abort(self) -> None:
        place = self.place()
        upload = self.s3.create_multipart_upload(**place)["UploadId"]
        body = self.body(PART_BYTES)
        self.s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=body)
        self.s3.abort_multipart_upload(**place, UploadId=upload)

    def _tags(self) -> None:
        place = self.place()
        tags = {"TagSet": [{"Key": "colour", "Value": str(self.random.randrange(9))}]}
        self.s3.put_object_tagging(**place, Tagging=tags)
        self.s3.get_object_tagging(**place)


class Visitor(Client):
    """Reads pages of the console and asks the API, as an administrator with open windows does."""

    pause_seconds = 0.5

    def deeds(self) -> dict[Callable[[], Any], int]:
        """Look around."""
        self.browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
        self.token = ""
        self._sign_in()
        self._log_in()
        return {self._page: 6, self._ask: 6, self._log_in: 1}

    def _open(self, path: str, data: bytes | None = None, **headers: str) -> bytes:
        """Ask the console's port."""
        url = f"http://{HOST}:{self.server.console_port}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data, named)
        with self.browser.open(request, timeout=60) as answer:
            text: bytes = answer.read()
            return text

    def _sign_in(self) -> None:
        page = self._open("/login/").decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None, "the page of the sign-in has a form"
        form = {
            "username": "root",
            "password": self.server.password,
            "csrfmiddlewaretoken": found[1],
        }
        self._open("/login/", urllib.parse.urlencode(form).encode())

    def _log_in(self) -> None:
        login = {"username": "root", "password": self.server.password}
        body = json.dumps(login).encode()
        answer = self._open("/api/admin/login", body, content_type="application/json")
        self.token = json.loads(answer)["token"]

    def _page(self) -> None:
        pages = ("/", "/buckets/bucket/", "/iam/user/", "/iam/accesskey/", "/iam/auditentry/")
        self._open(self.random.choice(pages))

    def _ask(self) -> None:
        paths = ("/api/admin/me", "/api/admin/users", "/api/admin/audit")
        self._open(self.random.choice(paths), authorization=f"Bearer {self.token}")


class Rude(Client):
    """Breaks off, lies about lengths, signs wrongly."""

    pause_seconds = 0.2

    def deeds(self) -> dict[Callable[[], Any], int]:
        """Behave badly."""
        return {
            self._break_off_upload: 3,
            self._break_off_download: 3,
            self._break_off_head: 2,
            self._talk_nonsense: 2,
            self._sign_wrongly: 2,
        }

    def _url(self, operation: str) -> tuple[str, str]:
        """Presign a request to an object."""
        place = self.place() | {"Bucket": BUCKETS[0]}
        url = urllib.parse.urlsplit(self.s3.generate_presigned_url(operation, place))
        return url.path, url.query

    def _say(self, head: str, body: bytes = b"", read_bytes: int = 0) -> None:
        """Send something, read a little, and go."""
        with socket.create_connection((HOST, self.server.port), 30) as connection:
            connection.sendall(head.encode() + body)
            if read_bytes:
                connection.recv(read_bytes)
            linger = b"\1\0\0\0\0\0\0\0" if self.random.random() < 0.5 else b"\0" * 8
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _break_off_upload(self) -> None:
        path, query = self._url("put_object")
        head = f"PUT {path}?{query} HTTP/1.1\r\nHost: {HOST}:{self.server.port}\r\n"
        body = self.body(self.random.choice((0, 1000, MIB)))
        self._say(f"{head}Content-Length: {4 * MIB}\r\n\r\n", body)

    def _break_off_download(self) -> None:
        path, query = self._url("get_object")
        self._say(f"GET {path}?{query} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", read_bytes=4096)

    def _break_off_head(self) -> None:
        self._say("GET /soak-plain HTTP/1.1\r\nHost: s4\r\nX-Half: ")

    def _talk_nonsense(self) -> None:
        self._say("\x16\x03\x01 no HTTP at all\r\n\r\n", read_bytes=4096)

    def _sign_wrongly(self) -> int:
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=30)
        try:
            connection.request("GET", "/soak-plain?X-Amz-Signature=0&X-Amz-Algorithm=x")
            return connection.getresponse().status
        finally:
            connection.close()


def s3_client(server: Server) -> Any:
    """Make a client that tries once, so that nothing is hidden."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{server.port}",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            read_timeout=120,
        ),
    )


def make_buckets(server: Server) -> None:
    """Make what the clients work in."""
    s3 = s3_client(server)
    for bucket in BUCKETS:
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=BUCKETS[1], VersioningConfiguration={"Status": "Enabled"})
    s3.close()
