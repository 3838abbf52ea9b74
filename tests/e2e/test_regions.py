"""A store that is not in AWS's classic region: what differs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e
REGION = "eu-central-1"
SETTINGS = {"region": REGION}


def test_a_bucket_says_where_it_is(s3: BaseClient) -> None:
    """A bucket made in the store's region names it in GetBucketLocation, HEAD and ListBuckets."""
    s3.create_bucket(Bucket="here", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert s3.get_bucket_location(Bucket="here")["LocationConstraint"] == REGION
    assert s3.head_bucket(Bucket="here")["BucketRegion"] == REGION
    assert s3.list_buckets(BucketRegion=REGION)["Buckets"][0]["BucketRegion"] == REGION


def test_a_bucket_is_made_once(s3: BaseClient) -> None:
    """A second CreateBucket by its owner answers BucketAlreadyOwnedByYou."""
    s3.create_bucket(Bucket="once")
    assert refusal(s3.create_bucket, Bucket="once") == (409, "BucketAlreadyOwnedByYou")
