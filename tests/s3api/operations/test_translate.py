"""The engine's errors in S3's words."""

from __future__ import annotations

import pytest

from s3api.http.target import Target
from s3api.operations.translate import CODES, s3_error
from storage_engine import DiskFull, EngineError, NoSuchKey, StorageError

TARGET = Target(bucket="b", key="k", is_virtual_host=False, resource="/b/k")


@pytest.mark.parametrize("kind", CODES)
def test_every_translated_error_has_a_code(kind: type[EngineError]) -> None:
    """Each error of the table is said with its code of S3's table."""
    assert s3_error(kind("reason"), TARGET).code == CODES[kind]


def test_a_full_disk_is_not_a_failed_one() -> None:
    """No room is 507, which clients do not repeat; trouble with the disk is 503."""
    assert s3_error(DiskFull("full"), TARGET).status == 507
    assert s3_error(StorageError("EIO"), TARGET).status == 503


def test_a_missing_key_is_named() -> None:
    """The answer about a missing key says which."""
    assert s3_error(NoSuchKey("k"), TARGET).detail == {"Key": "k"}
