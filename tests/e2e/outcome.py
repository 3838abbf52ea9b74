"""How a boto3 call ended, as a value that a test can compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    """Answer the HTTP status and S3 code that a call is refused with; (200, "") if it is not."""
    try:
        call(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status, error.response["Error"]["Code"]
    return 200, ""
