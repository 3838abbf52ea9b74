"""Lifecycle with a short day: rules that act, as clients see it, and what they are told before."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.processes import wait_until
from tests.e2e.test_rest import call, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

DAY_SECONDS = 2
SETTINGS = {"lifecycle_day_seconds": str(DAY_SECONDS), "signature_v2": "true"}
PATIENCE_SECONDS = 30
DAYS = {"Days": 1}
ALL = {"Prefix": ""}
_numbers = count(1)


def made(s3: BaseClient, *, versions: bool = False) -> str:
    """Make a bucket."""
    name = f"life-{next(_numbers):03d}"
    s3.create_bucket(Bucket=name)
    if versions:
        enabled = {"Status": "Enabled"}
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
    return name


def rule(name: str, **members: Any) -> dict[str, Any]:
    """Write a rule."""
    return {"ID": name, "Status": "Enabled", "Filter": ALL, **members}


def ruled(s3: BaseClient, bucket: str, *rules: dict[str, Any]) -> None:
    """Set a bucket's rules."""
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}
    )


def keys(s3: BaseClient, bucket: str) -> set[str]:
    """List the keys of a bucket."""
    return {row["Key"] for row in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}


def versions(s3: BaseClient, bucket: str) -> tuple[list[str], list[str]]:
    """List the keys of a bucket's versions, and of its delete markers."""
    page = s3.list_object_versions(Bucket=bucket)
    return (
        [row["Key"] for row in page.get("Versions", [])],
        [row["Key"] for row in page.get("DeleteMarkers", [])],
    )


def put(s3: BaseClient, bucket: str, *names: str, **members: Any) -> None:
    """Put an object at each of some keys."""
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, **{"Body": b"x", **members})


class Waiting:
    """What is to become of buckets, all of them at once."""

    def __init__(self) -> None:
        self.claims: list[tuple[str, Callable[[], bool]]] = []

    def until(self, what: str, claim: Callable[[], bool]) -> None:
        """Add a claim."""
        self.claims.append((what, claim))

    def hold(self) -> None:
        """Wait until all of them are so."""
        for what, claim in self.claims:
            wait_until(claim, what, PATIENCE_SECONDS)


def test_each_action_is_carried_out(server: Server, s3: BaseClient) -> None:
    """What rules ask for is done in time, by prefix, size, tag and date; all else stays."""
    waiting = Waiting()

    plain = made(s3)
    put(s3, plain, "old/a", "old/b", "keep/a")
    ruled(s3, plain, rule("plain", Filter={"Prefix": "old/"}, Expiration=DAYS))
    waiting.until("by prefix", lambda: keys(s3, plain) == {"keep/a"})

    dated = made(s3)
    put(s3, dated, "past/a", "future/a")
    past, future = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    ruled(
        s3,
        dated,
        rule("past", Filter={"Prefix": "past/"}, Expiration={"Date": past}),
        rule("future", Filter={"Prefix": "future/"}, Expiration={"Date": future}),
    )
    waiting.until("by date", lambda: keys(s3, dated) == {"future/a"})

    sized = made(s3)
    put(s3, sized, "small", Body=b"x" * 9)
    put(s3, sized, "middle", Body=b"x" * 10)
    put(s3, sized, "large", Body=b"x" * 70_000)
    ruled(
        s3,
        sized,
        rule("small", Filter={"ObjectSizeLessThan": 10}, Expiration=DAYS),
        rule("large", Filter={"ObjectSizeGreaterThan": 10}, Expiration=DAYS),
    )
    waiting.until("by size", lambda: keys(s3, sized) == {"middle"})

    tagged = made(s3)
    both = {"And": {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}}
    ruled(s3, tagged, rule("tagged", Filter=both, Expiration=DAYS))
    put(s3, tagged, "both", Tagging="a=1&b=2")
    put(s3, tagged, "one", Tagging="a=1&b=3")
    put(s3, tagged, "later")
    later = [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]
    s3.put_object_tagging(Bucket=tagged, Key="later", Tagging={"TagSet": later})
    waiting.until("by tag", lambda: keys(s3, tagged) == {"one"})

    disabled = made(s3)
    put(s3, disabled, "a")
    ruled(s3, disabled, rule("off", Status="Disabled", Expiration=DAYS))

    loading = made(s3)
    ruled(
        s3,
        loading,
        rule(
            "abort",
            Filter={"Prefix": "up/"},
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1},
        ),
    )
    for key in ("up/a", "other"):
        s3.create_multipart_upload(Bucket=loading, Key=key)
    waiting.until(
        "uploads",
        lambda: (
            [row["Key"] for row in s3.list_multipart_uploads(Bucket=loading).get("Uploads", [])]
            == ["other"]
        ),
    )

    waiting.hold()
    assert keys(s3, disabled) == {"a"}
    server.assert_healthy()


