"""What happens between two looks of one request: its answer is of one moment all the same.

What another worker does meanwhile is done in a thread, at the one place where it would matter.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import connections

from buckets import services as buckets
from buckets.configuration import Ownership
from iam.acl import ALL_USERS, Grant
from s3api.errors import S3Error
from storage_engine import ObjectAttributes, Versioning
from tests.e2e.signing import UNSIGNED
from tests.fuzz.world import EVERYWHERE, SUMS, Reply, World, living, md5

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.fixtures import SettingsWrapper

    from storage_engine import UploadInfo

FIRST, SECOND = b"f" * 9, b"s" * 8
# It speaks of some keys and not of others, so that each has to be asked for.
POLICY: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": [name.replace("versioned", "alpha") + "y" for name in EVERYWHERE[1:]],
        },
    }
)


@pytest.fixture
def world(settings: SettingsWrapper, tmp_path: Path, transactional_db: None) -> Iterator[World]:
    """Make a store with something in it, and its S3 side."""
    with living(settings, tmp_path) as made:
        yield made


def ask(world: World, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
    """Ask as the owner of nearly all; names of headers have underscores."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    lines |= {"host": "s4.test", "content-length": str(len(body))}
    signed = world.signers["owner"].sign(method, target, lines, UNSIGNED)
    items = [(name.encode(), value.encode()) for name, value in signed.headers.items()]
    reply = world.ask(method, target, items, [body])
    assert reply is not None
    return reply


def elsewhere(change: Callable[[], object]) -> None:
    """Have something done as another process would, and wait for it."""

    def work() -> None:
        change()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def before(place: Any, verb: str, change: Callable[[], object]) -> None:
    """Have something changed elsewhere just before a method is called for the first time."""
    method = getattr(place, verb)

    def late(*given: Any, **named: Any) -> Any:
        delattr(place, verb)
        elsewhere(change)
        return method(*given, **named)

    setattr(place, verb, late)


def after_threads(world: World, change: Callable[[], object]) -> None:
    """Have something changed elsewhere once a request comes back from its first thread."""
    store = world.app.store
    on_disk = store.on_disk

    async def late(function: Callable[..., Any], *given: Any) -> Any:
        del store.on_disk  # type: ignore[method-assign]  # the class has its own
        result = await on_disk(function, *given)
        elsewhere(change)
        return result

    store.on_disk = late  # type: ignore[method-assign]


def number(world: World, name: str) -> int:
    """Find the namespace of a bucket."""
    return next(bucket.id for bucket in world.buckets() if bucket.name == name)


def put(world: World, key: str, data: bytes) -> None:
    """Put an object that has no checksum."""
    attributes = ObjectAttributes(etag=md5(data), headers={}, owner=world.ids["owner"])
    blob, bucket_id = world.engine.stage_bytes(data), number(world, "alpha")
    world.engine.put_object(bucket_id, key, blob, attributes).result()


def test_a_copy_has_the_checksum_that_was_asked_for(world: World) -> None:
    """What is put in the source's place after it was looked at is not copied without one."""
    sha256 = base64.b64encode(hashlib.sha256(FIRST).digest()).decode()
    assert ask(world, "PUT", "/alpha/k", FIRST, x_amz_checksum_sha256=sha256).status == 200
    before(world.engine, "copy_object", lambda: put(world, "k", SECOND))
    wanted = {"x_amz_copy_source": "/alpha/k", "x_amz_checksum_algorithm": "SHA256"}
    reply = ask(world, "PUT", "/alpha/copied", **wanted)
    assert (reply.status, reply.code) == (409, "ConditionalRequestConflict")
    reply = ask(world, "PUT", "/alpha/copied", **wanted)
    assert base64.b64encode(hashlib.sha256(SECOND).digest()) in reply.body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_part_is_one_of_the_object_that_is_answered(
    world: World, method: str, is_replaced: bool
) -> None:
    """When another object comes in its place meanwhile it is that one's part, or there is none."""
    put_in_parts(world, "k", FIRST, FIRST)

    def change() -> None:
        if is_replaced:
            put_in_parts(world, "k", FIRST, SECOND)
        else:
            world.engine.delete_object(number(world, "alpha"), "k").result()

    before(world.engine, "object_parts", change)
    reply = ask(world, method, "/alpha/k?partNumber=2")
    if is_replaced:
        assert (reply.status, reply.headers["content-length"]) == (206, str(len(SECOND)))
        assert reply.body == (SECOND if method == "GET" else b"")
    else:
        assert (reply.status, reply.code) == (404, "NoSuchKey" if method == "GET" else "")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_may_not_list_is_not_told_that_an_object_went(world: World, method: str) -> None:
    """Whoever reads by the object's ACL alone is denied what is gone, also between two looks."""
    attributes = ObjectAttributes(
        etag="", headers={}, owner=world.ids["owner"], grants=(Grant(ALL_USERS, "READ"),)
    )
    buckets.configure_bucket(number(world, "beta"), grants=None)
    put_in_parts(world, "k", FIRST, FIRST, bucket="beta", attributes=attributes)
    gone = world.engine.delete_object
    before(world.engine, "object_parts", lambda: gone(number(world, "beta"), "k").result())
    for _ in range(2):
        reply = world.ask(method, "/beta/k?partNumber=2", [(b"host", b"s4.test")], [b""])
        assert reply is not None
        assert (reply.status, reply.code) == (403, "AccessDenied" if method == "GET" else "")


