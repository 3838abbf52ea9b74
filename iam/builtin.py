"""The roles that S4 has by itself, as policies underneath.

A Reader and a Writer have what is their own: AWS's way to say so is to hold the account of the
resource against the caller's. What else they may do, other policies and ACLs give them.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from iam.keyring import RoleName

_OWN: Final = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}


class Builtin(NamedTuple):
    """A role of S4's own, and the document of the policy of the same name that it holds."""

    description: str
    document: str


def _document(sid: str, action: list[str], **more: Any) -> str:
    statement = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


BUILTINS: Final = {
    RoleName.READER: Builtin(
        "Lists and reads what is the user's own.",
        _document("ReadWhatIsOwn", ["s3:Get*", "s3:List*"], Condition=_OWN),
    ),
    RoleName.WRITER: Builtin(
        "Makes buckets, and does everything with what is the user's own.",
        _document("WhatIsOwn", ["s3:*"], Condition=_OWN),
    ),
    RoleName.SUPERUSER: Builtin(
        "Everything everywhere, and the administration of S4.", _document("Everything", ["*"])
    ),
}