def test_versions_go_by_their_own_rules(server: Server, s3: BaseClient) -> None:
    """A current version is hidden, older ones go for good but for the newest, lone markers too."""
    waiting = Waiting()

    hidden = made(s3, versions=True)
    put(s3, hidden, "a")
    ruled(s3, hidden, rule("hide", Expiration=DAYS))
    waiting.until("a marker", lambda: versions(s3, hidden) == (["a"], ["a"]))

    kept = made(s3, versions=True)
    for _ in range(5):
        put(s3, kept, "a", "b")
    ruled(
        s3,
        kept,
        rule(
            "kept",
            Filter={"Prefix": "a"},
            NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
        ),
    )
    waiting.until("the newest", lambda: versions(s3, kept)[0] == ["a"] * 3 + ["b"] * 5)

    gone = made(s3, versions=True)
    put(s3, gone, "a", "b")
    for key in ("a", "b"):
        s3.delete_object(Bucket=gone, Key=key)
    ruled(
        s3,
        gone,
        rule("all", NoncurrentVersionExpiration={"NoncurrentDays": 1}),
        rule("markers", Expiration={"ExpiredObjectDeleteMarker": True}),
    )
    waiting.until("nothing", lambda: versions(s3, gone) == ([], []))

    waiting.hold()
    s3.delete_bucket(Bucket=gone)
    server.assert_healthy()


def test_a_dry_run_is_what_a_run_does(server: Server, s3: BaseClient) -> None:
    """What a dry run lists is what a run does; and what it did is counted by rule."""
    bucket = made(s3, versions=True)
    put(s3, bucket, "a/1", "a/2", "b")
    for _ in range(2):
        put(s3, bucket, "a/1")
    tried = rule(
        "tried", Filter={"Prefix": "a/"}, NoncurrentVersionExpiration={"NoncurrentDays": 1}
    )
    before = s3.list_object_versions(Bucket=bucket)["Versions"]
    ask = {
        "rules": [{"id": "tried", "prefix": "a/", "noncurrent_days": 1}],  # before they can act
        "at": (datetime.now(UTC) + timedelta(seconds=3 * DAY_SECONDS)).isoformat(),
    }
    path = f"/admin/buckets/{bucket}/lifecycle/preview"
    found = call(server, "POST", path, ask, token=log_in(server)).body
    listed = {(deed["key"], deed["id"]) for deed in found["deeds"]}
    assert len(listed) == 2
    ruled(s3, bucket, tried)
    wait_until(lambda: len(versions(s3, bucket)[0]) == 3, "two are gone", PATIENCE_SECONDS)
    after = s3.list_object_versions(Bucket=bucket)["Versions"]
    left = {(row["Key"], row["VersionId"]) for row in after}
    assert {(row["Key"], row["VersionId"]) for row in before} - left == listed
    (status,) = server.manage_json("lifecycle", "--status", "--bucket", bucket)["buckets"]
    (counted,) = status["rules"]
    assert (counted["id"], counted["expired_noncurrent"]) == ("tried", 2)
    assert counted["bytes"] == sum(deed["size"] for deed in found["deeds"]) == 2

    def is_told() -> bool:
        entries = server.manage_json("audit", "--action", "s4:RunLifecycle", "--limit", "100")
        return any(entry["resource"].endswith(bucket) for entry in entries)

    wait_until(is_told, "the audit log has it once the run is over", PATIENCE_SECONDS)
    assert '"Lifecycle acted"' in server.log_text()


HEADER = re.compile(r'expiry-date="([^"]+)", rule-id="([^"]+)"')


def test_locks_keep_what_rules_would_remove(server: Server, s3: BaseClient) -> None:
    """Retention and a legal hold are obeyed and counted; what they do not hold any more goes."""
    bucket = f"life-{next(_numbers):03d}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime(2100, 1, 1, tzinfo=UTC)
    retained = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    put(s3, bucket, "retained", **retained)
    put(s3, bucket, "held", ObjectLockLegalHoldStatus="ON")
    put(s3, bucket, "free")
    there = s3.list_object_versions(Bucket=bucket)["Versions"]
    old = {row["Key"]: row["VersionId"] for row in there}
    put(s3, bucket, *old)
    ruled(s3, bucket, rule("old", NoncurrentVersionExpiration={"NoncurrentDays": 1}))
    waiting = Waiting()
    waiting.until("what is free", lambda: versions(s3, bucket)[0].count("free") == 1)
    waiting.hold()

    def kept() -> int:
        (found,) = server.manage_json("lifecycle", "--status", "--bucket", bucket)["buckets"]
        return int(found["rules"][0]["kept"])

    assert versions(s3, bucket)[0] == ["free", "held", "held", "retained", "retained"]
    wait_until(lambda: kept() == 2, "each key is looked at in its own time", PATIENCE_SECONDS)
    s3.put_object_legal_hold(
        Bucket=bucket, Key="held", VersionId=old["held"], LegalHold={"Status": "OFF"}
    )
    waiting.until("what was held", lambda: versions(s3, bucket)[0].count("held") == 1)
    waiting.hold()
    assert versions(s3, bucket)[0].count("retained") == 2


