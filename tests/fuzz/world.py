"""A whole S3 side in one process, with something in it: real engine, real SQL, no socket.

It can tell what is stored, so that a refused request can be shown to have changed nothing, and
put back what an accepted one has changed, so that every input meets the same store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from buckets import services as bucket_services
from buckets.configuration import (
    AS_NEW,
    BucketConfiguration,
    CorsRule,
    ObjectLockConfiguration,
    Ownership,
)
from buckets.models import Bucket
from iam import services
from iam.acl import ALL_USERS, Grant
from iam.keyring import RoleName
from iam.models.changes import Kind
from s3api.http.request import FIELD_VALUE, TOKEN
from s4project.key_uses import KeyUses
from s4project.s3side import make_s3_app
from storage_engine import LockMode, ObjectAttributes, ObjectLock, ObjectLocked, Versioning
from tests.e2e.signing import UNSIGNED, Signer
from tests.fuzz.refusing import parsed
from tests.s3api.http.requests import receive_of
from tests.stores import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from buckets.registry import BucketState
    from storage_engine import ObjectInfo, StorageEngine, UploadInfo

NO_LOCK: Final = ObjectLock()
DOMAIN: Final = "s3.test"
SECRET: Final = "s" * 40
ROLES: Final = {
    "owner": RoleName.WRITER,
    "other": RoleName.WRITER,
    "reader": RoleName.READER,
    "grouped": None,
    "custom": None,
}
KEYS: Final = {name: f"S4AK{name.upper()}" for name in (*ROLES, "narrowed")}
LARGE: Final = bytes(range(256)) * 300  # more than stays in the index
PLAIN: Final = b"0123456789abcdefghij"
OBJECTS: Final[dict[str, list[tuple[str, bytes]]]] = {
    "alpha": [
        ("plain", PLAIN),
        ("dir/one", b"one"),
        ("dir/two", b""),
        ("large", LARGE),
        ("ü#?%", b"ugly"),
    ],
    "beta": [],
    "foreign": [("secret", b"not yours")],
    "versioned": [("plain", b"first"), ("plain", b"second")],
    "locked": [("plain", b"free"), ("governed", b"g"), ("compliant", b"c"), ("held", b"h")],
}
FAR_MS: Final = 4_102_444_800_000  # 2100
LOCKS: Final = {
    ("locked", "governed"): ObjectLock(LockMode.GOVERNANCE, FAR_MS),
    ("locked", "compliant"): ObjectLock(LockMode.COMPLIANCE, FAR_MS),
    ("locked", "held"): ObjectLock(has_hold=True, had_hold=True),
}
# Who has policies of his own, by a group or by a role, and what the owner's other key leaves him.
IDENTITY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "MostOfAll",
            "Effect": "Allow",
            "NotAction": ["s3:DeleteBucket*", "s3:PutBucketPolicy"],
            "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::alpha/dir/*"],
        },
        {
            "Effect": "Deny",
            "Action": ["s3:Get*", "s3:PutObject*"],
            "NotResource": ["arn:aws:s3:::*/${aws:username}*", "arn:aws:s3:::alpha*"],
            "Condition": {"StringEqualsIfExists": {"s3:ExistingObjectTag/a": ["b", ""]}},
        },
        {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": "arn:aws:s3:::b?ta/${aws:userid, 'plain'}",
            "Condition": {
                "ForAnyValue:StringLike": {"s3:RequestObjectTagKeys": "*"},
                "Null": {"aws:SourceIp": "false"},
            },
        },
    ],
}
NARROWED: Final = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": ["s3:*Object*", "s3:ListBucket", "s3:GetBucket*"],
        "Resource": ["arn:aws:s3:::alpha", "arn:aws:s3:::alpha/*", "arn:aws:s3:::versioned/p*"],
        "Condition": {"StringNotLikeIfExists": {"s3:prefix": "?ir*"}},
    },
}
EVERYWHERE: Final = ["arn:aws:s3:::versioned", "arn:aws:s3:::versioned/*"]
POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:Get*", "s3:List*", "s3:PutObject"],
            "Resource": EVERYWHERE,
        },
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "NotAction": "s3:List*",
            "Resource": "arn:aws:s3:::versioned/${aws:username}/*",
            "Condition": {
                "StringLikeIfExists": {"s3:x-amz-acl": "*"},
                "NumericLessThanIfExists": {"s3:max-keys": "5"},
            },
        },
    ],
}
# One bucket with versions and a policy, one with Object Lock, one with ACLs, open to everybody, and
# cross-origin rules.
CONFIGURED: Final = {
    "versioned": BucketConfiguration(
        versioning=Versioning.ENABLED, public_access_block=None, policy=json.dumps(POLICY)
    ),
    "locked": BucketConfiguration(
        versioning=Versioning.ENABLED, object_lock=ObjectLockConfiguration()
    ),
    "beta": BucketConfiguration(
        ownership=Ownership.OBJECT_WRITER,
        public_access_block=None,
        grants=(Grant(ALL_USERS, "READ"), Grant(ALL_USERS, "WRITE"), Grant(ALL_USERS, "READ_ACP")),
        cors=(CorsRule(allowed_origins=("http://*.example",), allowed_methods=("GET", "PUT")),),
    ),
}
OWNERS: Final = {"foreign": "other"}
PARTS: Final = [b"p" * 70_000, b"q" * 9]
TOKEN_NAMES: Final = re.compile(r"<<([a-z-]+)>>")
SUMS: Final = {"CRC64NVME": "AAAAAAAAAAA="}
HEADERS: Final = {"content-type": "text/plain", "x-amz-meta-a": "b"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code in the body; "" where there is none."""
        match = re.search(rb"<Code>([^<]*)</Code>", self.body)
        return match[1].decode() if match else ""


