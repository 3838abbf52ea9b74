"""Continuation tokens: opaque to clients, the last name returned to us."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from s3api.errors import S3Error

MARK: Final = "1"  # version of the token's form


def write_token(last: str) -> str:
    """Make the token that continues after `last`."""
    return base64.urlsafe_b64encode((MARK + last).encode()).decode()


def read_token(token: str | None) -> str:
    """Answer where a token continues; "" without one; InvalidArgument for one that is not ours."""
    if token is None:
        return ""
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith(MARK):
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        )
    return text.removeprefix(MARK)
