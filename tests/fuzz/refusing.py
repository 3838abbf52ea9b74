"""What holds of every refusal, wherever it comes from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from s3api.errors import CODES, S3Error
from s3api.protocol import render_error

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_IMPLEMENTED: Final = 501
TROUBLE: Final = 500
# References that XML 1.0 does not have and S3 writes all the same.
REFERENCE: Final = re.compile(rb"&#x[0-9a-f]+;")


def parsed(document: bytes) -> ET.Element:
    """Read a document of ours; the references that no parser takes stand for a question mark."""
    return ET.fromstring(REFERENCE.sub(b"?", document))  # noqa: S314  # it is our own


def check_refusal(error: S3Error) -> None:
    """Insist that a refusal has a code of S3's and can be written as a document."""
    assert error.code in CODES
    assert error.status < TROUBLE or error.status == NOT_IMPLEMENTED, error
    for value in error.detail.values():
        assert isinstance(value, str)
    document = parsed(render_error(error, resource="/b/k", request_id="R", host_id="H"))
    assert document.findtext("Code") == error.code
    assert document.find("Message") is not None


def attempt(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Make a call that may be refused in S3's words and in no others; None when it is."""
    try:
        return call(*arguments, **options)
    except S3Error as error:
        check_refusal(error)
        return None
