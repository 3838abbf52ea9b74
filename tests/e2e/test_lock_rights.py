"""Who may lock, who is told of a lock, who goes past it, and what policies may ask of one."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.e2e.outcome import refusal
from tests.e2e.posting import Upload, post, presigned, write_form
from tests.e2e.processes import wait_until
from tests.e2e.wire import write_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.client import BaseClient

    from tests.e2e.server import Server

pytestmark = pytest.mark.e2e

DONE, DENIED = (200, ""), (403, "AccessDenied")
BYPASS = {"BypassGovernanceRetention": True}
LONG = datetime(2099, 1, 1, tzinfo=UTC)
GOVERNED = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LONG}
GOVERNED_LONGER = {"Mode": "GOVERNANCE", "RetainUntilDate": LONG + timedelta(days=1)}
HELD = {"ObjectLockLegalHoldStatus": "ON"}
TOLD = "ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"


@pytest.fixture(scope="module")
def guest(server: Server) -> Iterator[tuple[str, BaseClient]]:
    """Make somebody who has no rights of his own; answer his ARN and a client."""
    account = server.manage_json("create_user", "guest", "--role", "Reader")["account_id"]
    key = server.manage_json("create_key", "guest")
    client = server.client(
        aws_access_key_id=key["access_key"], aws_secret_access_key=key["secret_key"]
    )
    yield f"arn:aws:iam::{account}:user/guest", client
    client.close()


@pytest.fixture
def vault(s3: BaseClient, bucket: str) -> str:
    """Make a bucket with Object Lock and a locked object."""
    name = f"{bucket}-vault"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=name, Key="k", Body=b"x", **GOVERNED, **HELD)
    return name


def invite(s3: BaseClient, vault: str, arn: str, actions: str, *more: Any) -> None:
    """Let somebody do these actions to the objects of a bucket."""
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": [f"s3:{action}" for action in actions.split()],
        "Resource": f"arn:aws:s3:::{vault}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed, *more]}
    s3.put_bucket_policy(Bucket=vault, Policy=json.dumps(policy))


def denial(vault: str, actions: str, operator: str, key: str, value: str) -> dict[str, Any]:
    """Deny everybody these actions under a condition on what a lock is to be."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": [f"s3:{action}" for action in actions.split()],
        "Resource": f"arn:aws:s3:::{vault}/*",
        "Condition": {operator: {f"s3:object-lock-{key}": value}},
    }


# --- rights -------------------------------------------------------------------------------------


def test_a_lock_is_told_to_who_may_know(
    s3: BaseClient, guest: tuple[str, BaseClient], vault: str
) -> None:
    """GET and HEAD answer everybody who may read, and tell each half of a lock to its readers."""
    arn, client = guest
    for actions, told in (
        ("", ()),
        ("GetObjectRetention", TOLD[:2]),
        ("GetObjectLegalHold", TOLD[2:]),
        ("GetObjectRetention GetObjectLegalHold", TOLD),
    ):
        invite(s3, vault, arn, f"GetObject {actions}")
        for call in (client.get_object, client.head_object):
            answer = call(Bucket=vault, Key="k")
            assert tuple(name for name in TOLD if name in answer) == told


def test_to_lock_is_a_right_of_its_own(
    s3: BaseClient, guest: tuple[str, BaseClient], vault: str
) -> None:
    """Who may put may not lock, nor go on where a default locks for him; each half by its right."""
    arn, client = guest
    new = {"Bucket": vault, "Key": "new", "Body": b"x"}
    invite(s3, vault, arn, "PutObject")
    assert refusal(client.put_object, **new) == DONE
    assert refusal(client.put_object, **new, **GOVERNED) == DENIED
    assert refusal(client.put_object, **new, **HELD) == DENIED
    invite(s3, vault, arn, "PutObject PutObjectRetention")
    assert refusal(client.put_object, **new, **GOVERNED) == DONE
    assert refusal(client.put_object, **new, **GOVERNED, **HELD) == DENIED
    invite(s3, vault, arn, "PutObject PutObjectRetention PutObjectLegalHold")
    assert refusal(client.put_object, **new, **GOVERNED, **HELD) == DONE


def test_going_past_governance_needs_header_and_right(
    s3: BaseClient, guest: tuple[str, BaseClient], vault: str
) -> None:
    """Neither is enough; with the header the right is asked for where nothing is locked, too."""
    arn, client = guest
    free = s3.put_object(Bucket=vault, Key="free", Body=b"x")["VersionId"]
    held = s3.put_object(Bucket=vault, Key="held", Body=b"x", **GOVERNED)["VersionId"]
    names = {
        key: {"Bucket": vault, "Key": key, "VersionId": version}
        for key, version in (("free", free), ("held", held))
    }
    rights = "DeleteObject DeleteObjectVersion PutObjectRetention"
    invite(s3, vault, arn, rights)
    for name in names.values():
        assert refusal(client.delete_object, **name, **BYPASS) == DENIED
        objects = [{"Key": name["Key"], "VersionId": name["VersionId"]}]
        told = client.delete_objects(Bucket=vault, Delete={"Objects": objects}, **BYPASS)
        assert [row["Code"] for row in told["Errors"]] == ["AccessDenied"]
        assert refusal(client.put_object_retention, **name, Retention={}, **BYPASS) == DENIED
    assert refusal(client.delete_object, **names["held"]) == DENIED
    invite(s3, vault, arn, f"{rights} BypassGovernanceRetention")
    assert refusal(client.delete_object, **names["held"]) == DENIED
    for name in names.values():
        assert refusal(client.delete_object, **name, **BYPASS) == DONE


