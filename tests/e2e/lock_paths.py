"""What the lock matrix tries over S3: versions under every lock, and every path to change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.processes import wait_until
from tests.e2e.wire import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.server import Server

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
    mode = cell.state.mode or GOVERNANCE
    for seconds in (1, 4, 16):
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        retention = {"Mode": mode, "RetainUntilDate": until}
        try:
            stage.root.put_object_retention(**cell.version, Retention=retention)
        except ClientError as error:  # it was over before the server was asked
            if error.response["Error"]["Code"] != "InvalidArgument" or seconds == 16:
                raise
        else:
            break
    wait_until(lambda: datetime.now(UTC) > until, "the retention's end")
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
