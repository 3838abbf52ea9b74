"""Policies while they are being written: what they say, or where they are wrong."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import pytest

from iam.keyring import RoleName
from tests.people import browser, person

if TYPE_CHECKING:
    from iam.models import User

RIGHT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::<b>/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }
)
WRONG = [
    ("{", "line 1, column 2"),
    (RIGHT.replace("GetObject", "Fly"), "does not exist"),
    (RIGHT.replace("Deny", "Deni"), "Statement 1"),
    ("[" * 70_000, ""),
    ("\ud83d", ""),
    ("[]", ""),
]


@pytest.mark.parametrize("field", ["document", "policy"])
def test_a_policy_is_told_in_words(boss: User, field: str) -> None:
    """Who is signed in is told what a text says, and nothing of it becomes markup."""
    person("rita", RoleName.READER)
    for name in ("boss", "rita"):
        page = browser(name).post("/policy-check/", {field: RIGHT}).content.decode()
        assert "deny" in page
        assert "aws:SecureTransport Bool false" in page
        assert "<b>" not in page


@pytest.mark.parametrize(("text", "words"), WRONG, ids=range(len(WRONG)))
def test_where_a_policy_is_wrong_is_told(boss: User, text: str, words: str) -> None:
    """A text that would not be saved is told from one that would, with the place."""
    sent = text.encode("utf-8", "replace").decode()
    page = html.unescape(
        browser("boss").post("/policy-check/", {"document": sent}).content.decode()
    )
    assert "editor-wrong" in page
    assert words in page
    assert "<table" not in page


def test_nothing_says_nothing(boss: User) -> None:
    """An empty text is neither right nor wrong."""
    assert browser("boss").post("/policy-check/", {"document": " "}).content.strip() == b""