def test_going_past_a_lock_is_on_record(
    server: Server, s3: BaseClient, guest: tuple[str, BaseClient], vault: str
) -> None:
    """Who went past governance, or lifted a hold, or was denied it, is told by any setting."""
    _, client = guest
    named = {"Bucket": vault, "Key": "k"}
    version = s3.head_object(**named)["VersionId"]
    s3.put_object_retention(**named, Retention=GOVERNED_LONGER)
    s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
    header = {"x-amz-bypass-governance-retention": "true"}
    assert server.caller.ask("GET", f"/{vault}/k", headers=header).status == 200  # in vain
    gone = named | {"VersionId": version}
    assert refusal(client.delete_object, **gone, **BYPASS) == DENIED
    assert refusal(s3.delete_object, **gone, **BYPASS) == DONE
    arguments = ("audit", "--resource", f"arn:aws:s3:::{vault}/")
    wait_until(lambda: len(server.manage_json(*arguments)) >= 3, "all is written")
    told = {
        (row["action"], row["actor"], row["outcome"]): row["detail"]
        for row in server.manage_json(*arguments)
    }
    gone_past = [detail.get("bypass_governance") for _, detail in sorted(told.items())]
    assert sorted(told) == [
        ("s3:DeleteObject", "guest", "denied"),
        ("s3:DeleteObject", "root", "allowed"),
        ("s3:PutObjectLegalHold", "root", "allowed"),
    ]
    assert gone_past == [True, True, None]
    assert told["s3:PutObjectLegalHold", "root", "allowed"]["legal_hold"] == "OFF"


# --- what policies may ask ----------------------------------------------------------------------


def in_days(days: float) -> dict[str, Any]:
    """Write a retention that ends so many days from now."""
    return {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=days)}


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        (("NumericGreaterThan", "remaining-retention-days", "10"), in_days(10), in_days(10.1)),
        (("NumericLessThan", "remaining-retention-days", "10"), in_days(10), in_days(8.9)),
        (
            ("StringNotEquals", "mode", "GOVERNANCE"),
            in_days(9),
            in_days(9) | {"Mode": "COMPLIANCE"},
        ),
        (
            ("DateGreaterThan", "retain-until-date", "2098-12-31T23:59:59Z"),
            in_days(9),
            {"Mode": "GOVERNANCE", "RetainUntilDate": LONG},
        ),
    ],
    ids=["at most", "at least", "mode", "date"],
)
def test_a_policy_bounds_retention(
    s3: BaseClient,
    vault: str,
    condition: tuple[str, str, str],
    good: dict[str, Any],
    bad: dict[str, Any],
) -> None:
    """What a retention is to be is asked of a new object's headers and of a document alike."""
    s3.put_object(Bucket=vault, Key="plain", Body=b"x")
    policy = {"Statement": [denial(vault, "PutObject PutObjectRetention", *condition)]}
    s3.put_bucket_policy(Bucket=vault, Policy=json.dumps({"Version": "2012-10-17"} | policy))
    for retention, expected in ((bad, DENIED), (good, DONE)):
        named = {"Bucket": vault, "Key": "plain", "Retention": retention}
        assert refusal(s3.put_object_retention, **named) == expected
        headers = {f"ObjectLock{name}": value for name, value in retention.items()}
        assert refusal(s3.put_object, Bucket=vault, Key="new", Body=b"x", **headers) == expected


def test_a_policy_keeps_holds_on(s3: BaseClient, vault: str) -> None:
    """Whoever may lay a hold on may be kept from taking it off, whatever his headers say."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [denial(vault, "PutObjectLegalHold", "StringEquals", "legal-hold", "OFF")],
    }
    s3.put_bucket_policy(Bucket=vault, Policy=json.dumps(policy))
    named = {"Bucket": vault, "Key": "k"}
    assert refusal(s3.put_object_legal_hold, **named, LegalHold={"Status": "ON"}) == DONE
    assert refusal(s3.put_object_legal_hold, **named, LegalHold={"Status": "OFF"}) == DENIED
    assert s3.get_object_legal_hold(**named)["LegalHold"] == {"Status": "ON"}


# --- other ways to put --------------------------------------------------------------------------


def md5(data: bytes) -> str:
    """Write a Content-MD5."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def test_a_form_locks_what_it_uploads(server: Server, s3: BaseClient, vault: str) -> None:
    """Fields of a form lock as headers do, and need the file's checksum as those do."""
    signer = server.client(config=Config(signature_version="s3v4"))
    lock = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    for fields, status in ((lock, 400), (lock | {"content-md5": md5(b"form")}, 204)):
        signed = presigned(signer, vault, "form", **fields)
        reply = post(server, f"/{vault}", write_form(signed, Upload(b"form")))
        assert reply.status == status, reply.body
    head = s3.head_object(Bucket=vault, Key="form")
    assert tuple(map(head.get, TOLD)) == ("GOVERNANCE", LONG, "ON")
    signer.close()


def test_a_link_locks_what_it_uploads(server: Server, s3: BaseClient, vault: str) -> None:
    """A presigned URL carries a lock, which whoever uses it cannot leave out."""
    signer = server.client(config=Config(signature_version="s3v4"))
    url = signer.generate_presigned_url(
        "put_object", {"Bucket": vault, "Key": "link", "ContentMD5": md5(b"link"), **GOVERNED}
    )
    headers = {
        "Content-MD5": md5(b"link"),
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
    }
    target = url.removeprefix(server.url)
    with server.caller.connect() as connection:
        lines = {"host": server.caller.host, **headers}
        connection.send(write_head("PUT", target, lines, len(b"link")) + b"link")
        assert connection.reply("PUT").status == 200
    head = s3.head_object(Bucket=vault, Key="link")
    assert tuple(map(head.get, TOLD)) == ("GOVERNANCE", LONG, None)
    signer.close()
