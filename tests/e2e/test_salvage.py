"""A store of which only the volumes are left: what was put over the network is served again."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from storage_engine import renew_engine
from tests.e2e.content import content
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

MIB = 1024**2
KEPT = {
    "ContentType": "text/x-salvage; charset=utf-8",
    "CacheControl": "max-age=60",
    "Metadata": {"who": "me", "what": "a thing"},
}
ANSWERED = (
    "ETag",
    "ContentLength",
    "ContentType",
    "CacheControl",
    "Metadata",
    "ChecksumType",
    "ChecksumCRC64NVME",
    "ChecksumSHA256",
    "ChecksumCRC32C",
)


def answered(s3: BaseClient, key: str) -> dict[str, Any]:
    """Read an object, and what is answered with it."""
    reply = s3.get_object(Bucket="salvage", Key=key, ChecksumMode="ENABLED")
    digest = hashlib.sha256(reply["Body"].read()).hexdigest()
    return {name: reply.get(name) for name in ANSWERED} | {"sha256": digest}


def put_in_parts(s3: BaseClient, key: str, **options: str) -> None:
    """Upload an object of two parts."""
    upload_id = s3.create_multipart_upload(Bucket="salvage", Key=key, **KEPT, **options)["UploadId"]
    place: dict[str, Any] = {"Bucket": "salvage", "Key": key, "UploadId": upload_id}
    parts = []
    for number, size in enumerate((5 * MIB, 12_345), 1):
        reply = s3.upload_part(
            **place,
            PartNumber=number,
            Body=content(f"{key} {number}", size),
            **{name: text for name, text in options.items() if name == "ChecksumAlgorithm"},
        )
        parts.append({"PartNumber": number, "ETag": reply["ETag"]})
        if "ChecksumAlgorithm" in options:  # else S3 lets no checksum be named
            parts[-1] |= {name: text for name, text in reply.items() if name.startswith("Checksum")}
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})


def test_what_was_put_is_served_again_from_the_volumes_alone(
    server: Server, s3: BaseClient
) -> None:
    """Bytes, headers, metadata, ETags and checksums are those that were answered before."""
    s3.create_bucket(Bucket="salvage")
    for key, size in (("small/é", 5000), ("medium", 100_000), ("large", 3 * MIB)):
        s3.put_object(Bucket="salvage", Key=key, Body=content(key, size), **KEPT)
    s3.put_object(
        Bucket="salvage", Key="sha", Body=content("sha", 9000), ChecksumAlgorithm="SHA256"
    )
    put_in_parts(s3, "parts/full")
    put_in_parts(s3, "parts/composite", ChecksumAlgorithm="SHA256")
    keys = ["large", "medium", "parts/composite", "parts/full", "sha", "small/é"]
    before = {key: answered(s3, key) for key in keys}
    server.stop()
    for name in ("index", "journal", "snapshots"):
        shutil.rmtree(server.data / name)
    with renew_engine(server.data) as engine:
        report = engine.salvage()
    assert (report.damages, report.objects, report.assembled) == (0, 6, 2)
    server.start()
    assert {key: answered(s3, key) for key in keys} == before
    listed = s3.list_objects_v2(Bucket="salvage")["Contents"]
    assert [entry["Key"] for entry in listed] == keys
    server.verify()
    s3.put_object(Bucket="salvage", Key="new", Body=content("new", 10_000))
    assert answered(s3, "new")["ContentLength"] == 10_000


def test_quotas_and_what_counts_for_them_are_there_again(server: Server, s3: BaseClient) -> None:
    """The start after a salvage gives the index the quotas of SQL, and counts for each owner."""
    s3.create_bucket(Bucket="bounded")
    s3.put_object(Bucket="bounded", Key="k", Body=content("bounded", 9000))
    paths, token = ("/admin/buckets/bounded/quota", "/admin/users/1/quota"), log_in(server)
    for path, bounds in zip(paths, ({"bytes": 10_000}, {"objects": 1000}), strict=True):
        assert call(server, "PUT", path, bounds, token).status == 204
    before = [call(server, "GET", path, token=token).body for path in paths]
    server.stop()
    for name in ("index", "journal", "snapshots"):
        shutil.rmtree(server.data / name)
    with renew_engine(server.data) as engine:
        engine.salvage()
    server.start()
    token = log_in(server)
    assert [call(server, "GET", path, token=token).body for path in paths] == before
    with pytest.raises(s3.exceptions.ClientError, match="QuotaExceeded"):
        s3.put_object(Bucket="bounded", Key="l", Body=b"x" * 1001)
    s3.put_object(Bucket="bounded", Key="l", Body=b"x" * 1000)
    server.verify()


def test_what_is_locked_stays_locked(server: Server, s3: BaseClient) -> None:
    """A locked version comes back behind what was put over it, and so does one of parts."""
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": retention}
    s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=lock)
    bodies = [content(f"locked {n}", 5000 + n) for n in range(2)]
    for body, hold in zip(bodies, ("ON", "OFF"), strict=True):
        s3.put_object(Bucket="locked", Key="k", Body=body, ObjectLockLegalHoldStatus=hold)
    upload_id = s3.create_multipart_upload(
        Bucket="locked", Key="parts", ObjectLockLegalHoldStatus="ON"
    )["UploadId"]
    place: dict[str, Any] = {"Bucket": "locked", "Key": "parts", "UploadId": upload_id}
    etag = s3.upload_part(**place, PartNumber=1, Body=content("part", 6000))["ETag"]
    s3.complete_multipart_upload(
        **place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    server.stop()
    for name in ("index", "journal", "snapshots"):
        shutil.rmtree(server.data / name)
    with renew_engine(server.data) as engine:
        assert engine.salvage().kept == 1
    server.start()
    versions = s3.list_object_versions(Bucket="locked")["Versions"]
    assert [version["Key"] for version in versions] == ["k", "k", "parts"]
    for version, hold in zip(versions, ("OFF", "ON", "ON"), strict=True):
        name = {"Bucket": "locked", "Key": version["Key"], "VersionId": version["VersionId"]}
        head = s3.head_object(**name)
        assert head["ObjectLockLegalHoldStatus"] == hold
        assert head["ObjectLockMode"] == "COMPLIANCE"
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.delete_object(**name, BypassGovernanceRetention=True)
    server.verify()
