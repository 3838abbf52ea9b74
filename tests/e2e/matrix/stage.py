"""Where the matrix is played: a server, its people, and a bucket for each kind of caller.

A bucket of the kind stays until a request that was allowed has changed it; then the next caller
gets a new one. Each has a twin with its configuration of access and nothing in it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.matrix import people
from tests.e2e.matrix.asking import PASSING, Line, Sent, fill, write, write_post
from tests.e2e.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.matrix.row import Row
    from tests.e2e.matrix.rule import Caller
    from tests.e2e.server import Server
    from tests.e2e.wire import Reply

OWNERS: Final = {
    "shared": "writer",
    "elsewhere": "writer",
    "reader's": "reader",
    "nobody's": "without",
    "banned": "banned",
}
# Their owners make them once, while they still may.
KEPT: Final = ("reader's", "nobody's")
# What a bucket of each flavour is furnished with.
FURNITURE: Final = {
    "empty": (),
    "configured": ("configuration",),
    "plain": ("objects",),
    "acls": ("objects",),
    "versions": ("objects",),
    "locked": ("key", "locked"),
    "uploading": ("key", "upload"),
}
CREATION: Final = {
    "acls": {"ObjectOwnership": "ObjectWriter"},
    "locked": {"ObjectLockEnabledForBucket": True},
}
CORS: Final = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
LIFECYCLE: Final = {
    "Rules": [{"ID": "one", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}]
}
TAGS: Final = {"TagSet": [{"Key": "a", "Value": "b"}]}
TAGGING: Final = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
OF_BUCKET: Final = (
    *("versions", "uploads", "policy", "acl", "tagging", "cors", "versioning"),
    *("lifecycle", "ownershipControls", "publicAccessBlock", "object-lock"),
)
State = list[tuple[int, bytes]]


@dataclass
class Place:
    """A bucket of the moment, and its twin."""

    name: str
    twin: str
    words: dict[str, str]
    state: State | None = None  # what stood in it when it was last looked at


class Stage:
    """The server and everything in it."""

    def __init__(self, server: Server) -> None:
        self.line = Line(("127.0.0.1", server.port))
        self._numbers = count(1)
        self.root = server.caller.signer
        self.people: dict[str, Any] = json.loads(people.run(server, "make"))
        self._places: dict[tuple[str, str], Place] = {}
        self._twins: dict[tuple[str, str], str] = {}
        for kind in KEPT:
            for flavour in FURNITURE:
                self.place(kind, flavour)
        people.run(server, "settle")

    # --- buckets ---

    def place(self, kind: str, flavour: str) -> Place:
        """Answer the bucket of a kind of caller, made when it is first asked for."""
        found = self._places.get((kind, flavour))
        if found is None:
            found = self._places[kind, flavour] = self._make(kind, flavour)
        return found

    def watched(self, kind: str, flavour: str) -> Place:
        """Answer the same, once it is known what stands in it."""
        place = self.place(kind, flavour)
        if place.state is None:
            place.state = list(self._look(place))
        return place

    def drop(self, kind: str, flavour: str) -> None:
        """Have the next caller get a new bucket."""
        assert kind not in KEPT, "nobody could make it again"
        del self._places[kind, flavour]

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Leave no buckets behind that something went wrong with."""
        try:
            yield
        except BaseException:
            for kind, flavour in list(self._places):
                if kind not in KEPT:
                    self.drop(kind, flavour)
            raise

    def _make(self, kind: str, flavour: str) -> Place:
        name = f"matrix-{next(self._numbers):04d}-{flavour}"
        twin = self._twins.get((kind, flavour))
        if twin is None:
            twin = self._twins[kind, flavour] = f"{name}-twin"
            self._create(kind, flavour, twin)
            self._give_policy(kind, twin)
        prefix = "else/" if kind == "elsewhere" else "team/"
        words = {
            "bucket": name,
            "prefix": prefix,
            **{word: prefix + word for word in ("key", "tagged", "new", "missing", "locked")},
            "owner": self.people[OWNERS[kind]]["id"],
            "tagging": TAGGING,
            "policy": self._policy(kind, name, "Again") or self._policy("shared", name),
        }
        self._create(kind, flavour, name)
        signer = self.signer(OWNERS[kind])
        for furniture in FURNITURE[flavour]:
            getattr(self, f"_furnish_{furniture}")(signer, name, words)
        self._give_policy(kind, name)
        return Place(name, twin, words)

    def _create(self, kind: str, flavour: str, bucket: str) -> None:
        signer = self.signer(OWNERS[kind])
        self._do(signer, bucket, "CreateBucket", **CREATION.get(flavour, {}))
        if flavour == "versions":
            enabled = {"Status": "Enabled"}
            self._do(signer, bucket, "PutBucketVersioning", VersioningConfiguration=enabled)

    def _furnish_configuration(self, signer: Signer, bucket: str, _words: dict[str, str]) -> None:
        self._do(signer, bucket, "PutBucketCors", CORSConfiguration=CORS)
        self._do(signer, bucket, "PutBucketTagging", Tagging=TAGS)
        rules = {"LifecycleConfiguration": LIFECYCLE}
        self._do(signer, bucket, "PutBucketLifecycleConfiguration", **rules)

    def _furnish_objects(self, signer: Signer, bucket: str, words: dict[str, str]) -> None:
        self._furnish_key(signer, bucket, words)
        tagged = {"Key": words["tagged"], "Body": b"two", "Tagging": "a=b"}
        words["tagged_etag"] = self._do(signer, bucket, "PutObject", **tagged).etag
        for folder in ("folder", "taken"):
            key = f"{words['prefix']}{folder}/a"
            self._do(signer, bucket, "PutObject", Key=key, Body=b"below")

    def _furnish_key(self, signer: Signer, bucket: str, words: dict[str, str]) -> None:
        one = {"Key": words["key"], "Body": b"one"}
        words["etag"] = self._do(signer, bucket, "PutObject", **one).etag

    def _furnish_locked(self, signer: Signer, bucket: str, words: dict[str, str]) -> None:
        one = {"Key": words["locked"], "Body": b"locked", "ObjectLockMode": "GOVERNANCE"}
        until = datetime(2099, 1, 1, tzinfo=UTC)
        put = self._do(signer, bucket, "PutObject", **one, ObjectLockRetainUntilDate=until)
        words["locked_version"] = put.headers["x-amz-version-id"]
        off = {"Key": words["locked"], "LegalHold": {"Status": "OFF"}}
        self._do(signer, bucket, "PutObjectLegalHold", **off)

    def _furnish_upload(self, signer: Signer, bucket: str, words: dict[str, str]) -> None:
        key = words["key"]
        begun = self._do(signer, bucket, "CreateMultipartUpload", Key=key)
        words["upload"] = begun.text("UploadId")
        part = {"Key": key, "UploadId": words["upload"], "PartNumber": 1}
        words["part_etag"] = self._do(signer, bucket, "UploadPart", **part, Body=b"part").etag

    def _give_policy(self, kind: str, bucket: str) -> None:
        policy = self._policy(kind, bucket)
        if policy:
            self._do(self.signer(OWNERS[kind]), bucket, "PutBucketPolicy", Policy=policy)

    def _policy(self, kind: str, bucket: str, sid: str = "First") -> str:
        """Write the policy that a bucket of a kind has."""
        arn = f"arn:aws:s3:::{bucket}"
        actions = {
            arn: "ListBucket GetBucketLocation GetBucketPolicy",
            f"{arn}/*": "PutObject PutObjectTagging AbortMultipartUpload ListMultipartUploadParts",
        }
        invited, banned = (self.people[name]["arn"] for name in ("invited", "banned"))
        invitation = [
            people.says(
                [f"s3:{action}" for action in named.split()],
                resource,
                Principal={"AWS": invited},
            )
            for resource, named in actions.items()
        ]
        ban = people.says(["s3:*"], effect="Deny", Principal={"AWS": banned})
        ban["Resource"] = list(actions)
        statements = {"nobody's": [], "banned": [ban]}.get(kind, invitation)
        for number, statement in enumerate(statements):
            statement["Sid"] = f"{sid}{number}"
        return people.policy(*statements) if statements else ""

    def _do(self, signer: Signer, bucket: str, operation: str, **params: Any) -> Reply:
        reply = self.line.signed(signer, write(operation, {"Bucket": bucket, **params}))
        assert reply.status < 300, (operation, reply)
        return reply

    # --- what stands in them ---

    def _look(self, place: Place) -> Iterator[tuple[int, bytes]]:
        """Read all of a bucket that can be read, as a SuperUser whom nothing is denied."""
        words, path = place.words, f"/{place.name}"
        targets = [f"{path}?{aside}" for aside in OF_BUCKET]
        if "etag" in words:
            targets += [f"{path}/{words['key']}?{aside}" for aside in ("acl", "tagging")]
        if "tagged_etag" in words:
            targets.append(f"{path}/{words['tagged']}?tagging")
        if "locked_version" in words:
            targets += [
                f"{path}/{words['locked']}?{aside}" for aside in ("retention", "legal-hold")
            ]
        if "upload" in words:
            targets.append(f"{path}/{words['key']}?uploadId={words['upload']}")
        for target in targets:
            reply = self.ask_as_root("GET", target)
            yield reply.status, PASSING.sub(b"", reply.body)

    def has_changed(self, kind: str, flavour: str) -> bool:
        """Whether a watched bucket is another than it was, or is gone."""
        place = self.place(kind, flavour)
        assert place.state is not None, "somebody looked at it before"
        return any(was != now for was, now in zip(place.state, self._look(place), strict=True))

    def there_is(self, bucket: str) -> bool:
        """Whether a bucket exists."""
        return self.ask_as_root("HEAD", f"/{bucket}").status == 200

    def ask_as_root(self, method: str, target: str) -> Reply:
        """Ask for something as the root user."""
        return self.line.signed(self.root, Sent(method, target, {}, b""))

    # --- asking ---

    def signer(self, name: str) -> Signer:
        """Answer who signs for a caller."""
        return Signer(*self.people[name]["key"])

    def fresh_words(self, place: Place) -> dict[str, str]:
        """Answer a place's words, with the name of a bucket that is not there."""
        return place.words | {"fresh": f"matrix-{next(self._numbers):04d}-made"}

    def ask(self, caller: Caller, row: Row, words: Mapping[str, str], *, by_link: bool) -> Reply:
        """Send a row's request as a caller, signed in its headers or in a presigned URL."""
        params = fill({"Bucket": "{bucket}", **row.params}, words)
        if row.operation == "ListBuckets":
            del params["Bucket"]
        name = ALIASES.get(caller.name, caller.name)
        if row.operation == "PostObject":
            signer = self.signer(name) if caller.signs else None
            sent = write_post(signer, params, is_over=caller.is_link_over)
            return self.line.unsigned(sent)
        sent = write(row.operation, params)
        if not caller.signs:
            return self.line.unsigned(sent)
        if by_link:
            return self.line.linked(self.signer(name), sent, is_over=caller.is_link_over)
        return self.line.signed(self.signer(name), sent)


# Callers who are somebody else with another key, or in another place.
ALIASES: Final = {"outside": "member", "late": "writer"}
