"""Documents to start a policy from. Whoever writes one puts his own names in."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

BUCKET: Final = "arn:aws:s3:::my-bucket"


def gettext_noop(title: str) -> str:
    """Mark a title for translators, whose tools know this name; who shows it looks it up."""
    return title


class Template(NamedTuple):
    """A document, and what it is for in a few words."""

    title: str
    document: str


def _template(title: str, *statements: dict[str, Any]) -> Template:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return Template(title, json.dumps(document, indent=2))


def _allow(sid: str, action: str | list[str], resource: str, **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}


def _deny(sid: str, **more: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", "Action": "s3:*", "Resource": "*", **more}


# What writes an object whole or in parts, and gives an unfinished upload up.
_WRITE: Final = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]

TEMPLATES: Final = (
    _template(
        gettext_noop("Read one bucket"),
        _allow("ListTheBucket", ["s3:ListBucket", "s3:GetBucketLocation"], BUCKET),
        _allow("ReadItsObjects", ["s3:GetObject", "s3:GetObjectVersion"], f"{BUCKET}/*"),
    ),
    _template(
        gettext_noop("Read and write below one prefix"),
        _allow(
            "ListThePrefix",
            "s3:ListBucket",
            BUCKET,
            Condition={"StringLike": {"s3:prefix": ["reports/*"]}},
        ),
        _allow("WriteBelowIt", ["s3:GetObject", "s3:DeleteObject", *_WRITE], f"{BUCKET}/reports/*"),
    ),
    _template(
        gettext_noop("A home directory for each user"),
        _allow(
            "ListOnesHome",
            "s3:ListBucket",
            BUCKET,
            Condition={"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}},
        ),
        _allow(
            "WhatIsBelowIt",
            ["s3:GetObject", "s3:DeleteObject", *_WRITE],
            f"{BUCKET}/home/${{aws:username}}/*",
        ),
    ),
    _template(
        gettext_noop("Upload only"),
        _allow("UploadOnly", _WRITE, f"{BUCKET}/*"),
    ),
    _template(
        gettext_noop("Only over TLS"),
        _deny("OnlyOverTls", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    ),
    _template(
        gettext_noop("Only from these networks"),
        _deny(
            "OnlyFromHere",
            Condition={"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
        ),
    ),
)
# A key's policy says what is left of its user's rights: what it does not allow, the key has not.
_ALL: Final = _allow("WhatTheUserMay", "s3:*", "*")
FOR_KEYS: Final = (
    *(each for each in TEMPLATES if '"Allow"' in each.document and "home/" not in each.document),
    _template(
        gettext_noop("Read everything the user may"),
        _allow("ReadOnly", ["s3:Get*", "s3:List*"], "*"),
    ),
    _template(
        gettext_noop("Everything, only over TLS"),
        _ALL,
        _deny("OnlyOverTls", Condition={"Bool": {"aws:SecureTransport": "false"}}),
    ),
    _template(
        gettext_noop("Everything, only from these networks"),
        _ALL,
        _deny(
            "OnlyFromHere",
            Condition={"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}},
        ),
    ),
)
