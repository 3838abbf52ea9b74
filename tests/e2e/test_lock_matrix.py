"""Every request that changes something, against every lock: what must stay, stays byte for byte.

One object for each path and each lock, in buckets that keep versions: as a version of its own id,
or as the null version that was put before. What a path may do follows from the lock alone; a
handler without a row fails. The short form tries half of the pairs, the long one all.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from botocore.exceptions import ClientError

from s3api.operations.registry import HANDLERS
from s3api.operations.unconfigured import UNCONFIGURED
from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.processes import wait_until
from tests.e2e.test_rest import call, log_in
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

LONG: Final = bool(os.environ.get("S4_TEST_LONG"))
SETTINGS: Final = {"lifecycle_day_seconds": "1"}
SOON_SECONDS: Final = 4  # a retention of so long is over once the stage is set
PROTECTED: Final = "Access Denied because object protected by object lock."
LOCKED: Final = (403, "AccessDenied", PROTECTED)
GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"


class State(NamedTuple):
    """What is laid on a version: a mode until late or soon, a hold, or what its bucket gives."""

    mode: str = ""
    is_late: bool = True
    has_hold: bool = False
    is_default: bool = False

    def is_bound(self, *, bypass: bool) -> bool:
        """Tell whether nothing may take the version away."""
        is_retained = bool(self.mode) and self.is_late
        return self.has_hold or (is_retained and not (bypass and self.mode == GOVERNANCE))


STATES: Final = {
    "free": State(),
    "governance": State(GOVERNANCE),
    "governance-over": State(GOVERNANCE, is_late=False),
    "compliance": State(COMPLIANCE),
    "compliance-over": State(COMPLIANCE, is_late=False),
    "hold": State(has_hold=True),
    "hold-governance": State(GOVERNANCE, has_hold=True),
    "hold-compliance-over": State(COMPLIANCE, is_late=False, has_hold=True),
    "default-governance": State(GOVERNANCE, is_default=True),
    "default-compliance": State(COMPLIANCE, is_default=True),
}
PLACES: Final = ("own", "null")  # a version of its own id; the null version from before


@dataclass
class Cell:
    """One version, which one path is tried on."""

    bucket: str
    key: str
    state: State
    place: str
    version_id: str = ""

    @property
    def body(self) -> bytes:
        """Return its bytes: some lie in the index, some in a volume."""
        return self.key.encode() * (1 + 100 * (len(self.key) % 2))

    @property
    def name(self) -> dict[str, Any]:
        """Name the key."""
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def version(self) -> dict[str, Any]:
        """Name the version."""
        return self.name | {"VersionId": self.version_id}


@dataclass
class Stage:
    """The server, root, who may all, and a keeper, who may all but go past governance."""

    server: Server
    root: BaseClient
    keeper: BaseClient
    until: datetime
    cells: dict[tuple[str, str, str], Cell]

    def stays(self, cell: Cell) -> bool:
        """Tell whether the version is there, under its name, byte for byte."""
        try:
            return bool(self.root.get_object(**cell.version)["Body"].read() == cell.body)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchVersion", "NoSuchKey"}:
                raise
            return False

    def lock(self, cell: Cell) -> tuple[Any, ...]:
        """Read what is laid on it."""
        head = self.root.head_object(**cell.version)
        names = "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"
        return tuple(map(head.get, names))


# --- paths --------------------------------------------------------------------------------------


def put(stage: Stage, cell: Cell) -> object:
    """Put another version."""
    return stage.root.put_object(**cell.name, Body=b"over")


def put_locked(stage: Stage, cell: Cell) -> object:
    """Put another version that is locked."""
    hold = {"ObjectLockLegalHoldStatus": "ON"}
    return stage.root.put_object(**cell.name, Body=b"over", **hold)


def copy(stage: Stage, cell: Cell) -> object:
    """Copy something over it."""
    source = cell.name | {"Key": "source"}
    stage.root.put_object(**source, Body=b"source")
    return stage.root.copy_object(**cell.name, CopySource=source)


def copy_onto_itself(stage: Stage, cell: Cell) -> object:
    """Copy it onto its own key, as who changes metadata does."""
    return stage.root.copy_object(
        **cell.name, CopySource=cell.version, MetadataDirective="REPLACE", Metadata={"a": "b"}
    )


def begin(stage: Stage, cell: Cell) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Begin an upload of its key, with one part sent and one copied."""
    upload_id = stage.root.create_multipart_upload(**cell.name)["UploadId"]
    place = cell.name | {"UploadId": upload_id}
    copied = stage.root.upload_part_copy(**place, PartNumber=2, CopySource=cell.version)
    part = stage.root.upload_part(**place, PartNumber=1, Body=b"part")
    assert copied["CopyPartResult"]["ETag"]
    return place, [{"PartNumber": 1, "ETag": part["ETag"]}]