def put_in_parts(world: World, key: str, *parts: bytes, **of: Any) -> None:
    """Put an object of several parts, as `begin` has it."""
    upload = begin(world, key, *parts, **of)
    place = upload.bucket_id, upload.key, upload.upload_id
    kept = upload.attributes.with_digests(f"{md5(b''.join(parts))}-{len(parts)}", SUMS)
    world.engine.complete_upload(*place, world.engine.list_parts(*place).parts, kept).result()


# --- uploads ------------------------------------------------------------------------------------


def begin(
    world: World,
    key: str,
    *parts: bytes,
    bucket: str = "alpha",
    attributes: ObjectAttributes | None = None,
) -> UploadInfo:
    """Begin an upload, as no client could see that it was not begun by one."""
    kept = attributes or ObjectAttributes(etag="", headers={}, owner=world.ids["owner"])
    upload = world.engine.create_upload(number(world, bucket), key, kept).result()
    for part_number, data in enumerate(parts, 1):
        put_part(world, upload, part_number, data)
    return upload


def put_part(world: World, upload: UploadInfo, part_number: int, data: bytes) -> None:
    """Put a part."""
    place, blob = (upload.bucket_id, upload.key, upload.upload_id), world.engine.stage_bytes(data)
    world.engine.put_part(*place, part_number, blob, md5(data), SUMS).result()


def complete(world: World, upload: UploadInfo, *parts: bytes) -> Reply:
    """Ask for an upload to be completed with these as its first parts."""
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{md5(data)}</ETag></Part>"
        for number, data in enumerate(parts, 1)
    )
    body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    return ask(world, "POST", f"/alpha/{upload.key}?uploadId={upload.upload_id}", body)


def test_parts_are_listed_of_an_open_upload(world: World) -> None:
    """One that is completed with some of its parts meanwhile has none: not those some."""
    upload = begin(world, "k", FIRST, SECOND)
    before(world.engine, "list_parts", lambda: complete_first(world, upload))
    reply = ask(world, "GET", f"/alpha/k?uploadId={upload.upload_id}")
    assert (reply.status, reply.code) == (404, "NoSuchUpload")


@pytest.mark.parametrize(("parts", "answer"), [((FIRST,), 200), ((FIRST, SECOND), 404)])
def test_an_upload_is_completed_once(world: World, parts: tuple[bytes, ...], answer: int) -> None:
    """Who comes second, of two at once, is answered as one who comes later: by what he names."""
    upload = begin(world, "k", FIRST, SECOND)
    before(world.engine, "list_parts", lambda: complete_first(world, upload))
    reply = complete(world, upload, *parts)
    assert (reply.status, reply.code) == (answer, "" if answer == 200 else "NoSuchUpload")


def complete_first(world: World, upload: UploadInfo) -> None:
    """Complete an upload with its first part."""
    place = upload.bucket_id, upload.key, upload.upload_id
    parts = world.engine.list_parts(*place, limit=1).parts
    kept = upload.attributes.with_digests(f"{md5(b'')}-1", SUMS)
    world.engine.complete_upload(*place, parts, kept).result()