def this_day() -> datetime:
    """Tell when the day began that goes on for a minute at least."""
    time.sleep(max(0.0, 60 - 86_400 + time.time() % 86_400))
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def test_answers_say_when_an_object_will_expire(server: Server, s3: BaseClient) -> None:
    """In days of the calendar, by the earliest rule, wherever S3 says it, and nowhere else."""
    bucket = made(s3, versions=True)
    future = datetime(2100, 1, 1, tzinfo=UTC)
    ruled(
        s3,
        bucket,
        rule("late", Expiration={"Date": future}),
        rule('ten "%" days é', Filter={"Prefix": "k"}, Expiration={"Days": 10}),
        rule("big", Filter={"ObjectSizeGreaterThan": 100}, Expiration={"Days": 5}),
        rule("abort", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
        rule("off", Status="Disabled", Expiration={"Days": 1}),
    )
    midnight = this_day()

    def told(answer: dict[str, Any]) -> tuple[datetime, str]:
        match = HEADER.fullmatch(answer["Expiration"])
        assert match is not None, answer["Expiration"]
        form = "%a, %d %b %Y %H:%M:%S GMT"
        return datetime.strptime(match[1], form).replace(tzinfo=UTC), match[2]

    ten = (midnight + timedelta(days=11), "ten %22%25%22 days %C3%A9")
    put_one = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert told(put_one) == ten
    assert told(s3.head_object(Bucket=bucket, Key="k")) == ten
    assert told(s3.get_object(Bucket=bucket, Key="k")) == ten
    named = s3.head_object(Bucket=bucket, Key="k", VersionId=put_one["VersionId"])
    assert "Expiration" not in named
    copied = s3.copy_object(Bucket=bucket, Key="other", CopySource={"Bucket": bucket, "Key": "k"})
    assert told(copied) == (future, "late")
    big = s3.put_object(Bucket=bucket, Key="k2", Body=b"x" * 101)
    assert told(big) == (midnight + timedelta(days=6), "big")
    form = write_form(presigned(s3, bucket, "k"), Upload(b"x"))
    posted = post(server, f"/{bucket}", form)
    assert told({"Expiration": posted.headers["x-amz-expiration"]}) == ten
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")
    place = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    listed = s3.list_parts(**place)
    for answer in (upload, listed):
        assert answer["AbortDate"] == midnight + timedelta(days=8)
        assert answer["AbortRuleId"] == "abort"
    part = s3.upload_part(**place, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert told(s3.complete_multipart_upload(**place, MultipartUpload=parts)) == ten
    far = 2**31 - 1  # days, after which there is no date that a header can hold
    abort = {"DaysAfterInitiation": far}
    ruled(s3, bucket, rule("far", Expiration={"Days": far}, AbortIncompleteMultipartUpload=abort))
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k")
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="k")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k")


def test_a_configuration_comes_back_as_it_was_put(s3: BaseClient) -> None:
    """Rules, their form and the minimum size are given back; taken off, there are none."""
    bucket = made(s3)
    rules = [
        rule("one", Filter={}, Expiration={"Days": 30}),
        rule("two", Expiration={"Date": datetime(2100, 1, 1, tzinfo=UTC)}),
        rule(
            "three",
            Status="Disabled",
            Filter={"And": {"Prefix": "", "ObjectSizeLessThan": 5}},
            NoncurrentVersionExpiration={"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
        ),
    ]
    answer = s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": rules},
        TransitionDefaultMinimumObjectSize="varies_by_storage_class",
    )
    read = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert read["Rules"] == rules
    for each in (answer, read):
        assert each["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    ruled(s3, bucket, {"Prefix": "p", "Status": "Enabled", "Expiration": DAYS})
    read = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert read["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    assert read["Rules"][0].pop("ID")
    assert read["Rules"] == [{"Prefix": "p", "Status": "Enabled", "Expiration": DAYS}]
    for _ in range(2):
        s3.delete_bucket_lifecycle(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"
    assert caught.value.response["Error"]["BucketName"] == bucket


def test_what_is_refused_changes_nothing(s3: BaseClient) -> None:
    """A rule that cannot be leaves those that are there, and what they are about."""
    bucket = made(s3)
    put(s3, bucket, "a")
    ruled(s3, bucket, rule("far", Expiration={"Days": 1000}))
    glacier = {"Days": 1, "StorageClass": "GLACIER"}
    for wrong in (
        rule("wrong", Transitions=[glacier]),
        rule("wrong", Expiration={"Days": 0}),
        rule("wrong", Filter={"Prefix": "", "ObjectSizeLessThan": 1}, Expiration=DAYS),
    ):
        with pytest.raises(ClientError):
            ruled(s3, bucket, wrong)
    assert [
        each["ID"] for each in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    ] == ["far"]
    assert keys(s3, bucket) == {"a"}


def test_a_short_day_is_told_loudly(server: Server) -> None:
    """Whoever shortens the day by the setting finds a warning at the start of each process."""
    lines = [json.loads(line) for line in server.log_text().splitlines() if line[:1] == "{"]
    loud = [line for line in lines if line.get("setting") == "S4_LIFECYCLE_DAY_SECONDS"]
    assert loud
    assert {line["level"] for line in loud} == {"warning"}
    assert {line["seconds"] for line in loud} == {DAY_SECONDS}
