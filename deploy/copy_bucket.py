"""Copies a bucket with all its versions, and what is set on it, from one S3 store into another.

A program of its own that needs boto3 alone: `python copy_bucket.py photos --source minio
--target s4`, where both are profiles of AWS's configuration, with endpoint_url. Versions are put in
the order they were made in, so that the newest stays the newest; delete markers are made again;
parts are cut where they were, so that ETags stay. Ids and times of versions are the target's own.

It may be stopped and run again: what is there is compared and not sent twice, and what came to the
source since is added. A key that has other versions in the target is named and left alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import xml.etree.ElementTree as ET
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import groupby, takewhile
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote_plus, urlencode

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MEMORY_BYTES: Final = 64 * 1024 * 1024
OK: Final = 200
CHUNK_BYTES: Final = 1024 * 1024
KEPT_HEADERS: Final = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation"),
)
NONE_SET: Final = {
    "MethodNotAllowed",
    "NotImplemented",
    "ServerSideEncryptionConfigurationNotFoundError",
}
# How each is read, what of the answer is handed on and what is around it. The last is set when all
# is copied: its rules act on that.
SETTINGS: Final = (
    ("bucket_tagging", "TagSet", "Tagging"),
    ("bucket_cors", "CORSRules", "CORSConfiguration"),
    ("bucket_ownership_controls", "OwnershipControls", ""),
    ("public_access_block", "PublicAccessBlockConfiguration", ""),
    ("bucket_policy", "Policy", ""),
    ("object_lock_configuration", "ObjectLockConfiguration", ""),
    ("bucket_lifecycle_configuration", "Rules", "LifecycleConfiguration"),
)
NOT_COPIED: Final = (
    ("bucket_encryption", "ServerSideEncryptionConfiguration"),
    ("bucket_replication", "ReplicationConfiguration"),
    ("bucket_website", "IndexDocument"),
    ("bucket_notification_configuration", "QueueConfigurations"),
)


class Side(NamedTuple):
    """A bucket and the client that reaches it."""

    s3: Any
    bucket: str

    def setting(self, name: str, field: str) -> Any:
        """Read something that may be set on the bucket; None where it is not."""
        try:
            return getattr(self.s3, f"get_{name}")(Bucket=self.bucket).get(field)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            is_unset = code in NONE_SET or code.startswith("NoSuch") or "NotFound" in code
            if is_unset and code != "NoSuchBucket":
                return None
            raise


class Version(NamedTuple):
    """A version as it is listed; a delete marker has no ETag."""

    key: str
    version_id: str
    etag: str


def profile_client(profile: str) -> Any:
    """Reach a store as a profile says."""
    style = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    s3 = boto3.Session(profile_name=profile).client("s3", config=style)
    # SDKs sort versions and markers apart; in which order they were made only the document tells.
    s3.meta.events.register("before-parse.s3.ListObjectVersions", keep_order)
    return s3


def keep_order(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Read versions and markers in the order of the document, the newest of a key first."""
    if response_dict["status_code"] != OK:
        return
    document = ET.fromstring(response_dict["body"])  # noqa: S314  # by the store that is trusted with all
    space = document.tag.partition("}")[0] + "}"
    is_encoded = document.findtext(f"{space}EncodingType") == "url"
    listed = []
    for row in document:
        if row.tag in {f"{space}Version", f"{space}DeleteMarker"}:
            key = row.findtext(f"{space}Key", "")
            listed.append(
                Version(
                    unquote_plus(key) if is_encoded else key,
                    row.findtext(f"{space}VersionId", "null"),
                    row.findtext(f"{space}ETag", "").strip('"'),
                )
            )
    customized_response_dict["Listed"] = listed


def versions(side: Side, prefix: str) -> Iterator[tuple[str, list[Version]]]:
    """Give each key with its versions, the oldest first."""
    pager = side.s3.get_paginator("list_object_versions")
    pages = pager.paginate(Bucket=side.bucket, Prefix=prefix)
    found = (version for page in pages for version in page["Listed"])
    for key, same in groupby(found, key=lambda version: version.key):
        yield key, list(same)[::-1]


def copy_version(source: Side, target: Side, version: Version) -> None:
    """Put one version, with its headers, metadata, tags and lock, or make a delete marker."""
    where = {"Bucket": target.bucket, "Key": version.key}
    if not version.etag:
        target.s3.delete_object(**where)
        return
    which = {"Bucket": source.bucket, "Key": version.key, "VersionId": version.version_id}
    head = source.s3.head_object(**which)
    asked = {name: head[name] for name in KEPT_HEADERS if name in head} | lock(head)
    if tags := source.s3.get_object_tagging(**which)["TagSet"]:
        asked["Tagging"] = urlencode({tag["Key"]: tag["Value"] for tag in tags})
    parts = int(version.etag.partition("-")[2] or 0)
    if not parts:
        with fetched(source, which) as body:
            target.s3.put_object(**where, Body=body, **asked)
        return
    upload = where | {"UploadId": target.s3.create_multipart_upload(**where, **asked)["UploadId"]}
    with ExitStack() as otherwise:
        otherwise.callback(target.s3.abort_multipart_upload, **upload)
        done = [copy_part(source, target, which, upload, n) for n in range(1, parts + 1)]
        target.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        otherwise.pop_all()