def complete(stage: Stage, cell: Cell) -> object:
    """Complete an upload over it."""
    place, parts = begin(stage, cell)
    return stage.root.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})


def abort(stage: Stage, cell: Cell) -> object:
    """Abort an upload of its key."""
    return stage.root.abort_multipart_upload(**begin(stage, cell)[0])


def form(stage: Stage, cell: Cell) -> None:
    """Send a browser's form for its key."""
    fields = presigned(stage.root, cell.bucket, cell.key, Content_MD5="sjE8OEZFSDFT8hnHyvDKtg==")
    body = write_form(fields, Upload(b"form of a browser"))
    assert post(stage.server, f"/{cell.bucket}", body).status in {204, 400}


def delete(stage: Stage, cell: Cell) -> object:
    """Delete its key, which leaves a marker."""
    told = stage.root.delete_object(**cell.name)
    assert told["DeleteMarker"]
    return told


def delete_version(stage: Stage, cell: Cell) -> object:
    """Delete it for good."""
    return stage.root.delete_object(**cell.version)


def delete_version_past(stage: Stage, cell: Cell) -> object:
    """Delete it for good, past governance."""
    return stage.root.delete_object(**cell.version, BypassGovernanceRetention=True)


def delete_version_past_denied(stage: Stage, cell: Cell) -> object:
    """Ask for that without the right to."""
    return stage.keeper.delete_object(**cell.version, BypassGovernanceRetention=True)


def many(client: BaseClient, entry: dict[str, Any], cell: Cell, **options: Any) -> None:
    """Delete an entry among others; raise what it was refused with."""
    objects = [{"Key": "none"}, entry, {"Key": "nor this"}]
    told = client.delete_objects(Bucket=cell.bucket, Delete={"Objects": objects}, **options)
    for error in told.get("Errors", []):
        if error["Key"] == entry["Key"]:
            response = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(response, "DeleteObjects")  # type: ignore[arg-type]  # of one entry


def delete_many(stage: Stage, cell: Cell) -> None:
    """Delete its key, among others."""
    many(stage.root, {"Key": cell.key}, cell)


def delete_many_versions(stage: Stage, cell: Cell) -> None:
    """Delete it for good, among others."""
    many(stage.root, {"Key": cell.key, "VersionId": cell.version_id}, cell)


def delete_many_versions_past(stage: Stage, cell: Cell) -> None:
    """Delete it for good, among others, past governance."""
    entry = {"Key": cell.key, "VersionId": cell.version_id}
    many(stage.root, entry, cell, BypassGovernanceRetention=True)


def delete_many_versions_past_denied(stage: Stage, cell: Cell) -> None:
    """Ask for that without the right to."""
    entry = {"Key": cell.key, "VersionId": cell.version_id}
    many(stage.keeper, entry, cell, BypassGovernanceRetention=True)


def rename(stage: Stage, source: str, target: str, cell: Cell, **headers: str) -> None:
    """Rename; raise what it was refused with."""
    sent = {"x-amz-rename-source": path_of(cell.bucket, source), **headers}
    reply = stage.server.caller.ask(
        "PUT", path_of(cell.bucket, target) + "?renameObject", b"", sent
    )
    if reply.status != 200:
        error = {"Code": reply.code, "Message": reply.text("Message")}
        response = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": reply.status}}
        raise ClientError(response, "RenameObject")  # type: ignore[arg-type]  # boto3 has none


def rename_away(stage: Stage, cell: Cell) -> None:
    """Give its key another name."""
    rename(stage, cell.key, f"{cell.key}-new", cell)


def rename_over(stage: Stage, cell: Cell) -> None:
    """Give another object its name."""
    stage.root.put_object(Bucket=cell.bucket, Key="other", Body=b"other")
    rename(stage, "other", cell.key, cell, **{"if-match": "*"})


def rename_prefix_away(stage: Stage, cell: Cell) -> None:
    """Give what is above its key another name."""
    folder = cell.key.rpartition("/")[0]
    rename(stage, f"{folder}/", f"{folder}-new/", cell)


def end_retention(stage: Stage, cell: Cell) -> None:
    """Take its retention off, then delete it."""
    stage.root.put_object_retention(**cell.version, Retention={})
    delete_version(stage, cell)


