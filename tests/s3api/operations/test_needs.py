"""Claims about `s3api.operations.needs`: what an operation needs is what AWS says it needs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from botocore.loaders import Loader

from iam.actions import OF_BUCKET, OF_OBJECT, OF_SERVICE
from s3api.operations.needs import NEEDS, On
from s3api.operations.registry import HANDLERS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "actions.md"
HEAD = """\
# What each operation needs

The actions that a policy must allow for each operation of S3, and on what. Where a row says when,
the action is needed then only. Written from the table that S4 keeps
([`s3api/operations/needs.py`](../s3api/operations/needs.py)), which is tested against AWS's list of
actions and against AWS's own description of every operation. Who allows what: [Access](access.md).

*bucket* is `arn:aws:s3:::BUCKET`, *object* `arn:aws:s3:::BUCKET/KEY`; *source* is the object that
is copied or renamed, *everything* `*`.

| Operation | Action | On | When |
|---|---|---|---|
"""
# What AWS's text names that no caller of the operation needs here.
NOT_NEEDED = {
    "CreateBucket": {
        "s3:PutBucketPublicAccessBlock",  # of another operation, which the text recommends
    },
    "DeleteObject": {"s3:PutLifeCycleConfiguration"},  # named as a way around a denial
    # Named as what is to be denied as well to who must not delete.
    "PutBucketLifecycleConfiguration": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
}
MODEL = Loader().load_service_model("s3", "service-2")["operations"]
FITTING = {
    On.EVERYTHING: OF_SERVICE,
    On.BUCKET: OF_BUCKET,
    On.OBJECT: OF_OBJECT,
    On.SOURCE: OF_OBJECT,
}


def written() -> str:
    """Write the page."""
    lines = [
        f"| {operation} | `{need.action}` | {need.on} | {need.when} |\n"
        for operation, needs in NEEDS.items()
        for need in needs
    ]
    lines += [f"| {name} | | | anybody may |\n" for name, needs in NEEDS.items() if not needs]
    return HEAD + "".join(lines)


def named(operation: str) -> set[str]:
    """List the actions that AWS's description of an operation names."""
    text = re.sub(r"<[^>]+>", "", MODEL.get(operation, {}).get("documentation", ""))
    return set(re.findall(r"s3:[A-Z]\w+", text))


def test_every_operation_has_its_row() -> None:
    """What is served is what the table speaks of, and its first question is in the row."""
    assert NEEDS.keys() == HANDLERS.keys()
    for operation, handler in HANDLERS.items():
        actions = {need.action for need in NEEDS[operation]}
        assert handler.action in actions or not actions, operation


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_a_row_says_what_aws_says(operation: str) -> None:
    """Each action is done to what AWS's list says, and no action that AWS names is missing."""
    needs = NEEDS[operation]
    for need in needs:
        assert need.action in FITTING[need.on], need
    assert named(operation) - {need.action for need in needs} == NOT_NEEDED.get(operation, set())


def test_aws_tells_of_enough_operations() -> None:
    """The comparison compares something: AWS's model names the actions of most operations."""
    assert sum(bool(named(operation)) for operation in NEEDS) > 35


def test_the_page_is_the_table() -> None:
    """docs/actions.md says what the table says; S4_WRITE_DOCS=1 writes it."""
    if os.environ.get("S4_WRITE_DOCS"):
        PAGE.write_text(written(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written()
