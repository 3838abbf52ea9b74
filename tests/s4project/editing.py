"""Drives the editors of a bucket's page as a browser does."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

from buckets import services

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from buckets.registry import BucketState

IN_STEP: Final = {"HX-Request": "true"}
LETS_IN: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::box/<b>*",
        }
    ],
}
NAMED: Final = json.dumps(LETS_IN)


def at(box: BucketState, section: str) -> str:
    """Tell where a section is."""
    return f"/buckets/bucket/{box.id}/{section}/"


def seen(page: str) -> str:
    """Read what the page says it was made of."""
    found = re.search(r'name="seen" value="(\w+)"', page)
    assert found is not None, "the page has an editor"
    return found[1]


def document(page: str) -> str:
    """Read the document of a page, or of the part of one."""
    found = re.search(r"<textarea[^>]*name=\"document\"[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert found is not None, "the page has a document"
    return html.unescape(found[1]).strip()


def text(response: HttpResponse) -> str:
    """Read a page."""
    return response.content.decode()


def saved(console: Client, address: str, **fields: Any) -> HttpResponse:
    """Open a page, and send what stands in its form."""
    return console.post(address, {"seen": seen(text(console.get(address))), **fields})


def is_set(field: str) -> Any:
    """Read what is set on the bucket."""
    return getattr(services.find_bucket("box").configuration, field)
