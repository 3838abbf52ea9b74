"""The one table of what is offered: AWS operation, its handler, the action it needs.

An operation of AWS's model that has no row here is answered 501 NotImplemented.
Actions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from s3api.operations import (
    acl,
    bucket_access,
    bucket_policy,
    buckets,
    copy,
    cors,
    delete,
    get,
    lifecycle,
    listing,
    multipart,
    object_attributes,
    object_lock,
    post,
    put,
    rename,
    service,
    tagging,
    unconfigured,
    upload_listing,
    version_listing,
    versioning,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from s3api.context import Answer, Call


class Handler(NamedTuple):
    """How one operation is served; `needs_bucket`: the bucket must be there already.

    An action of None means that anybody may ask, whatever he signs.
    """

    serve: Callable[[Call], Awaitable[Answer]]
    action: str | None
    needs_bucket: bool = True


HANDLERS: Final[dict[str, Handler]] = {
    "ListBuckets": Handler(service.list_buckets, "s3:ListAllMyBuckets", needs_bucket=False),
    "CreateBucket": Handler(buckets.create_bucket, "s3:CreateBucket", needs_bucket=False),
    "HeadBucket": Handler(buckets.head_bucket, "s3:ListBucket"),
    "DeleteBucket": Handler(buckets.delete_bucket, "s3:DeleteBucket"),
    "GetBucketVersioning": Handler(versioning.get_bucket_versioning, "s3:GetBucketVersioning"),
    "PutBucketVersioning": Handler(versioning.put_bucket_versioning, "s3:PutBucketVersioning"),
    "GetBucketPolicy": Handler(bucket_policy.get_bucket_policy, "s3:GetBucketPolicy"),
    "GetBucketPolicyStatus": Handler(
        bucket_policy.get_bucket_policy_status, "s3:GetBucketPolicyStatus"
    ),
    "PutBucketPolicy": Handler(bucket_policy.put_bucket_policy, "s3:PutBucketPolicy"),
    "DeleteBucketPolicy": Handler(bucket_policy.delete_bucket_policy, "s3:DeleteBucketPolicy"),
    "GetBucketLocation": Handler(buckets.get_bucket_location, "s3:GetBucketLocation"),
    "ListObjects": Handler(listing.list_objects, "s3:ListBucket"),
    "ListObjectsV2": Handler(listing.list_objects_v2, "s3:ListBucket"),
    "ListObjectVersions": Handler(version_listing.list_object_versions, "s3:ListBucketVersions"),
    "GetObject": Handler(get.get_object, "s3:GetObject"),
    "HeadObject": Handler(get.head_object, "s3:GetObject"),
    "GetObjectAttributes": Handler(
        object_attributes.get_object_attributes, "s3:GetObjectAttributes"
    ),
    "PutObject": Handler(put.put_object, "s3:PutObject"),
    "PostObject": Handler(post.post_object, "s3:PutObject"),
    "CopyObject": Handler(copy.copy_object, "s3:PutObject"),
    "RenameObject": Handler(rename.rename_object, "s3:PutObject"),
    "DeleteObject": Handler(delete.delete_object, "s3:DeleteObject"),
    "DeleteObjects": Handler(delete.delete_objects, "s3:DeleteObject"),
    "CreateMultipartUpload": Handler(multipart.create_multipart_upload, "s3:PutObject"),
    "UploadPart": Handler(multipart.upload_part, "s3:PutObject"),
    "UploadPartCopy": Handler(multipart.upload_part_copy, "s3:PutObject"),
    "CompleteMultipartUpload": Handler(multipart.complete_multipart_upload, "s3:PutObject"),
    "AbortMultipartUpload": Handler(multipart.abort_multipart_upload, "s3:AbortMultipartUpload"),
    "ListParts": Handler(upload_listing.list_parts, "s3:ListMultipartUploadParts"),
    "ListMultipartUploads": Handler(
        upload_listing.list_multipart_uploads, "s3:ListBucketMultipartUploads"
    ),
    "GetObjectTagging": Handler(tagging.get_object_tagging, "s3:GetObjectTagging"),
    "PutObjectTagging": Handler(tagging.put_object_tagging, "s3:PutObjectTagging"),
    "DeleteObjectTagging": Handler(tagging.delete_object_tagging, "s3:DeleteObjectTagging"),
    "GetBucketTagging": Handler(tagging.get_bucket_tagging, "s3:GetBucketTagging"),
    "PutBucketTagging": Handler(tagging.put_bucket_tagging, "s3:PutBucketTagging"),
    # No action of its own: service-authorization, list_amazons3.
    "DeleteBucketTagging": Handler(tagging.delete_bucket_tagging, "s3:PutBucketTagging"),
    "GetBucketCors": Handler(cors.get_bucket_cors, "s3:GetBucketCORS"),
    "PutBucketCors": Handler(cors.put_bucket_cors, "s3:PutBucketCORS"),
    "DeleteBucketCors": Handler(cors.delete_bucket_cors, "s3:PutBucketCORS"),
    "GetBucketLifecycleConfiguration": Handler(
        lifecycle.get_bucket_lifecycle_configuration, "s3:GetLifecycleConfiguration"
    ),
    "PutBucketLifecycleConfiguration": Handler(
        lifecycle.put_bucket_lifecycle_configuration, "s3:PutLifecycleConfiguration"
    ),
    "DeleteBucketLifecycle": Handler(
        lifecycle.delete_bucket_lifecycle, "s3:PutLifecycleConfiguration"
    ),
    "OptionsObject": Handler(cors.options_object, None, needs_bucket=False),
    "GetBucketAcl": Handler(acl.get_bucket_acl, "s3:GetBucketAcl"),
    "PutBucketAcl": Handler(acl.put_bucket_acl, "s3:PutBucketAcl"),
    "GetObjectAcl": Handler(acl.get_object_acl, "s3:GetObjectAcl"),
    "PutObjectAcl": Handler(acl.put_object_acl, "s3:PutObjectAcl"),
    "GetBucketOwnershipControls": Handler(
        bucket_access.get_bucket_ownership_controls, "s3:GetBucketOwnershipControls"
    ),
    "PutBucketOwnershipControls": Handler(
        bucket_access.put_bucket_ownership_controls, "s3:PutBucketOwnershipControls"
    ),
    "DeleteBucketOwnershipControls": Handler(
        bucket_access.delete_bucket_ownership_controls, "s3:PutBucketOwnershipControls"
    ),
    "GetPublicAccessBlock": Handler(
        bucket_access.get_public_access_block, "s3:GetBucketPublicAccessBlock"
    ),
    "PutPublicAccessBlock": Handler(
        bucket_access.put_public_access_block, "s3:PutBucketPublicAccessBlock"
    ),
    "DeletePublicAccessBlock": Handler(
        bucket_access.delete_public_access_block, "s3:PutBucketPublicAccessBlock"
    ),
    "PutBucketRequestPayment": Handler(
        unconfigured.put_bucket_request_payment, "s3:PutBucketRequestPayment"
    ),
    "GetObjectLockConfiguration": Handler(
        object_lock.get_object_lock_configuration, "s3:GetBucketObjectLockConfiguration"
    ),
    "PutObjectLockConfiguration": Handler(
        object_lock.put_object_lock_configuration, "s3:PutBucketObjectLockConfiguration"
    ),
    "GetObjectRetention": Handler(object_lock.get_object_retention, "s3:GetObjectRetention"),
    "PutObjectRetention": Handler(object_lock.put_object_retention, "s3:PutObjectRetention"),
    "GetObjectLegalHold": Handler(object_lock.get_object_legal_hold, "s3:GetObjectLegalHold"),
    "PutObjectLegalHold": Handler(object_lock.put_object_legal_hold, "s3:PutObjectLegalHold"),
    **{
        name: Handler(unconfigured.answer_unconfigured, row.action)
        for name, row in unconfigured.UNCONFIGURED.items()
    },
}

OPEN: Final = frozenset(name for name, handler in HANDLERS.items() if handler.action is None)