def copy_part(
    source: Side, target: Side, which: dict[str, str], upload: dict[str, str], number: int
) -> dict[str, Any]:
    """Put one part of the source as the same part of an upload."""
    with fetched(source, which | {"PartNumber": number}) as body:
        etag = target.s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def fetched(source: Side, which: dict[str, Any]) -> IO[bytes]:
    """Read a body to where it can be read again, in memory or, beyond a size, in a file."""
    kept = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  # the caller closes it
    with closing(source.s3.get_object(**which)["Body"]) as body:
        for chunk in body.iter_chunks(CHUNK_BYTES):
            kept.write(chunk)
    kept.seek(0)
    return kept


def lock(head: dict[str, Any]) -> dict[str, Any]:
    """Say how a version is locked, as far as that still binds."""
    asked = {}
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        asked["ObjectLockLegalHoldStatus"] = "ON"
    until = head.get("ObjectLockRetainUntilDate")
    if until and until > datetime.now(UTC):
        asked |= {"ObjectLockMode": head["ObjectLockMode"], "ObjectLockRetainUntilDate": until}
    return asked


def prepare(source: Side, target: Side) -> str:
    """Make the target where it is not there; say how the source keeps versions, if it does."""
    status = source.setting("bucket_versioning", "Status") or ""
    is_locked = source.setting("object_lock_configuration", "ObjectLockConfiguration") is not None
    try:
        target.s3.head_bucket(Bucket=target.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        target.s3.create_bucket(Bucket=target.bucket, ObjectLockEnabledForBucket=is_locked)
    if status and not is_locked:
        set_versioning(target, "Enabled")
    return status


def set_versioning(target: Side, status: str) -> None:
    """Have a bucket keep versions, or keep no more of them."""
    target.s3.put_bucket_versioning(
        Bucket=target.bucket, VersioningConfiguration={"Status": status}
    )


def copy_objects(source: Side, target: Side, prefix: str, *, keeps_versions: bool) -> Iterator[str]:
    """Copy what is not there yet; give a line for each key that cannot be."""
    sent = same = 0
    for key, there in versions(source, prefix):
        listed = takewhile(lambda row, key=key: row[0] == key, versions(target, key))
        here = [version.etag for _, found in listed for version in found]
        etags = [version.etag for version in there]
        if keeps_versions and here != etags[: len(here)]:
            yield f"{key}: has other versions in the target"
            continue
        missing = there[len(here) :] if keeps_versions else [v for v in there if [v.etag] != here]
        for version in missing:
            try:
                copy_version(source, target, version)
            except ClientError as error:
                yield f"{key} ({version.version_id}): {error}"
                break
        sent, same = sent + len(missing), same + len(there) - len(missing)
    print(f"{sent} versions sent, {same} were there")


def copy_settings(source: Side, target: Side) -> Iterator[str]:
    """Set what is set on the source; give a line for each thing that cannot be."""
    for name, field, around in SETTINGS:
        value = source.setting(name, field)
        if value is None:
            continue
        asked = {around: {field: value}} if around else {field: value}
        try:
            getattr(target.s3, f"put_{name}")(Bucket=target.bucket, **asked)
        except ClientError as error:
            yield f"{name}: {error}"
    for name, field in NOT_COPIED:
        if source.setting(name, field):
            yield f"{name}: is set on the source and was not copied"


def main() -> None:
    """Read the command line; exit code 1 when something could not be copied."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bucket")
    parser.add_argument("--source", required=True, help="profile of the store to read")
    parser.add_argument("--target", required=True, help="profile of the store to write")
    parser.add_argument("--as", dest="name", default="", help="another name in the target")
    parser.add_argument("--prefix", default="", help="only keys that begin with it")
    parser.add_argument("--no-settings", action="store_true", help="objects alone")
    options = parser.parse_args()
    try:
        trouble = copy(options)
    except (BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    for line in trouble:
        print(line, file=sys.stderr)
    sys.exit(bool(trouble))


def copy(options: argparse.Namespace) -> list[str]:
    """Copy as the command line says; tell what could not be copied."""
    source = Side(profile_client(options.source), options.bucket)
    target = Side(profile_client(options.target), options.name or options.bucket)
    status = prepare(source, target)
    trouble = list(copy_objects(source, target, options.prefix, keeps_versions=bool(status)))
    if status == "Suspended":
        set_versioning(target, status)
    if not options.no_settings:
        trouble += copy_settings(source, target)
    return trouble


if __name__ == "__main__":
    main()