@dataclass
class _Received:
    """What an application sends, held against ASGI's rules and HTTP's as it comes."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    is_ended: bool = False

    async def send(self, message: dict[str, Any]) -> None:
        """Take one message."""
        assert not self.is_ended, "nothing follows the end"
        if message["type"] == "http.response.start":
            assert not self.status, "one reply for each request"
            self.status, self.headers = message["status"], message["headers"]
            for name, value in self.headers:
                assert name, "every header has a name"
                assert not name.translate(None, TOKEN), name
                assert not value.translate(None, FIELD_VALUE), value
        else:
            assert self.status, "a body follows its head"
            self.body += message.get("body", b"")
            self.is_ended = not message.get("more_body", False)


class World:
    """The store, the people, and the application."""

    def __init__(self, engine: StorageEngine, settings: SettingsWrapper) -> None:
        self.engine = engine
        settings.S4 = replace(settings.S4, domain=(DOMAIN,), signature_v2=True)
        self.runner = asyncio.Runner()
        self.ids: dict[str, str] = {}
        for name, role in ROLES.items():
            user = services.create_user(name, role, email=f"{name}@example.org")
            key = KEYS[name]
            services.create_key(user.pk, access_key=key, secret_key=SECRET)
            self.ids[name] = user.canonical_id
        self._give_policies()
        self.signers = {name: Signer(key, SECRET) for name, key in KEYS.items()}
        self.app = make_s3_app(engine, settings.S4, KeyUses())
        self._generation = -1
        self._registry: list[BucketState] = []
        self._at_rest: dict[str, Any] = {}
        self.words = {"owner": self.ids["owner"], "other": self.ids["other"]}
        self.fill()

    def _give_policies(self) -> None:
        """Give policies to a group, to a role, and to another key of the owner."""
        services.create_policy("identity", json.dumps(IDENTITY))
        services.create_group("group", policies=["identity"])
        services.set_groups(services.find_user("grouped").pk, ["group"])
        services.create_role("role", policies=["identity"], includes=[RoleName.READER])
        services.set_role(services.find_user("custom").pk, "role")
        services.create_key(
            services.find_user("owner").pk,
            access_key=KEYS["narrowed"],
            secret_key=SECRET,
            policy=json.dumps(NARROWED),
        )

    # --- what is in it ---

    def fill(self) -> None:
        """Bring the store into the one state that every input begins with."""
        state = self.state()
        for bucket in self.buckets():
            if bucket.name not in OBJECTS or state[bucket.name] != self._at_rest.get(bucket.name):
                self._clear(bucket)
        there = {bucket.name for bucket in self.buckets()}
        for name in OBJECTS.keys() - there:
            self._make(name)
        self._at_rest = self.state()

    def _clear(self, bucket: BucketState) -> None:
        """Remove a bucket with all that is in it; of what nobody can remove, remove the name."""
        try:
            while versions := self.engine.list_versions(bucket.id).versions:
                for future in [self._remove(bucket.id, info) for info in versions]:
                    future.result()
            bucket_services.delete_bucket(bucket.name)
        except ObjectLocked:
            Bucket.objects.filter(pk=bucket.id).delete()
            services.announce(Kind.BUCKET, bucket.id)

    def _remove(self, bucket_id: int, info: ObjectInfo) -> Future[ObjectInfo | None]:
        name = bucket_id, info.key, info.version_id
        if info.lock.has_hold:
            self.engine.set_lock(*name, lambda info: info.lock._replace(has_hold=False)).result()
        return self.engine.delete_version(*name, bypass_governance=True)

    def _make(self, name: str) -> None:
        """Make a bucket with what belongs into it."""
        configuration = CONFIGURED.get(name, AS_NEW)
        owner = self.ids[OWNERS.get(name, "owner")]
        bucket = bucket_services.create_bucket(name, owner, configuration=configuration)
        puts = [
            self._put(
                bucket.id, key, data, configuration.versioning, LOCKS.get((name, key), NO_LOCK)
            )
            for key, data in OBJECTS[name]
        ]
        versions = [future.result() for future in puts]
        if name == "versioned":
            self.words["version"] = versions[-1].version_id
        if name == "locked":
            self.words |= {info.key: info.version_id for info in versions}
        if name == "alpha":
            self._multipart(bucket.id)
            self.words |= {"etag": md5(PLAIN), "part-etag": md5(PARTS[0])}

    def _put(
        self, bucket_id: int, key: str, data: bytes, versioning: Versioning, lock: ObjectLock
    ) -> Future[ObjectInfo]:
        """Put an object as PutObject would."""
        attributes = ObjectAttributes(
            etag=md5(data), headers=HEADERS, owner=self.ids["owner"], checksum_type="FULL_OBJECT"
        )
        blob = self.engine.stage_bytes(data)
        return self.engine.put_object(
            bucket_id, key, blob, attributes, versioning=versioning, lock=lock
        )

    def _multipart(self, bucket_id: int) -> None:
        """Make an object of parts, smaller than S3 would allow, and leave another upload open."""
        attributes = ObjectAttributes(
            etag="", headers=HEADERS, owner=self.ids["owner"], checksum_type="FULL_OBJECT"
        )
        done, still_open = [
            self._upload(bucket_id, key, attributes, parts)
            for key, parts in (("parts", PARTS), ("up", PARTS[:1]))
        ]
        page = self.engine.list_parts(bucket_id, "parts", done.upload_id)
        kept = attributes.with_digests(f"{md5(b'')}-2", SUMS)
        self.engine.complete_upload(bucket_id, "parts", done.upload_id, page.parts, kept).result()
        self.words["upload"] = still_open.upload_id

    def _upload(
        self, bucket_id: int, key: str, attributes: ObjectAttributes, parts: Sequence[bytes]
    ) -> UploadInfo:
        upload = self.engine.create_upload(bucket_id, key, attributes).result()
        for number, data in enumerate(parts, 1):
            blob, place = self.engine.stage_bytes(data), (bucket_id, key, upload.upload_id)
            self.engine.put_part(*place, number, blob, md5(data), SUMS).result()
        return upload

    # --- what is stored ---

    def buckets(self) -> list[BucketState]:
        """List all buckets as SQL has them."""
        generation = self.engine.generation()
        if generation != self._generation:
            self._registry = bucket_services.load_registry().all()
            self._generation = generation
        return self._registry

    def state(self) -> dict[str, Any]:
        """Answer all that is stored, as a value."""
        stats = self.engine.stats()
        state: dict[str, Any] = {
            "": (stats.blobs, stats.inline_payloads, stats.live_bytes, stats.versions)
        }
        for bucket in self.buckets():
            uploads = self.engine.list_uploads(bucket.id).uploads
            state[bucket.name] = (
                bucket,
                self.engine.namespace_counts(bucket.id),
                self.engine.list_versions(bucket.id).versions,
                [
                    (upload, self.engine.list_parts(bucket.id, upload.key, upload.upload_id).parts)
                    for upload in uploads
                ],
            )
        return state

    def settle(self) -> None:
        """Put back what was changed, once all that is new has been answered in S3's form."""
        state = self.state()
        changed = [
            bucket
            for bucket in self.buckets()
            if state[bucket.name] != self._at_rest.get(bucket.name)
        ]
        try:
            for bucket in changed:
                self.look_at_all(bucket, state[bucket.name][2])
        finally:
            if state != self._at_rest:
                self.fill()

    def look_at_all(self, held: BucketState, versions: Sequence[ObjectInfo]) -> None:
        """Ask for every version, and for the listing: whatever was taken can be given back."""
        bucket = held.name
        owners = [name for name, one in self.ids.items() if one == held.owner_canonical_id]
        signer = self.signers[owners[0]]
        targets = [(f"/{bucket}", "GET"), (f"/{bucket}?versions", "GET")]
        for info in versions:
            if not info.is_marker:
                name = quote(info.key, safe="/~")
                targets.append((f"/{bucket}/{name}?versionId={info.version_id}", "HEAD"))
        for target, method in targets:
            signed = signer.sign(method, target, {"host": "s4.test"}, UNSIGNED)
            lines = [(name.encode(), text.encode()) for name, text in signed.headers.items()]
            reply = self.ask(method, target, lines)
            assert reply is not None
            assert reply.status in {200, 403}, (target, reply)  # an ACL may leave its owner out

    def insist_unchanged(self) -> None:
        """Insist that all is as every input finds it."""
        state, at_rest = self.state(), self._at_rest
        changed = {
            name: (at_rest.get(name), state.get(name))
            for name in state.keys() | at_rest.keys()
            if at_rest.get(name) != state.get(name)
        }
        assert not changed

    def verify(self) -> None:
        """Insist that the store agrees with itself."""
        assert list(self.engine.verify()) == []

    # --- asking ---

    def word(self, text: str) -> str:
        """Write the ids of this store where an input names them."""
        return TOKEN_NAMES.sub(lambda match: self.words.get(match[1], match[0]), text)

    def ask(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[bytes, bytes]],
        pieces: Sequence[bytes] = (),
        *,
        is_cut: bool = False,
    ) -> Reply | None:
        """Send a request and hold its reply against S3's rules; None: nobody was left to answer.

        `is_cut`: the client goes away in the middle of its body.
        """
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "raw_path": path.encode(),
            "path": path,
            "query_string": query.encode(),
            "headers": list(headers),
            "client": ("127.0.0.1", 4711),
            "server": ("127.0.0.1", 9000),
        }
        received = _Received()
        receive = receive_of(pieces, disconnect=is_cut)
        self.runner.run(self.app(scope, receive, received.send))
        if not received.status:
            assert is_cut, "every request is answered"
            return None
        assert received.is_ended or is_cut, "every reply ends"
        names = [name.lower().decode() for name, _ in received.headers]
        values = [value.decode("latin-1") for _, value in received.headers]
        reply = Reply(received.status, dict(zip(names, values, strict=True)), bytes(received.body))
        check_reply(method, reply)
        return reply


