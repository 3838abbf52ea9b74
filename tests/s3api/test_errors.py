"""S3Error and the table of S3's codes."""

from __future__ import annotations

import re

import pytest
from botocore.loaders import Loader

from s3api.errors import CODES, S3Error


def test_a_refusal_takes_status_and_text_from_the_table() -> None:
    """The code decides status and message; what is given replaces the message."""
    error = S3Error("NoSuchKey", Key="a")
    assert (error.code, error.status, error.message) == (
        "NoSuchKey",
        404,
        "The specified key does not exist.",
    )
    assert error.detail == {"Key": "a"}
    assert error.headers == {}
    assert S3Error("NoSuchKey", "gone", headers={"x": "y"}).message == "gone"


def test_an_unknown_code_is_a_programmers_error() -> None:
    """A code that AWS does not have fails where it is raised."""
    with pytest.raises(KeyError):
        S3Error("NoSuchCode")


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_can_be_answered(code: str) -> None:
    """Each code is a name, each status an HTTP refusal or redirect, each text fit for one line."""
    status, message = CODES[code]
    assert re.fullmatch(r"[A-Za-z0-9.]+", code)
    assert 300 <= status < 600
    assert message.isprintable()
    assert message == message.strip()


def test_every_exception_of_the_model_is_in_the_table_with_its_status() -> None:
    """What AWS's service model declares, botocore can raise by name."""
    shapes = Loader().load_service_model("s3", "service-2")["shapes"]
    declared = {
        name: shape["error"]["httpStatusCode"]
        for name, shape in shapes.items()
        if shape.get("exception")
    }
    assert {name: CODES[name][0] for name in declared} == declared