def end_retention_past(stage: Stage, cell: Cell) -> None:
    """Take its retention off past governance, then delete it."""
    stage.root.put_object_retention(**cell.version, Retention={}, BypassGovernanceRetention=True)
    delete_version(stage, cell)


def shorten(stage: Stage, cell: Cell) -> None:
    """Have its retention end in a moment, then delete it."""
    until = datetime.now(UTC) + timedelta(seconds=1)
    mode = cell.state.mode or GOVERNANCE
    retention = {"Mode": mode, "RetainUntilDate": until}
    stage.root.put_object_retention(**cell.version, Retention=retention)
    wait_until(lambda: datetime.now(UTC) > until, "the retention's end", 5)
    delete_version(stage, cell)


def tag(stage: Stage, cell: Cell) -> None:
    """Change what is not locked: tags."""
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    stage.root.put_object_tagging(**cell.version, Tagging=tags)
    stage.root.delete_object_tagging(**cell.version)


def suspend(stage: Stage, cell: Cell) -> object:
    """Have the bucket keep no more versions."""
    suspended = {"Status": "Suspended"}
    return stage.root.put_bucket_versioning(Bucket=cell.bucket, VersioningConfiguration=suspended)


def delete_bucket(stage: Stage, cell: Cell) -> object:
    """Delete the bucket."""
    return stage.root.delete_bucket(Bucket=cell.bucket)


def default_off(stage: Stage, cell: Cell) -> object:
    """Have the bucket retain nothing more by itself, and again what it did."""
    kept = stage.root.get_object_lock_configuration(Bucket=cell.bucket)["ObjectLockConfiguration"]
    off = {"ObjectLockEnabled": "Enabled"}
    stage.root.put_object_lock_configuration(Bucket=cell.bucket, ObjectLockConfiguration=off)
    return stage.root.put_object_lock_configuration(
        Bucket=cell.bucket, ObjectLockConfiguration=kept
    )


class Row(NamedTuple):
    """A path, the operations it goes through, and whether it would take the version away."""

    go: Callable[[Stage, Cell], object]
    operations: str
    takes: bool = False
    bypass: bool = False
    relocks: bool = False  # it may change a retention that does not bind, beside a hold
    refusal: tuple[int, str] | None = None  # what it is refused with, whatever the lock


DENIED: Final = (403, "AccessDenied")
NO_STATE: Final = (409, "InvalidBucketState")
NOT_EMPTY: Final = (409, "BucketNotEmpty")
ROWS: Final = {
    "put": Row(put, "PutObject"),
    "put-locked": Row(put_locked, "PutObject"),
    "copy": Row(copy, "CopyObject"),
    "copy-onto-itself": Row(copy_onto_itself, "CopyObject"),
    "complete": Row(
        complete, "CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload"
    ),
    "abort": Row(abort, "AbortMultipartUpload"),
    "form": Row(form, "PostObject"),
    "delete": Row(delete, "DeleteObject"),
    "version": Row(delete_version, "DeleteObject", takes=True),
    "version-past": Row(delete_version_past, "DeleteObject", takes=True, bypass=True),
    "version-past-denied": Row(delete_version_past_denied, "DeleteObject", refusal=DENIED),
    "many": Row(delete_many, "DeleteObjects"),
    "many-versions": Row(delete_many_versions, "DeleteObjects", takes=True),
    "many-versions-past": Row(delete_many_versions_past, "DeleteObjects", takes=True, bypass=True),
    "many-versions-past-denied": Row(
        delete_many_versions_past_denied, "DeleteObjects", refusal=DENIED
    ),
    "rename-away": Row(rename_away, "RenameObject", takes=True),
    "rename-over": Row(rename_over, "RenameObject", takes=True),
    "rename-prefix": Row(rename_prefix_away, "RenameObject", takes=True),
    "end-retention": Row(end_retention, "PutObjectRetention", takes=True, relocks=True),
    "end-retention-past": Row(
        end_retention_past, "PutObjectRetention", takes=True, bypass=True, relocks=True
    ),
    "shorten": Row(shorten, "PutObjectRetention", takes=True, relocks=True),
    "tag": Row(tag, "PutObjectTagging DeleteObjectTagging"),
    "suspend": Row(suspend, "PutBucketVersioning", refusal=NO_STATE),
    "delete-bucket": Row(delete_bucket, "DeleteBucket", refusal=NOT_EMPTY),
    "default-off": Row(default_off, "PutObjectLockConfiguration"),
}
HARMLESS: Final = (  # of buckets, and of what is not the version's content, name or life
    *("CreateBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketTagging"),
    *("DeleteBucketTagging", "PutBucketCors", "DeleteBucketCors", "PutBucketAcl", "PutObjectAcl"),
    *("PutBucketOwnershipControls", "DeleteBucketOwnershipControls", "PutPublicAccessBlock"),
    *("DeletePublicAccessBlock", "PutBucketRequestPayment", "OptionsObject"),
)
ELSEWHERE: Final = (  # with a test of their own below, or in test_object_lock
    *("PutBucketLifecycleConfiguration", "DeleteBucketLifecycle", "PutObjectLegalHold"),
)


