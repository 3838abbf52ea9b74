"""Storage classes: there is one, and no path takes an object in the name of another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import botocore.session
import pytest
from botocore.exceptions import ClientError

from tests.e2e.outcome import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

pytestmark = pytest.mark.e2e

MODEL: Final = botocore.session.get_session().get_service_model("s3")
CLASSES: Final = list(MODEL.shape_for("StorageClass").enum)
OTHERS: Final = ["standard", "COLD"]


def moved(s3: BaseClient, bucket: str, storage_class: str, members: str) -> Any:
    """Have a lifecycle move objects to a class."""
    transition = {"StorageClass": storage_class, "Days": 1, "NoncurrentDays": 1}
    days = "NoncurrentDays" if members.startswith("Noncurrent") else "Days"
    chosen = {name: transition[name] for name in ("StorageClass", days)}
    rule = {"ID": "r", "Filter": {}, "Status": "Enabled", members: [chosen]}
    configuration = {"Rules": [rule]}
    return s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=configuration
    )


@pytest.mark.parametrize("storage_class", [*CLASSES, *OTHERS])
def test_only_the_standard_class_is_kept(s3: BaseClient, bucket: str, storage_class: str) -> None:
    """Put, copy, a copy onto itself and an upload are refused in S3's words, and change nothing."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    named = {"Bucket": bucket, "StorageClass": storage_class}
    source = {"Bucket": bucket, "Key": "k"}
    paths: dict[str, Callable[[], Any]] = {
        "put": partial(s3.put_object, Key="new", **named),
        "put over": partial(s3.put_object, Key="k", Body=b"y", **named),
        "copy": partial(s3.copy_object, Key="new", CopySource=source, **named),
        "copy onto itself": partial(s3.copy_object, Key="k", CopySource=source, **named),
        "upload": partial(s3.create_multipart_upload, Key="new", **named),
    }
    for name, path in paths.items():
        if storage_class == "STANDARD":
            path()
            continue
        with pytest.raises(ClientError) as caught:
            path()
        # As recorded from S3, test_put_object_storage_class_outposts of localstack.
        error = caught.value.response["Error"]
        assert error.pop("Resource").startswith(f"/{bucket}/"), name
        assert error == {
            "Code": "InvalidStorageClass",
            "Message": "The storage class you specified is not valid",
            "StorageClassRequested": storage_class,
        }, name
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    if storage_class != "STANDARD":
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
        assert [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("members", ["Transitions", "NoncurrentVersionTransitions"])
@pytest.mark.parametrize("storage_class", ["STANDARD_IA", "GLACIER"])
def test_nothing_is_moved_to_another(
    s3: BaseClient, bucket: str, storage_class: str, members: str
) -> None:
    """A lifecycle that would move objects is refused whole."""
    refused = refusal(partial(moved, s3, bucket, storage_class, members))
    assert refused == (501, "NotImplemented")
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
