"""Tags of objects and of buckets: Get, Put and Delete of each.

An object's tags are changed in place: neither its version, nor its time, nor its ETag is another
afterwards. Headers that carry tags are read in `attributes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from s3api.context import Answer
from s3api.errors import S3Error
from s3api.operations.tags import BUCKET_TAGS, OBJECT_TAGS, read_tag_set, write_tag_set
from s3api.operations.versioning import markers_refused, shown_version

if TYPE_CHECKING:
    from s3api.context import Call
    from s3api.operations.tags import TagRules
    from storage_engine import ObjectAttributes, ObjectInfo


async def get_object_tagging(call: Call) -> Answer:
    """Answer the tags of an object or of one of its versions; none is an empty set."""
    with markers_refused():
        info = call.engine.head_object(call.bucket.id, call.key, call.arguments.get("VersionId"))
    call.settle(info)
    return Answer(
        {"TagSet": write_tag_set(info.attributes.tags), "VersionId": shown_version(call, info)}
    )


async def put_object_tagging(call: Call) -> Answer:
    """Give an object other tags in place of those it has."""
    return await _set_object_tags(call, _tags_sent(call, OBJECT_TAGS))


async def delete_object_tagging(call: Call) -> Answer:
    """Take all tags off an object."""
    return await _set_object_tags(call, {})


async def _set_object_tags(call: Call, tags: dict[str, str]) -> Answer:
    def change(info: ObjectInfo) -> ObjectAttributes:
        call.settle(info)
        return msgspec.structs.replace(info.attributes, tags=tags)

    with markers_refused():
        info = await call.store.committed(
            call.engine.set_attributes(
                call.bucket.id, call.key, call.arguments.get("VersionId"), change
            )
        )
    return Answer({"VersionId": shown_version(call, info)})


def _tags_sent(call: Call, rules: TagRules) -> dict[str, str]:
    """Read the tags of the request's document."""
    return read_tag_set(call.arguments["Tagging"].get("TagSet", ()), rules)


async def get_bucket_tagging(call: Call) -> Answer:
    """Answer the tags of the bucket; none is NoSuchTagSet."""
    tags = call.bucket.configuration.tags
    if not tags:
        raise S3Error("NoSuchTagSet", BucketName=call.bucket.name)
    return Answer({"TagSet": write_tag_set(tags)})


async def put_bucket_tagging(call: Call) -> Answer:
    """Give the bucket other tags in place of those it has."""
    await call.store.configure(call.bucket, tags=_tags_sent(call, BUCKET_TAGS))
    return Answer()


async def delete_bucket_tagging(call: Call) -> Answer:
    """Take all tags off the bucket."""
    await call.store.configure(call.bucket, tags={})
    return Answer()