def md5(data: bytes) -> str:
    """Compute an ETag."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


REFUSED: Final = 400
TROUBLE: Final = 500
NOT_IMPLEMENTED: Final = 501
BODILESS: Final = {204, 304}


def check_reply(method: str, reply: Reply) -> None:
    """Hold a reply against what is true of every reply of S3's."""
    assert reply.status < TROUBLE or reply.status == NOT_IMPLEMENTED, (reply.status, reply.body)
    assert reply.headers["x-amz-request-id"]
    assert reply.headers["x-amz-id-2"]
    if method == "HEAD" or reply.status in BODILESS:
        assert reply.body == b""
        return
    assert int(reply.headers["content-length"]) == len(reply.body)
    if reply.status >= REFUSED:
        assert reply.headers["content-type"] == "application/xml"
        document = parsed(reply.body)
        assert document.tag == "Error"
        for name in ("Code", "RequestId", "HostId"):
            assert document.findtext(name), name
        assert document.find("Message") is not None  # S3's own is empty for an unknown canned ACL
        assert document.findtext("RequestId") == reply.headers["x-amz-request-id"]


@contextmanager
def living(settings: SettingsWrapper, data_dir: Path) -> Iterator[World]:
    """Make a world, and end it."""
    with opened(settings, data_dir) as engine:
        world = World(engine, settings)
        try:
            yield world
            world.verify()
        finally:
            world.runner.run(asyncio.sleep(0))
            world.app.close()
            world.runner.close()
