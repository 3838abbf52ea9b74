"""Replies taken apart, to be held against those that S3 was seen to give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.wire import Reply

Refusal = tuple[int, dict[str, str]]
OWN = {"Resource", "RequestId", "HostId"}


def elements(document: bytes, parent: str) -> list[tuple[str, str]]:
    """List the elements directly below one, in order, with their text where they have only that."""
    found = re.search(f"<{parent}(?: [^>]*)?>(.*?)</{parent}>".encode(), document, re.DOTALL)
    assert found is not None, document
    return [
        (tag.decode(), inner.decode())
        for tag, inner in re.findall(rb"<([\w-]+)(?: [^>]*)?>(.*?)</\1>", found[1], re.DOTALL)
    ]


def refused(reply: Reply) -> Refusal:
    """Answer a refusal's status and elements but those that differ each time."""
    parts = elements(reply.body, "Error")
    assert [tag for tag, _ in parts][:2] == ["Code", "Message"]
    return reply.status, {tag: text for tag, text in parts if tag not in OWN}


def no(status: int, code: str, message: str, **detail: str) -> Refusal:
    """Write a refusal."""
    return status, {"Code": code, "Message": message} | detail


def bad_argument(name: str, value: str, message: str) -> Refusal:
    """Write the refusal of an argument."""
    return no(400, "InvalidArgument", message, ArgumentName=name, ArgumentValue=value)