def test_every_handler_has_a_row() -> None:
    """An operation that is new is tried, or named as one that touches no version."""
    changes = {name for name in HANDLERS if not name.startswith(("Get", "Head", "List"))}
    tried = {name for row in ROWS.values() for name in row.operations.split()}
    assert changes - UNCONFIGURED.keys() == tried | {*HARMLESS, *ELSEWHERE}


# --- the stage ----------------------------------------------------------------------------------


def pairs() -> list[tuple[str, str, str]]:
    """List the cells to be tried: in the short form half of them, each lock beside each path's."""
    found = []
    for number, path in enumerate(ROWS):
        for turn, (name, state) in enumerate(STATES.items()):
            places = PLACES[:1] if state.is_default else PLACES  # null versions were before it
            if not LONG:
                at = number + turn
                places = places[at // 2 % len(places) :][:1] if at % 2 else ()
            found += [(path, name, place) for place in places]
    return found


def _buckets(root: BaseClient) -> dict[str, str]:
    """Make a bucket for each default, and one that is only about to keep versions."""
    names = {"own": "lock-own", "null": "lock-null", GOVERNANCE: "lock-gov", COMPLIANCE: "lock-com"}
    for kind, name in names.items():
        root.create_bucket(Bucket=name, ObjectLockEnabledForBucket=kind != "null")
        if kind in {GOVERNANCE, COMPLIANCE}:
            rule = {"DefaultRetention": {"Mode": kind, "Days": 1}}
            root.put_object_lock_configuration(
                Bucket=name,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )
    return names


def _lay(root: BaseClient, cell: Cell, late: datetime, soon: datetime) -> None:
    """Lay on a version what its bucket did not."""
    state = cell.state
    if state.mode and not state.is_default:
        until = late if state.is_late else soon
        retention = {"Mode": state.mode, "RetainUntilDate": until}
        root.put_object_retention(**cell.version, Retention=retention)
    if state.has_hold:
        root.put_object_legal_hold(**cell.version, LegalHold={"Status": "ON"})


@pytest.fixture(scope="module")
def stage(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Make all cells, then wait until the short retentions are over."""
    root = server.client()
    buckets = _buckets(root)
    cells = {}
    for path, name, place in pairs():
        state = STATES[name]
        bucket = buckets[state.mode if state.is_default else place]
        cells[path, name, place] = Cell(bucket, f"{path}/{name}/k", state, place)
    for cell in cells.values():
        cell.version_id = root.put_object(**cell.name, Body=cell.body).get("VersionId", "null")
    root.put_bucket_versioning(
        Bucket=buckets["null"], VersioningConfiguration={"Status": "Enabled"}
    )
    on = {"ObjectLockEnabled": "Enabled"}
    root.put_object_lock_configuration(Bucket=buckets["null"], ObjectLockConfiguration=on)
    now = datetime.now(UTC).replace(microsecond=0)
    late, soon = now + timedelta(days=1), now + timedelta(seconds=SOON_SECONDS)
    for cell in sorted(cells.values(), key=lambda cell: cell.state.is_late):
        _lay(root, cell, late, soon)
    keeper = _keeper(server, tmp_path_factory.mktemp("policies"))
    wait_until(lambda: datetime.now(UTC) > soon, "the end of short retentions", 30)
    yield Stage(server, root, keeper, late, cells)
    root.close()
    keeper.close()


def _keeper(server: Server, folder: Path) -> BaseClient:
    """Make somebody who may do everything but go past governance."""
    says = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:BypassGovernanceRetention", "Resource": "*"},
    ]
    policy = folder / "keeper.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": says}), encoding="utf-8")
    server.manage_json("create_user", "keeper")
    server.manage_json("put_inline_policy", "keeper", str(policy), "--user", "keeper")
    key = server.manage_json("create_key", "keeper")
    return server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )


def refused(stage: Stage, row: Row, cell: Cell) -> tuple[int, str, str] | None:
    """Go a path; answer what it was refused with."""
    try:
        row.go(stage, cell)
    except ClientError as error:
        told = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, told["Code"], told.get("Message", "")
    return None


@pytest.mark.parametrize("path", ROWS)
def test_what_is_locked_stays(stage: Stage, path: str) -> None:
    """A path takes a version away or is refused, in S3's words, as the version's lock says."""
    row = ROWS[path]
    for (of, name, place), cell in stage.cells.items():
        if of != path:
            continue
        told = (path, name, place)
        lock = stage.lock(cell)
        error = refused(stage, row, cell)
        is_bound = row.takes and cell.state.is_bound(bypass=row.bypass)
        if row.refusal is not None:
            assert error is not None, told
            assert error[:2] == row.refusal, told
        else:
            assert error == (LOCKED if is_bound else None), told
        is_kept = is_bound or not row.takes or row.refusal is not None
        assert stage.stays(cell) == is_kept, told
        if is_kept and not (row.relocks and cell.state.has_hold):
            assert stage.lock(cell) == lock, told


# --- what acts on whole buckets -----------------------------------------------------------------


def made(stage: Stage, prefix: str, name: str) -> Cell:
    """Make a bucket with one version, and a newer one over it."""
    cell = Cell(f"{prefix}-{name}", "k", STATES[name], "own")
    stage.root.create_bucket(Bucket=cell.bucket, ObjectLockEnabledForBucket=True)
    cell.version_id = stage.root.put_object(**cell.name, Body=cell.body)["VersionId"]
    soon = datetime.now(UTC) + timedelta(seconds=1)
    _lay(stage.root, cell, stage.until, soon)
    return cell


ALONE: Final = [name for name, state in STATES.items() if not state.is_default]


def test_lifecycle_keeps_what_is_locked(stage: Stage) -> None:
    """Rules under which everything is due hide a locked version, and remove all others."""
    cells = [made(stage, "life", name) for name in ALONE]
    time.sleep(1.5)  # until the short retentions are over
    rule = {
        "ID": "r",
        "Status": "Enabled",
        "Filter": {},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    for cell in cells:
        stage.root.put_bucket_lifecycle_configuration(
            Bucket=cell.bucket, LifecycleConfiguration={"Rules": [rule]}
        )
    free = [cell for cell in cells if not cell.state.is_bound(bypass=False)]

    def is_done() -> bool:
        assert stage.server.manage("lifecycle").returncode == 0
        return not any(map(stage.stays, free))

    wait_until(is_done, "all that is due is gone", 60)
    assert [cell.bucket for cell in cells if stage.stays(cell)] == [
        cell.bucket for cell in cells if cell.state.is_bound(bypass=False)
    ]
    stage.server.verify()


@pytest.mark.parametrize("name", ALONE)
def test_a_bucket_is_not_emptied_of_what_is_locked(stage: Stage, name: str) -> None:
    """REST's deletion by force is refused as S3 refuses it; the console deletes no full bucket."""
    cell = made(stage, "force", name)
    if not cell.state.is_late:
        time.sleep(1.5)
    token = log_in(stage.server)
    told = call(stage.server, "DELETE", f"/admin/buckets/{cell.bucket}?force=true", token=token)
    if cell.state.is_bound(bypass=False):
        assert told.status == 403
        assert PROTECTED in json.dumps(told.body)
        assert stage.stays(cell)
    else:
        assert told.status == 204


@pytest.mark.parametrize("name", ALONE)
def test_rest_asks_the_same_locks(stage: Stage, name: str) -> None:
    """A retention is taken off over REST by whom S3 would let."""
    cell = made(stage, "rest", name)
    if not cell.state.is_late:
        time.sleep(1.5)
    token = log_in(stage.server)
    lock = stage.lock(cell)
    where = f"/admin/buckets/{cell.bucket}/retention?key=k&version_id={cell.version_id}"
    is_retained = State(cell.state.mode, cell.state.is_late).is_bound(bypass=False)
    told = call(stage.server, "DELETE", where, token=token)
    assert told.status == (403 if is_retained else 204), told.body
    if is_retained:
        assert PROTECTED in json.dumps(told.body)
        assert stage.lock(cell) == lock
    told = call(stage.server, "DELETE", f"{where}&bypass_governance=true", token=token)
    is_compliant = is_retained and cell.state.mode == COMPLIANCE
    assert told.status == (403 if is_compliant else 204), told.body
    assert stage.stays(cell)