def test_a_part_that_comes_again_meanwhile_is_the_part(world: World) -> None:
    """A late retry of a part, with the very bytes that are named, does not undo a completion."""
    upload = begin(world, "k", FIRST)
    before(world.engine, "complete_upload", lambda: put_part(world, upload, 1, FIRST))
    assert complete(world, upload, FIRST).status == 200
    assert ask(world, "GET", "/alpha/k").body == FIRST


def test_a_part_that_is_replaced_meanwhile_is_not_the_part(world: World) -> None:
    """Of other bytes than those that are named no object is made."""
    upload = begin(world, "k", FIRST)
    before(world.engine, "complete_upload", lambda: put_part(world, upload, 1, SECOND))
    assert complete(world, upload, FIRST).code == "InvalidPart"
    assert complete(world, upload, SECOND).status == 200


# --- buckets ------------------------------------------------------------------------------------


def keep_versions(world: World) -> None:
    """Have the bucket keep versions from now on."""
    buckets.configure_bucket(number(world, "alpha"), versioning=Versioning.ENABLED)


def versions(world: World, key: str) -> list[bool]:
    """List a key's versions, the newest first: whether each is a delete marker."""
    found = world.engine.list_versions(number(world, "alpha"), prefix=key).versions
    return [info.is_marker for info in found if info.key == key]


def test_a_completed_upload_replaces_nothing_once_versions_are_kept(world: World) -> None:
    """What is there when a bucket begins to keep versions stays, also while parts are joined."""
    upload = begin(world, "plain", FIRST)
    after_threads(world, lambda: keep_versions(world))
    assert complete(world, upload, FIRST).status == 200
    assert versions(world, "plain") == [False, False]


def test_a_long_list_deletes_nothing_for_good_once_versions_are_kept(world: World) -> None:
    """What is there when a bucket begins to keep versions stays, also while policies are asked."""
    buckets.configure_bucket(number(world, "alpha"), policy=POLICY)
    after_threads(world, lambda: keep_versions(world))
    body = b"<Delete><Object><Key>plain</Key></Object></Delete>"
    sum_of = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    assert ask(world, "POST", "/alpha?delete", body, content_md5=sum_of).status == 200
    assert versions(world, "plain") == [True, False]


@pytest.mark.parametrize("is_disabled_last", [True, False])
def test_acls_are_not_disabled_where_one_is_set_meanwhile(
    world: World, is_disabled_last: bool
) -> None:
    """Of two settings that exclude each other the later is refused: both were set, unseen."""
    bucket_id, control = number(world, "beta"), world.app.store.control
    disabled = {"ownership": Ownership.BUCKET_OWNER_ENFORCED}
    public = {"grants": (Grant(ALL_USERS, "READ"),)}
    buckets.configure_bucket(bucket_id, grants=None)
    meanwhile: dict[str, Any] = public if is_disabled_last else disabled
    before(control, "configure_bucket", lambda: buckets.configure_bucket(bucket_id, **meanwhile))
    if is_disabled_last:
        rule = b"<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
        body = b"<OwnershipControls>%b</OwnershipControls>" % rule
        sum_of = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        reply = ask(world, "PUT", "/beta?ownershipControls", body, content_md5=sum_of)
        assert reply.code == "InvalidBucketAclWithObjectOwnership"
    else:
        reply = ask(world, "PUT", "/beta?acl", x_amz_acl="public-read")
        assert reply.code == "AccessControlListNotSupported"
    made = buckets.find_bucket("beta")
    assert (made.has_acls, made.grants is not None) == (is_disabled_last, is_disabled_last)


def test_a_bucket_that_is_anothers_by_now_is_not_made_again(world: World) -> None:
    """Who creates a bucket that he has, and loses it just then, is not told that it is his."""
    create = world.app.store.control.create_bucket

    def change() -> None:
        buckets.delete_bucket("beta")
        buckets.create_bucket("beta", world.ids["other"])

    def late(*given: Any) -> None:
        try:
            create(*given)
        except S3Error:
            elsewhere(change)
            raise

    world.app.store.control.create_bucket = late  # type: ignore[method-assign,assignment]
    assert ask(world, "PUT", "/beta").status == 409
