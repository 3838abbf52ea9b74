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
    wish = {"LocationConstraint": REGION}
    made = s3.create_bucket(Bucket="here", CreateBucketConfiguration=wish)
    assert (made["Location"], made["BucketArn"]) == ("/here", "arn:aws:s3:::here")
    assert s3.get_bucket_location(Bucket="here")["LocationConstraint"] == REGION
    head = s3.head_bucket(Bucket="here")
    assert (head["BucketRegion"], head["BucketArn"]) == (REGION, made["BucketArn"])
    row = s3.list_buckets(BucketRegion=REGION)["Buckets"][0]
    assert (row["BucketRegion"], row["BucketArn"]) == (REGION, made["BucketArn"])


def test_another_location_is_refused(s3: BaseClient) -> None:
    """CreateBucket says that another region does not fit the one it was sent to."""
    wish = {"LocationConstraint": "eu-west-3"}
    told = refusal(s3.create_bucket, Bucket="there", CreateBucketConfiguration=wish)
    assert told == (400, "IllegalLocationConstraintException")


def test_a_bucket_is_made_once(s3: BaseClient) -> None:
    """A second CreateBucket by its owner answers BucketAlreadyOwnedByYou."""
    s3.create_bucket(Bucket="once")
    assert refusal(s3.create_bucket, Bucket="once") == (409, "BucketAlreadyOwnedByYou")
